// The audit log: each change is in it, with what came of it; what cannot be told is not done.

import { describe, expect, test } from "vitest";
import { Audit, AUDIT_CHANNEL, type Change } from "../../../services/admin/audit.ts";
import { targetOf } from "../../../services/admin/audit-target.ts";
import type { BusMessage } from "../../../services/bus/message.ts";
import { RedisBackend } from "../../../services/bus/redis-backend.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { AntiphonError } from "../../../services/runtime/errors.ts";
import { ADMIN, type AdminDoor, adminDoors, ANN, WALL } from "../../support/admin-door.ts";
import { eachServer } from "../../support/redis.ts";

const CHANGE: Change = { who: "ann", role: "operator", way: "token", action: "thing.change", target: "a", from: "::1" };
const post = { method: "POST", body: {} };

eachServer((_name, getUrl) => {
  const { open, client } = adminDoors(getUrl);

  const said = async ({ audit }: AdminDoor): Promise<string[]> => {
    const { items } = await audit.list({ limit: 50 });
    return items.map(({ who, role, way, action, target, outcome, status }) =>
      [who, role, way, action, target, outcome, status].join(" "),
    );
  };

  describe("over HTTP", () => {
    test("each change is there, with who, what and what came of it; what was only looked at is not", async () => {
      const door = await open();
      await door.ask("/api/things/a", { ...post, token: ANN.secret, body: { route: "x", apiToken: "s3cret" } });
      await door.ask("/api/things", { token: ANN.secret });
      await door.ask("/api/failing", { ...post, token: ANN.secret });
      await door.ask("/api/refusing", { ...post, token: ANN.secret });
      expect(await said(door)).toEqual([
        "ann operator token thing.refuse  refused 404",
        "ann operator token thing.fail  failed 500",
        'ann operator token thing.change a {"route":"x","apiToken":"***"} done 200',
      ]);
      const { items } = await door.audit.list({ limit: 1 });
      expect(items[0]).toMatchObject({ from: "127.0.0.1", at: expect.stringMatching(/^20\d\d-.*Z$/) });
    });

    test("logins and logouts are there; who may not make a change cannot fill it", async () => {
      const door = await open();
      const ann = await door.login(ANN.secret);
      await door.ask("/api/session", { method: "POST", body: { token: "wrong" } });
      await door.ask("/api/things/a", { ...post, token: WALL.secret });
      await door.ask("/api/things/a", { ...post });
      await door.ask("/api/session", { method: "DELETE", headers: { ...ann } });
      expect(await said(door)).toEqual([
        "ann operator login session.logout  done 200",
        "ann operator login session.login  done 200",
      ]);
    });

    test("a change whose entry cannot be written is not made", async () => {
      const door = await open();
      await client().set(`${door.keys.audit()}:open`, "no set");
      const { status } = await door.ask("/api/things/a", { ...post, token: ADMIN });
      expect([status >= 500, door.changes]).toEqual([true, 0]);
      await client().del(`${door.keys.audit()}:open`);
      expect((await door.ask("/api/things/a", { ...post, token: ADMIN })).status).toBe(200);
      const away = openRedis({ url: "redis://127.0.0.1:1", name: "away", purpose: "commands", onState: () => {} });
      try {
        const dark = await open({ client: away });
        expect((await dark.ask("/api/things/a", { ...post, token: ADMIN })).status).toBe(503);
        expect(dark.changes).toBe(0);
      } finally {
        await closeRedis(away);
      }
    });

    test("a change that was made and could not be told any more is answered, and told as unknown later", async () => {
      let offset = 0;
      const told: string[] = [];
      const door = await open({ offsetMs: () => offset, emit: (name) => void told.push(name) });
      door.onChange = () => client().set(door.keys.audit(), "no stream");
      expect((await door.ask("/api/things/a", { ...post, token: ADMIN })).status).toBe(200);
      expect(told).toEqual(["admin.audit-unclosed"]);
      await client().del(door.keys.audit());
      expect(await said(door)).toEqual([]);
      offset = 15 * 60_000 + 1;
      expect(await said(door)).toEqual(["admin admin token thing.change a unknown 0"]);
      expect(await said(door)).toHaveLength(1);
    });
  });

  describe("the log", () => {
    test("holds so many entries and for so long, and is read page by page, newest first", async () => {
      let offset = 0;
      const door = await open({ offsetMs: () => offset });
      for (let n = 0; n < 103; n++) await door.audit.record({ ...CHANGE, target: String(n) });
      const first = await door.audit.list({ limit: 60 });
      const second = await door.audit.list({ limit: 60, before: first.cursor ?? "" });
      expect([...first.items, ...second.items].map(({ target }) => target)).toEqual(
        Array.from({ length: 100 }, (_, n) => String(102 - n)),
      );
      expect(second.cursor).toBeUndefined();
      offset = 31 * 86_400_000;
      expect((await door.audit.list({ limit: 10 })).items).toEqual([]);
      await door.audit.record(CHANGE);
      expect(await client().xlen(door.keys.audit())).toBe(1);
      expect(await client().pttl(door.keys.audit())).toBeGreaterThan(29 * 86_400_000);
    });

    test("a cursor that is none is refused, whatever is in it", async () => {
      const { audit } = await open();
      for (const before of ["", "x", "1-1 COUNT 9", "-", `${"9".repeat(30)}-1`])
        await expect(audit.list({ limit: 1, before })).rejects.toThrow(AntiphonError);
    });

    test("what is open is limited", async () => {
      const { audit, keys } = await open();
      const members = Array.from({ length: 1_000 }, (_, n) => [Date.now(), JSON.stringify({ ...CHANGE, n })]).flat();
      await client().zadd(`${keys.audit()}:open`, ...(members as [number, string]));
      await expect(audit.begin(CHANGE)).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS" });
    });

    test("two who find the same change given up tell it once", async () => {
      let offset = 0;
      const door = await open({ offsetMs: () => offset });
      const other = new Audit({
        client: client(),
        keys: door.keys,
        length: 100,
        days: 30,
        clockOffsetMs: () => offset,
      });
      await door.audit.begin(CHANGE);
      offset = 16 * 60_000;
      await Promise.all([door.audit.record(CHANGE), other.record(CHANGE), other.list({ limit: 1 })]);
      expect((await said(door)).filter((line) => line.includes("unknown"))).toHaveLength(1);
    });

    test("a clock that goes back loses nothing and mixes nothing up", async () => {
      let offset = 60_000;
      const door = await open({ offsetMs: () => offset });
      await door.audit.record({ ...CHANGE, target: "1" });
      offset = 0;
      for (const target of ["2", "3"]) await door.audit.record({ ...CHANGE, target });
      expect((await door.audit.list({ limit: 9 })).items.map(({ target }) => target)).toEqual(["3", "2", "1"]);
    });
  });

  test("each entry is on the channel of the bus, as it is in the log", async () => {
    const door = await open();
    await door.audit.record({ ...CHANGE, target: 'hostile </script>\n"\u0000' });
    const backend = new RedisBackend({ commands: client(), subscriber: client(), keys: door.keys });
    const { messages } = await backend.recent(AUDIT_CHANNEL, 10);
    const { items } = await door.audit.list({ limit: 10 });
    expect(messages.map(({ data }: BusMessage) => JSON.parse(data.toString()) as unknown)).toEqual(items);
  });
});

describe("what is said of a change", () => {
  test("names what it is about and what was asked, without secrets and without what handlers are given", () => {
    const body = { password: "a", options: { api_key: "b", queue: "q" }, input: { person: "ann" }, tags: ["x"] };
    expect(targetOf({ params: { name: "default" }, query: {}, body })).toBe(
      'default {"password":"***","options":{"api_key":"***","queue":"q"},"input":"(16 characters)","tags":["x"]}',
    );
  });

  test("is short, however much was sent", () => {
    const wide = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`k${n}`, "x".repeat(1_000)]));
    expect(targetOf({ body: wide })).toHaveLength(500);
    expect(targetOf({ body: { ids: Array.from({ length: 50 }, (_, n) => n) } })).toContain('"… 50 in all"');
    expect(targetOf({ body: { a: { b: { c: { d: 1 } } } } })).toBe('{"a":{"b":{"c":"…"}}}');
    expect(targetOf({ params: undefined, query: null, body: undefined })).toBe("");
  });
});
