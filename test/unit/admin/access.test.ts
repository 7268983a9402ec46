// Who may what at the admin server, and that nobody else may: on a real socket and a real Redis.

import { describe, expect, test } from "vitest";
import { systemClock } from "../../../services/runtime/clock.ts";
import { ADMIN, adminDoors, ANN, WALL } from "../../support/admin-door.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, getUrl) => {
  const { open, client: getClient } = adminDoors(getUrl);

  describe("roles", () => {
    test("a route without a role is refused to everybody, an admin too", async () => {
      const door = await open();
      for (const token of [undefined, WALL.secret, ADMIN]) {
        const { status, body } = await door.ask("/api/forgotten", token === undefined ? {} : { token });
        expect(status).toBe(token === undefined ? 401 : 403);
        expect(body).not.toHaveProperty("everything");
      }
    });

    test("without a token nothing but what is public is answered", async () => {
      const door = await open();
      const { status, headers, body } = await door.ask("/api/things");
      expect([status, body.error?.code, headers["www-authenticate"]]).toEqual([401, "UNAUTHORIZED", "Bearer"]);
      expect((await door.ask("/")).body).toEqual({ page: true });
    });

    test("each role may what it may, and no more", async () => {
      const door = await open();
      const may = async (token: string): Promise<number[]> => {
        const asked = [
          await door.ask("/api/things", { token }),
          await door.ask("/api/things/a", { token, method: "POST", body: {} }),
          await door.ask("/api/secrets", { token, method: "POST", body: {} }),
        ];
        return asked.map(({ status }) => status);
      };
      expect(await may(WALL.secret)).toEqual([200, 403, 403]);
      expect(await may(ANN.secret)).toEqual([200, 200, 403]);
      expect(await may(ADMIN)).toEqual([200, 200, 200]);
      expect((await door.ask("/api/things", { token: ANN.secret })).body).toEqual({
        name: "ann",
        role: "operator",
        way: "token",
        from: "127.0.0.1",
      });
    });
  });

  describe("the login", () => {
    const change = { method: "POST", body: {} };

    test("whoever logs in is known to every pod by a cookie that no script reads and no other site sends", async () => {
      const door = await open();
      const other = await open({ namespace: door.namespace });
      const { status, headers, body } = await door.ask("/api/session", { method: "POST", body: { token: ANN.secret } });
      const [set = ""] = headers["set-cookie"] ?? [];
      expect([status, body["name"], body["role"]]).toEqual([200, "ann", "operator"]);
      expect(set).toMatch(/^antiphon-[0-9a-f]{8}=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
      const cookie = set.split(";")[0] ?? "";
      const seen = await other.ask("/api/session", { headers: { cookie } });
      expect(seen.body).toEqual({ name: "ann", role: "operator", way: "login", csrf: body["csrf"] });
      const csrf = { "x-csrf-token": String(body["csrf"]) };
      expect((await other.ask("/api/things/a", { ...change, headers: { cookie, ...csrf } })).status).toBe(200);
      expect((await other.ask("/api/secrets", { ...change, headers: { cookie, ...csrf } })).status).toBe(403);
    });

    test("what lies in Redis is neither the cookie nor the token, and helps to neither", async () => {
      const door = await open();
      const { cookie } = await door.login(ANN.secret);
      const keys = (await getClient().keys(`${door.keys.tag}*`)).toSorted();
      const values = await Promise.all(keys.map(async (key) => JSON.stringify(await dump(key))));
      const all = [...keys, ...values].join();
      expect(all).toContain("ann");
      for (const secret of [ANN.secret, cookie.split("=")[1] ?? ""]) expect(all).not.toContain(secret);
    });

    test("a cookie without its page's header changes nothing, nor with the header of another session", async () => {
      const door = await open();
      const ann = await door.login(ANN.secret);
      const admin = await door.login(ADMIN);
      for (const csrf of [undefined, "", "x", admin["x-csrf-token"]]) {
        const headers = { cookie: ann.cookie, ...(csrf !== undefined && { "x-csrf-token": csrf }) };
        expect((await door.ask("/api/things/a", { ...change, headers })).status).toBe(403);
      }
      expect(door.changes).toBe(0);
      expect((await door.ask("/api/things/a", { ...change, headers: { ...ann } })).status).toBe(200);
    });

    test("a page of another site is refused, whatever it sends, and may not log anybody in", async () => {
      const door = await open();
      const ann = await door.login(ANN.secret);
      const foreign = [
        { origin: "https://evil.example" },
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
      ];
      for (const headers of [...foreign, { origin: "null" }]) {
        expect((await door.ask("/api/things/a", { ...change, headers: { ...ann, ...headers } })).status).toBe(403);
        const login = { method: "POST", body: { token: ANN.secret }, headers };
        expect((await door.ask("/api/session", login)).status).toBe(403);
      }
      const own = { origin: `http://127.0.0.1:${door.port}`, "sec-fetch-site": "same-origin" };
      expect((await door.ask("/api/things/a", { ...change, headers: { ...ann, ...own } })).status).toBe(200);
      for (const headers of foreign.slice(1))
        expect((await door.ask("/api/things", { headers: { ...ann, ...headers } })).status).toBe(403);
    });

    test("a session that was logged out is replayed at no pod", async () => {
      const door = await open();
      const other = await open({ namespace: door.namespace });
      const ann = await door.login(ANN.secret);
      const { status, headers } = await door.ask("/api/session", { method: "DELETE", headers: { ...ann } });
      expect([status, headers["set-cookie"]?.[0]]).toEqual([200, expect.stringContaining("Max-Age=0")]);
      for (const pod of [door, other]) expect((await pod.ask("/api/things", { headers: { ...ann } })).status).toBe(401);
    });

    test("a login ends the session that was there before", async () => {
      const door = await open();
      const ann = await door.login(ANN.secret);
      await door.login(WALL.secret, { cookie: ann.cookie });
      expect((await door.ask("/api/things", { headers: { ...ann } })).status).toBe(401);
    });

    test("forged cookies are nobody's", async () => {
      const door = await open();
      const { cookie } = await door.login(ANN.secret);
      const [name = "", id = ""] = cookie.split("=");
      const forged = [
        `${name}=`,
        `${name}=${id}x`,
        `${name}=${id.slice(1)}`,
        `${name}=${"A".repeat(43)}`,
        `x${name}=${id}`,
      ];
      const long = `${name}=${"A".repeat(8_000)}`;
      for (const one of [...forged, long, `${name}=${"A".repeat(43)}; ${cookie}`, "=;;=,"])
        expect([one, (await door.ask("/api/things", { headers: { cookie: one } })).status]).toEqual([one, 401]);
      expect((await door.ask("/api/things", { headers: { cookie: `a=1; ${cookie}; b=2` } })).status).toBe(200);
    });

    test("a session ends when it was idle for half a day, when it is a week old, and when its token is another one", async () => {
      let now = Date.now();
      const clock = { ...systemClock, now: () => now };
      const door = await open({ clock });
      const ann = await door.login(ANN.secret);
      const [key = ""] = await getClient().keys(`${door.keys.tag}:admin:s:*`);
      await getClient().pexpire(key, 1_000);
      expect((await door.ask("/api/things", { headers: { ...ann } })).status).toBe(200);
      expect(await getClient().pttl(key)).toBeGreaterThan(12 * 3_600_000 - 60_000);
      now += 7 * 24 * 3_600_000;
      expect((await door.ask("/api/things", { headers: { ...ann } })).status).toBe(401);
      now -= 7 * 24 * 3_600_000;
      const changed = { ...ANN, secret: "another-secret-0123456789" };
      const later = await open({ namespace: door.namespace, clock, config: { adminTokens: [changed] } });
      expect((await later.ask("/api/things", { headers: { ...ann } })).status).toBe(401);
      const demoted = { ...ANN, role: "viewer" } as const;
      const last = await open({ namespace: door.namespace, clock, config: { adminTokens: [demoted] } });
      expect((await last.ask("/api/session", { headers: { ...ann } })).body).toMatchObject({ role: "viewer" });
    });
  });

  const dump = async (key: string): Promise<unknown> =>
    (await getClient().type(key)) === "hash" ? getClient().hgetall(key) : getClient().dump(key);
});
