// Wrong tokens, masses of them, tokens of a file, and a Redis that is away.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { blockOf, TRIES_MAX } from "../../../services/admin/access/tries.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { ADMIN, type AdminDoor, adminDoors, ANN, WALL } from "../../support/admin-door.ts";
import { eachServer } from "../../support/redis.ts";

test("whoever has one IPv6 address has all of its /64, and is one", () => {
  expect(blockOf("2001:db8::1")).toBe(blockOf("2001:0db8:0:0:ffff::7"));
  expect(blockOf("2001:db8::1")).not.toBe(blockOf("2001:db8:0:1::1"));
  expect([blockOf("::1"), blockOf("192.0.2.7")]).toEqual(["0:0:0:0", "192.0.2.7"]);
});

eachServer((_name, getUrl) => {
  const { open, client } = adminDoors(getUrl);

  describe("wrong tokens", () => {
    const bearer = async (door: AdminDoor, token: string, from = "192.0.2.7"): Promise<number> =>
      (await door.ask("/api/things", { token, headers: { "x-forwarded-for": from } })).status;
    const config = { adminTrustedProxies: ["127.0.0.1"] };

    test("of one address are counted by all pods together; then the right one is not looked at either", async () => {
      const failed: object[] = [];
      const emit = (name: string, fields: object) => void (name === "admin.login-failed" && failed.push(fields));
      const door = await open({ config, emit });
      const other = await open({ config, emit, namespace: door.namespace });
      for (let tries = 0; tries < TRIES_MAX; tries++)
        expect(await bearer(tries % 2 === 0 ? door : other, `wrong-${tries}`)).toBe(401);
      expect(failed).toHaveLength(TRIES_MAX);
      expect(failed.at(-1)).toEqual({ from: "192.0.2.7", tries: TRIES_MAX });
      for (const pod of [door, other]) {
        expect(await bearer(pod, ADMIN)).toBe(429);
        const login = { method: "POST", body: { token: ADMIN }, headers: { "x-forwarded-for": "192.0.2.7" } };
        const { status, headers, body } = await pod.ask("/api/session", login);
        expect([status, body.error?.code]).toEqual([429, "TOO_MANY_REQUESTS"]);
        expect(Number(headers["retry-after"])).toBeGreaterThan(200);
      }
      expect(await bearer(door, ADMIN, "192.0.2.8")).toBe(200);
      await client().del(door.keys.adminTries("192.0.2.7"));
      expect(await bearer(door, ADMIN)).toBe(200);
    });

    test("whoever claims to come from elsewhere each time, and is no proxy, is counted all the same", async () => {
      const door = await open();
      for (let tries = 0; tries < TRIES_MAX; tries++) await bearer(door, "wrong", `192.0.2.${tries}`);
      expect(await bearer(door, ADMIN, "192.0.2.99")).toBe(429);
    });

    test("a session that exists goes on", async () => {
      const door = await open();
      const ann = await door.login(ANN.secret);
      for (let tries = 0; tries <= TRIES_MAX; tries++) await bearer(door, "wrong");
      expect((await door.ask("/api/things", { headers: { ...ann } })).status).toBe(200);
    });

    test("right tokens do not make wrong ones forgotten", async () => {
      const door = await open();
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        await bearer(door, "wrong");
        await bearer(door, WALL.secret);
      }
      expect(await bearer(door, "wrong")).toBe(429);
    });
  });

  describe("masses and nonsense", () => {
    test("oversized tokens, bodies and headers are refused, and the next request is answered", async () => {
      const door = await open();
      const login = async (token: unknown): Promise<number> =>
        (await door.ask("/api/session", { method: "POST", body: { token } })).status;
      expect(await login("x".repeat(1_025))).toBe(400);
      expect(await login("x".repeat(1_000_000))).toBe(413);
      for (const token of ["", null, {}, [ADMIN, ADMIN]]) expect(await login(token)).toBe(400);
      expect((await door.ask("/api/things", { token: "x".repeat(8_000) })).status).toBe(401);
      expect((await door.ask("/api/things", { token: "x".repeat(20_000) })).status).toBe(431);
      expect((await door.ask("/api/things", { token: ADMIN })).status).toBe(200);
    });

    test("other schemes, several tokens and tokens with more behind them are nobody's", async () => {
      const door = await open();
      for (const authorization of [
        "Basic YWRtaW46YWRtaW4=",
        "Bearer",
        "Bearer ",
        ADMIN,
        `Bearer ${ADMIN} x`,
        `Bearer ${ADMIN},`,
      ]) {
        expect([authorization, (await door.ask("/api/things", { headers: { authorization } })).status]).toEqual([
          authorization,
          401,
        ]);
        await client().del(door.keys.adminTries("127.0.0.1"));
      }
      const login = { method: "POST", body: { token: ANN.secret, role: "admin", name: "admin" } };
      expect((await door.ask("/api/session", login)).body).toMatchObject({ name: "ann", role: "operator" });
    });

    test.each([
      [
        "a line break in a header",
        `GET /api/things HTTP/1.1\r\nHost: x\r\nX-Forwarded-User: a\rX-Forwarded-Groups: sre\r\n\r\n`,
      ],
      ["a NUL in a header", `GET /api/things HTTP/1.1\r\nHost: x\r\nX-Forwarded-User: a\0b\r\n\r\n`],
      ["two lengths", `POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    ])("%s gets nowhere", async (_what, bytes) => {
      const config = {
        dev: true,
        adminTrustedProxies: ["127.0.0.1"],
        adminProxyRoles: [{ who: "everybody", name: "", role: "admin" }],
      } as const;
      const door = await open({ config });
      const socket = createConnection({ host: "127.0.0.1", port: door.port });
      await once(socket, "connect");
      socket.write(bytes);
      const [answer] = (await once(socket, "data")) as [Buffer];
      socket.destroy();
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 /);
    });
  });

  describe("tokens of a file", () => {
    let folder = "";
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "antiphon-tokens-"));
    });
    afterEach(() => rm(folder, { recursive: true }));

    test("count as those of the settings do, from the moment when the file changes", async () => {
      let passed = 0;
      const clock = { ...systemClock, monotonic: () => performance.now() + passed };
      const told: unknown[] = [];
      const emit = (name: string, fields: object) => void (name === "admin.tokens-unread" && told.push(fields));
      const file = join(folder, "tokens");
      const door = await open({ clock, emit, config: { adminTokensFile: file } });
      const who = async (token: string): Promise<unknown> => {
        passed += 3_000;
        const { status, body } = await door.ask("/api/things", { token });
        await client().del(door.keys.adminTries("127.0.0.1"));
        return status === 200 ? `${body["name"]} ${body["role"]}` : status;
      };
      const bob = "secret-of-bob-0123456789";
      expect([await who(bob), await who(ANN.secret)]).toEqual([401, "ann operator"]);
      expect(told).toEqual([{ file, problem: expect.stringContaining("ENOENT") }]);
      await writeFile(file, `# people\n\nbob:viewer:${bob}\nshort:admin:short\nann:admin:secret-of-another-ann\n`);
      expect([await who(bob), await who("short"), await who("secret-of-another-ann")]).toEqual([
        "bob viewer",
        401,
        401,
      ]);
      expect(told.slice(1)).toEqual([
        { file, problem: expect.stringContaining("Line 4") },
        { file, problem: expect.stringContaining("Line 5") },
      ]);
      await writeFile(file, `bob:operator:${bob}`);
      expect(await who(bob)).toBe("bob operator");
      await rm(file);
      expect([await who(bob), await who(ADMIN)]).toEqual([401, "admin admin"]);
      expect(JSON.stringify(told)).not.toContain("another-ann");
    });
  });

  test("while Redis is away who has a session is not told that they have none, a token counts, and wrong ones are limited", async () => {
    const away = openRedis({ url: "redis://127.0.0.1:1", name: "away", purpose: "commands", onState: () => {} });
    try {
      const door = await open();
      const ann = await door.login(ANN.secret);
      const dark = await open({ client: away, namespace: door.namespace });
      const { status, body } = await dark.ask("/api/things", { headers: { ...ann } });
      expect([status, body.error?.code]).toEqual([503, "REDIS_UNAVAILABLE"]);
      expect((await dark.ask("/api/session", { method: "POST", body: { token: ADMIN } })).status).toBe(503);
      expect((await dark.ask("/api/things", { token: ADMIN })).status).toBe(200);
      for (let tries = 0; tries < TRIES_MAX; tries++)
        expect((await dark.ask("/api/things", { token: "wrong" })).status).toBe(401);
      expect((await dark.ask("/api/things", { token: ADMIN })).status).toBe(429);
    } finally {
      await closeRedis(away);
    }
  });
});
