// The door: what is refused is refused with the right words and leaves nothing behind; what is answered 202 is stored.

import { createHmac } from "node:crypto";
import { Agent, request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { defineHandler } from "../../../services/sdk/index.ts";
import { type Door, doorIsOpen, openDoor } from "../../support/http-door.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const SECRET = "it's a secret";
let ran = 0;

const hooks = defineHandler({
  name: "hooks",
  routes: (r) => ({
    plain: r.post("/hooks/plain/:repo", { run: () => void ran++ }),
    signed: r.post("/hooks/signed", {
      hmac: { header: "x-hub-signature-256", secret: () => SECRET },
      dedupe: { header: "x-github-delivery", ttl: "1h" },
      run: () => {},
    }),
    strict: r.post("/hooks/strict", { body: z.object({ n: z.number() }), parse: "before", run: () => {} }),
    small: r.put("/hooks/small", { limit: 100, run: () => {} }),
    ask: r.get("/hooks/ask", { dedupe: { header: "x-id" }, run: () => {} }),
    placed: r.post("/hooks/placed", { queue: "ci", tag: "gpu", class: 3, run: () => {} }),
    keyed: r.post("/hooks/keyed", { key: ({ query }) => String(query["room"]), run: () => {} }),
  }),
});

const JSON_TYPE = { "content-type": "application/json" };

eachServer((server, getUrl) => {
  describe("webhooks", () => {
    let door: Door;
    beforeAll(async () => {
      door = await openDoor({ redisUrl: getUrl(), namespace: `hooks-${server}`, handlers: [hooks] });
      await doorIsOpen(door);
    });
    afterAll(() => door.stop());

    const post = (path: string, body: BodyInit, headers: Record<string, string> = JSON_TYPE, method = "POST") =>
      fetch(`${door.url}${path}`, { method, body, headers });
    const refused = async (response: Response): Promise<[number, string]> => {
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      expect(typeof error.message).toBe("string");
      return [response.status, error.code];
    };
    const sign = (body: string) => `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
    const count = async () => (await door.stored("default")).length;

    it("answers 202 with an id once the raw body is stored, byte for byte", async () => {
      const before = await count();
      const response = await post("/hooks/plain/a%20b?x=1&y=%C3%A4", '{"not json": \u0000"ü');
      expect(response.status).toBe(202);
      expect(await response.json()).toEqual({ id: expect.stringMatching(/^[0-9a-z]+$/) });
      const all = await door.stored("default");
      expect(all.length).toBe(before + 1);
      const { header, payload } = all.at(-1) ?? {};
      expect(payload).toBe('{"not json": \u0000"ü');
      expect(header).toMatchObject({
        v: 1,
        kind: "webhook",
        route: "hooks.plain",
        request: { method: "POST", path: "/hooks/plain/a%20b", search: "x=1&y=%C3%A4", params: { repo: "a b" } },
      });
      expect(ran).toBe(0);
    });

    it("stores it where the route says, in the class it says", async () => {
      expect((await post("/hooks/placed", "{}")).status).toBe(202);
      expect((await door.stored("ci+gpu")).map(({ header }) => header["route"])).toEqual(["hooks.placed"]);
      expect(await door.redis.llen(`${door.keys.queue("ci+gpu")}:w3`)).toBe(1);
    });

    it("stores bodies of every size up to the limit, and those that come in pieces", async () => {
      for (const bytes of [0, 1, 2047, 2048, 70_000, 1024 * 1024]) {
        const body = "x".repeat(bytes);
        expect((await post("/hooks/plain/sizes", body)).status).toBe(202);
        expect((await door.stored("default")).at(-1)?.payload).toBe(body);
      }
      const pieces = new ReadableStream({
        async start(controller) {
          for (const piece of ["one ", "two ", "three"]) {
            controller.enqueue(Buffer.from(piece));
            await new Promise((resolve) => setImmediate(resolve));
          }
          controller.close();
        },
      });
      const init = { method: "POST", body: pieces, duplex: "half", headers: JSON_TYPE } as RequestInit;
      expect((await fetch(`${door.url}/hooks/plain/pieces`, init)).status).toBe(202);
      expect((await door.stored("default")).at(-1)?.payload).toBe("one two three");
    });

    it("refuses a wrong signature, size, content type and path, and stores nothing", async () => {
      const before = await count();
      const body = '{"a":1}';
      expect(await refused(await post("/hooks/signed", body))).toEqual([401, "UNAUTHORIZED"]);
      const wrong = { ...JSON_TYPE, "x-hub-signature-256": sign(`${body} `) };
      expect(await refused(await post("/hooks/signed", body, wrong))).toEqual([401, "UNAUTHORIZED"]);
      expect(await refused(await post("/hooks/plain/x", body, { "content-type": "image/png" }))).toEqual([
        415,
        "CONTENT_TYPE_UNKNOWN",
      ]);
      expect(await refused(await post("/hooks/plain/x", body, { "content-type": "nonsense" }))).toEqual([
        415,
        "CONTENT_TYPE_UNKNOWN",
      ]);
      expect(await refused(await post("/hooks/none", body))).toEqual([404, "NOT_FOUND"]);
      expect(await refused(await post("/hooks/ask", body))).toEqual([404, "NOT_FOUND"]);
      expect(await refused(await post("/hooks/small", "x".repeat(101), JSON_TYPE, "PUT"))).toEqual([
        413,
        "BODY_TOO_LARGE",
      ]);
      expect(await refused(await post("/hooks/plain/x", "x".repeat(1024 * 1024 + 1)))).toEqual([413, "BODY_TOO_LARGE"]);
      expect(await refused(await fetch(`${door.url}/hooks/%zz`))).toEqual([400, "REQUEST_INVALID"]);
      expect(await count()).toBe(before);
    });

    it("refuses a body that turns out too long, and the connection goes on", async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const send = (bytes: number): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          const out = request(`${door.url}/hooks/small`, { method: "PUT", agent, headers: JSON_TYPE }, (response) => {
            response.resume().once("end", () => resolve(response.statusCode));
          });
          out.once("error", reject);
          for (let sent = 0; sent < bytes; sent += 50) out.write("x".repeat(50));
          out.end();
        });
      expect(await send(5_000)).toBe(413);
      expect(await send(100)).toBe(202);
      agent.destroy();
    });

    it("takes a right signature, and answers a repeat with the first one's id", async () => {
      const before = await count();
      const body = '{"zen":"ü"}';
      const headers = { ...JSON_TYPE, "x-hub-signature-256": sign(body), "x-github-delivery": "guid-1" };
      const [first, second] = [await post("/hooks/signed", body, headers), await post("/hooks/signed", body, headers)];
      expect([first.status, second.status]).toEqual([202, 202]);
      expect(await second.json()).toEqual(await first.json());
      const other = await post("/hooks/signed", body, { ...headers, "x-github-delivery": "guid-2" });
      expect(other.status).toBe(202);
      expect(await count()).toBe(before + 2);
    });

    it("knows repeats by the usual headers where the route names none, and keeps routes apart", async () => {
      const headers = { ...JSON_TYPE, "x-github-delivery": "guid-9" };
      const answers = [];
      for (const path of ["/hooks/plain/a", "/hooks/plain/a", "/hooks/keyed?room=x"]) {
        answers.push(((await (await post(path, "{}", headers)).json()) as { id: string }).id);
      }
      expect(answers[1]).toBe(answers[0]);
      expect(answers[2]).not.toBe(answers[0]);
    });

    it("answers a repeated GET with the first id too", async () => {
      const ask = async () => (await fetch(`${door.url}/hooks/ask?a=1`, { headers: { "x-id": "same" } })).json();
      expect(await ask()).toEqual(await ask());
    });

    it("parses at the door only where the route says so", async () => {
      const before = await count();
      expect(await refused(await post("/hooks/strict", "{"))).toEqual([400, "INPUT_INVALID"]);
      expect(await refused(await post("/hooks/strict", '{"n":"1"}'))).toEqual([400, "INPUT_INVALID"]);
      expect(await count()).toBe(before);
      expect((await post("/hooks/strict", '{"n":1}')).status).toBe(202);
      expect((await post("/hooks/plain/x", "{")).status).toBe(202);
    });

    it("does not run a GET for a HEAD", async () => {
      const before = await count();
      expect((await fetch(`${door.url}/hooks/ask`, { method: "HEAD" })).status).toBe(404);
      expect(await count()).toBe(before);
    });

    it("says that each answer is the last of its connection once it drains", async () => {
      const own = await openDoor({ redisUrl: getUrl(), namespace: `drain-${server}`, handlers: [hooks] });
      await doorIsOpen(own);
      const send = () => fetch(`${own.url}/hooks/plain/x`, { method: "POST", body: "{}", headers: JSON_TYPE });
      expect((await send()).headers.get("connection")).toBe("keep-alive");
      own.publicServer.drain();
      const last = await send();
      expect([last.status, last.headers.get("connection")]).toEqual([202, "close"]);
      const begun = performance.now();
      await own.stop();
      expect(performance.now() - begun).toBeLessThan(4_000);
      await expect(send()).rejects.toThrow();
    });
  });
});

describe("a queue at its limit, a Redis that is away", () => {
  it("answers 503 with Retry-After", async () => {
    const { testRedis } = await import("../../support/redis.ts");
    const { url } = await testRedis();
    const full = await openDoor({
      redisUrl: url,
      namespace: "full",
      handlers: [hooks],
      env: { ANTIPHON_QUEUE_LIMIT: "1" },
    });
    await doorIsOpen(full);
    const send = (door: Door) => fetch(`${door.url}/hooks/plain/x`, { method: "POST", body: "{}", headers: JSON_TYPE });
    expect((await send(full)).status).toBe(202);
    const response = await send(full);
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ error: { code: "QUEUE_FULL" } });
    await full.stop();

    const away = await openDoor({ redisUrl: "redis://127.0.0.1:1", namespace: "away", handlers: [hooks] });
    await waitFor(async () => {
      const begun = performance.now();
      const answer = await send(away);
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await answer.json()).toEqual({ error: { code: "REDIS_UNAVAILABLE", message: "Redis does not answer." } });
      return performance.now() - begun < 50;
    });
    const chat = await fetch(`${away.url}/chat/lobby/messages`, {
      method: "POST",
      body: '{"text":"hi"}',
      headers: JSON_TYPE,
    });
    expect([chat.status, chat.headers.has("retry-after")]).toEqual([503, true]);
    expect((await fetch(`${away.url}/chat/lobby/events`)).status).toBe(503);
    await away.stop();
  });
});

describe("a durability that is not proven", () => {
  it("answers 503, and until then holds up nobody: many more than are read at once are stored meanwhile", async () => {
    const { testRedis } = await import("../../support/redis.ts");
    const env = { ANTIPHON_DURABILITY: "replica" };
    const door = await openDoor({ redisUrl: (await testRedis()).url, namespace: "unproven", handlers: [hooks], env });
    try {
      await doorIsOpen(door);
      let answered = 0;
      const all = Array.from({ length: 60 }, async (_, index) => {
        const body = JSON.stringify({ index });
        const response = await fetch(`${door.url}/hooks/plain/x`, { method: "POST", body, headers: JSON_TYPE });
        answered++;
        return [response.status, ((await response.json()) as { error: { code: string } }).error.code];
      });
      await waitFor(async () => (await door.stored("default")).length === 60);
      expect(answered).toBe(0);
      expect(await Promise.all(all)).toEqual(all.map(() => [503, "DURABILITY_UNMET"]));
      expect((await door.stored("default")).length).toBe(60);
    } finally {
      await door.stop();
    }
  });
});
