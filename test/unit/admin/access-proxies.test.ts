// Proxies in front of the admin server: who is believed what, and that nobody else can say it.

import { describe, expect, test } from "vitest";
import type { AccessConfig } from "../../../services/admin/access/plugin.ts";
import { proxyHeaders, proxyRoles } from "../../../services/config/access.ts";
import { ADMIN, type AdminDoor, adminDoors, ANN } from "../../support/admin-door.ts";
import { eachServer } from "../../support/redis.ts";

const ROLES = proxyRoles.read("ops=operator,sre=admin,user:ann@example.org=admin,staff=viewer", true) ?? [];
const TRUSTING: Partial<AccessConfig> = { adminTrustedProxies: ["127.0.0.1", "10.0.0.0/8"], adminProxyRoles: ROLES };
const change = { method: "POST", body: {} };

eachServer((_name, getUrl) => {
  const { open } = adminDoors(getUrl);

  const who = async (door: AdminDoor, headers: Readonly<Record<string, string | string[]>>): Promise<unknown> => {
    const { status, body } = await door.ask("/api/things", { headers });
    return status === 200 ? [body["name"], body["role"], body["way"]] : status;
  };

  describe("a proxy that logs people in", () => {
    test("is believed who somebody is, and the strongest of their roles counts", async () => {
      const door = await open({ config: TRUSTING });
      const bob = { "x-forwarded-user": "bob", "x-forwarded-email": "bob@example.org" };
      expect(await who(door, { ...bob, "x-forwarded-groups": "staff,ops" })).toEqual([
        "bob@example.org",
        "operator",
        "proxy",
      ]);
      expect(await who(door, { ...bob, "x-forwarded-groups": "staff" })).toEqual([
        "bob@example.org",
        "viewer",
        "proxy",
      ]);
      expect(await who(door, { "x-forwarded-user": "x", "x-forwarded-email": "ann@example.org" })).toContain("admin");
      expect(
        await who(door, { "x-forwarded-user": Buffer.from("käthe").toString("latin1"), "x-forwarded-groups": "ops" }),
      ).toEqual(["käthe", "operator", "proxy"]);
    });

    test("somebody without a role may nothing, nor a group that has the name of a user with one", async () => {
      const door = await open({ config: TRUSTING });
      expect(await who(door, { "x-forwarded-user": "eve" })).toBe(403);
      expect(
        await who(door, { "x-forwarded-user": "eve", "x-forwarded-groups": "ann@example.org,user:ann@example.org" }),
      ).toBe(403);
      expect(await who(door, { "x-forwarded-user": "ops" })).toBe(403);
    });

    test("a page is told where such a person signs out, if the settings say it; there is no session here that could end", async () => {
      const bob = { "x-forwarded-user": "bob", "x-forwarded-groups": "ops" };
      const shown = async (door: AdminDoor, headers: Readonly<Record<string, string>>): Promise<unknown> => {
        const { csrf: _csrf, ...rest } = (await door.ask("/api/session", { headers })).body;
        return rest;
      };
      const plain = await open({ config: TRUSTING });
      expect(await shown(plain, bob)).toEqual({ name: "bob", role: "operator", way: "proxy" });
      const door = await open({ config: { ...TRUSTING, adminProxySignOut: "/oauth2/sign_out" } });
      const out = { signOutUrl: "/oauth2/sign_out" };
      expect(await shown(door, bob)).toEqual({ name: "bob", role: "operator", way: "proxy", ...out });
      expect(await shown(door, { cookie: (await door.login(ANN.secret)).cookie })).toEqual({
        name: "ann",
        role: "operator",
        way: "login",
      });
      const own = { ...bob, "x-csrf-token": String((await door.ask("/api/session", { headers: bob })).body["csrf"]) };
      expect((await door.ask("/api/session", { method: "DELETE", headers: own })).status).toBe(403);
      expect((await door.audit.list({ limit: 10 })).items.map(({ action }) => action)).not.toContain("session.logout");
      const { status, body } = await door.ask("/api/session", { headers: { "x-forwarded-user": "eve" } });
      expect([status, body.error?.message]).toEqual([
        403,
        expect.stringMatching(/no role to eve .*\/oauth2\/sign_out$/),
      ]);
    });

    test("changes need the header of our own page", async () => {
      const door = await open({ config: TRUSTING });
      const bob = { "x-forwarded-user": "bob", "x-forwarded-groups": "ops" };
      expect((await door.ask("/api/things/a", { ...change, headers: bob })).status).toBe(403);
      const { body } = await door.ask("/api/session", { headers: bob });
      const own = { ...bob, "x-csrf-token": String(body["csrf"]) };
      expect((await door.ask("/api/things/a", { ...change, headers: own })).status).toBe(200);
      expect(
        (await door.ask("/api/things/a", { ...change, headers: { ...own, origin: "https://evil.example" } })).status,
      ).toBe(403);
    });

    test("what it knows somebody by is not taken for a wrong token of ours, and tokens are still tokens elsewhere", async () => {
      const door = await open({ config: TRUSTING });
      const bob = { "x-forwarded-user": "bob", "x-forwarded-groups": "ops", authorization: "Bearer eyJhbGciOi.J9.x" };
      for (let tries = 0; tries < 12; tries++) expect(await who(door, bob)).toEqual(["bob", "operator", "proxy"]);
      expect((await door.ask("/api/things", { token: ADMIN })).body["way"]).toBe("token");
    });

    test("other headers are read where the settings say so", async () => {
      const adminProxyHeaders = proxyHeaders.read("user=x-auth-request-user,groups=x-auth-request-groups", true);
      if (adminProxyHeaders === undefined) throw new Error("no headers");
      const door = await open({ config: { ...TRUSTING, adminProxyHeaders } });
      expect(await who(door, { "x-auth-request-user": "bob", "x-auth-request-groups": "sre" })).toEqual([
        "bob",
        "admin",
        "proxy",
      ]);
      expect(await who(door, { "x-forwarded-user": "bob", "x-forwarded-groups": "sre" })).toBe(401);
    });
  });

  describe("forged headers", () => {
    const forged = {
      "x-forwarded-user": "ann@example.org",
      "x-forwarded-email": "ann@example.org",
      "x-forwarded-groups": "sre",
    };

    test("of somebody who is no trusted proxy name nobody", async () => {
      const elsewhere = await open({ config: { ...TRUSTING, adminTrustedProxies: ["10.0.0.0/8"] } });
      expect(await who(elsewhere, forged)).toBe(401);
      expect(await who(elsewhere, { ...forged, "x-forwarded-for": "10.0.0.1" })).toBe(401);
      const none = await open({ config: { adminTrustedProxies: ["127.0.0.1"], adminProxyRoles: [] } });
      expect(await who(none, forged)).toBe(401);
    });

    test("that came before those of the proxy name nobody", async () => {
      const door = await open({ config: TRUSTING });
      for (const name of Object.keys(forged)) {
        const twice = { ...forged, [name]: ["ann@example.org", "bob"] };
        expect([name, await who(door, twice)]).toEqual([name, 401]);
      }
    });

    test("with names that are none name nobody", async () => {
      const door = await open({ config: TRUSTING });
      for (const name of ["", "  ", "x".repeat(300), "a\tb", "k\u00e4the", "\u0080"]) {
        expect([name, await who(door, { "x-forwarded-user": name, "x-forwarded-groups": "sre" })]).toEqual([name, 401]);
      }
    });
  });

  describe("from where a request comes", () => {
    const from = async (door: AdminDoor, headers: Readonly<Record<string, string>>): Promise<unknown> =>
      (await door.ask("/api/things", { token: ANN.secret, headers })).body["from"];

    test("is what the trusted proxies say, from the nearest on, up to the first that is not trusted", async () => {
      const door = await open({ config: TRUSTING });
      expect(await from(door, { "x-forwarded-for": "192.0.2.7" })).toBe("192.0.2.7");
      expect(await from(door, { "x-forwarded-for": "203.0.113.9, 192.0.2.7, 10.1.2.3" })).toBe("192.0.2.7");
      expect(await from(door, { "x-forwarded-for": "::ffff:192.0.2.7" })).toBe("192.0.2.7");
      expect(await from(door, { "x-forwarded-for": "192.0.2.7, nonsense" })).toBe("127.0.0.1");
      const untrusting = await open();
      expect(await from(untrusting, { "x-forwarded-for": "192.0.2.7" })).toBe("127.0.0.1");
    });

    test("the cookie is for https alone where the proxy next to us says that it was https", async () => {
      const secure = async (door: AdminDoor, proto: string): Promise<boolean> => {
        const headers = { "x-forwarded-proto": proto };
        const { headers: given } = await door.ask("/api/session", {
          method: "POST",
          body: { token: ANN.secret },
          headers,
        });
        return given["set-cookie"]?.[0]?.includes("; Secure") === true;
      };
      const door = await open({ config: TRUSTING });
      expect([await secure(door, "https"), await secure(door, "https, http")]).toEqual([true, false]);
      expect(await secure(await open(), "https")).toBe(false);
    });
  });

  describe("at this machine, in development", () => {
    const at = (host: string, more: Readonly<Record<string, string>> = {}) => ({ headers: { host, ...more } });

    test("nobody needs a token", async () => {
      const door = await open({ config: { dev: true, adminToken: undefined, adminTokens: [] } });
      for (const host of [`127.0.0.1:${door.port}`, `localhost:${door.port}`, "[::1]:9090"])
        expect((await door.ask("/api/things", at(host))).body).toEqual({
          name: "dev",
          role: "admin",
          way: "dev",
          from: "127.0.0.1",
        });
    });

    test("a page that points its own name at this machine is refused", async () => {
      const door = await open({ config: { dev: true } });
      for (const host of [
        "evil.example",
        `evil.example:${door.port}`,
        "localhost.evil.example",
        "127.0.0.1.evil.example",
      ])
        expect([host, (await door.ask("/api/things", at(host))).status]).toEqual([host, 401]);
    });

    test("a page of another site, or another port, may change nothing and read nothing", async () => {
      const door = await open({ config: { dev: true } });
      const host = `127.0.0.1:${door.port}`;
      expect((await door.ask("/api/things/a", { ...change, ...at(host) })).status).toBe(403);
      expect((await door.ask("/api/things", at(host, { "sec-fetch-site": "same-site" }))).status).toBe(403);
      const csrf = { "x-csrf-token": String((await door.ask("/api/session", at(host))).body["csrf"]) };
      const other = at(host, { ...csrf, origin: "http://127.0.0.1:1" });
      expect((await door.ask("/api/things/a", { ...change, ...other })).status).toBe(403);
      expect((await door.ask("/api/things/a", { ...change, ...at(host, csrf) })).status).toBe(200);
    });

    test("whoever comes through a proxy is somewhere else, and without `dev` everybody is", async () => {
      const door = await open({ config: { dev: true } });
      const host = `127.0.0.1:${door.port}`;
      for (const header of ["x-forwarded-for", "forwarded", "via", "x-real-ip"])
        expect((await door.ask("/api/things", at(host, { [header]: "127.0.0.1" }))).status).toBe(401);
      expect((await (await open()).ask("/api/things", at(host))).status).toBe(401);
    });
  });
});
