// The door of a real worker: through an outage of Redis, beside stalled uploads, while it drains, after it was killed.

import { Agent, request } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ChatLine, ChatLines } from "../../services/cli/lines.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { startProxy } from "../support/proxy.ts";
import { freePort, testRedis } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const MAIN = new URL("../../services/main.ts", import.meta.url);
const HANDLERS = new URL("../fixtures/web", import.meta.url).pathname;
const READY_MS = 30_000;

interface Running {
  readonly process: SpawnedNode;
  readonly url: string;
  readonly adminUrl: string;
}

const closers: (() => Promise<unknown> | void)[] = [];
let namespace = "";
let count = 0;
beforeEach(() => {
  namespace = `door${++count}`;
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function startWorker(redisUrl: string): Promise<Running> {
  const [port, admin] = [await freePort(), await freePort()];
  const process = spawnNode(MAIN, {
    args: ["worker"],
    env: {
      REDIS_URL: redisUrl,
      ANTIPHON_NAMESPACE: namespace,
      ANTIPHON_HANDLERS: HANDLERS,
      ANTIPHON_HTTP_PORT: String(port),
      ANTIPHON_HTTP_HOST: "127.0.0.1",
      ANTIPHON_ADMIN_PORT: String(admin),
      ANTIPHON_ADMIN_HOST: "127.0.0.1",
      LOG_FORMAT: "json",
    },
  });
  closers.push(() => process.end());
  await process.waitForLine("process.started", READY_MS);
  return { process, url: `http://127.0.0.1:${port}`, adminUrl: `http://127.0.0.1:${admin}` };
}

/** Listens to a session and keeps what was said. */
function listen(url: string, session: string): { texts: string[]; lines: ChatLines } {
  const heard: ChatLine[] = [];
  const lines = new ChatLines({
    url,
    session,
    recent: 50,
    clock: systemClock,
    random: Math.random,
    onLine: (line) => heard.push(line),
    onState: () => {},
  });
  const running = lines.run();
  closers.push(async () => {
    lines.stop();
    await running;
  });
  return {
    get texts() {
      return heard.map(({ text }) => text);
    },
    lines,
  };
}

const post = (url: string, body: unknown): Promise<Response> =>
  fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const status = async (url: string): Promise<number> => (await fetch(url)).status;

test("without Redis senders hear so at once, the worker stays up, and all goes on within 2 s of its return", async () => {
  const redis = new URL((await testRedis()).url);
  const proxy = await startProxy(Number(redis.port));
  closers.push(() => proxy.stop());
  const { url, adminUrl, process } = await startWorker(`redis://127.0.0.1:${proxy.port}`);
  const room = listen(url, "away");
  expect((await post(`${url}/hooks/say/away`, { text: "before" })).status).toBe(202);
  await waitFor(() => room.texts.includes("before"), { timeoutMs: 10_000 });
  expect(await status(`${adminUrl}/readyz`)).toBe(200);

  await proxy.refuse();
  await waitFor(async () => (await status(`${adminUrl}/readyz`)) === 503, { timeoutMs: 10_000 });
  expect([await status(`${adminUrl}/livez`), await status(`${adminUrl}/readyz?serving`)]).toEqual([200, 200]);
  const refused = await post(`${url}/hooks/say/away`, { text: "meanwhile" });
  expect([refused.status, Number(refused.headers.get("retry-after")) > 0]).toEqual([503, true]);
  expect(await refused.json()).toMatchObject({ error: { code: "REDIS_UNAVAILABLE" } });
  expect((await post(`${url}/chat/away/messages`, { text: "hello" })).status).toBe(503);

  await proxy.mend();
  await waitFor(async () => (await post(`${url}/hooks/say/away`, { text: "after" })).status === 202);
  await waitFor(() => room.texts.includes("after"), { timeoutMs: 10_000 });
  expect(room.texts).toEqual(["before", "after"]);
  await waitFor(async () => (await status(`${adminUrl}/readyz`)) === 200, { timeoutMs: 10_000 });
  expect(process.child.exitCode).toBeNull();
});

test("a reader whose worker was killed goes on at another one where it stood", async () => {
  const { url: redisUrl } = await testRedis();
  const [one, two] = [await startWorker(redisUrl), await startWorker(redisUrl)];
  const first = listen(one.url, "moved");
  await post(`${one.url}/hooks/say/moved`, { text: "1" });
  await waitFor(() => first.texts.length === 1, { timeoutMs: 10_000 });
  const events = await fetch(`${one.url}/chat/moved/events`);
  const position = /^id: (.+)$/m.exec(new TextDecoder().decode((await readSome(events)).value))?.[1] ?? "";
  await one.process.kill("SIGKILL");
  for (const text of ["2", "3"]) await post(`${two.url}/hooks/say/moved`, { text });
  const second = await fetch(`${two.url}/chat/moved/events`, { headers: { "last-event-id": position } });
  let read = "";
  for await (const bytes of second.body ?? []) {
    read += Buffer.from(bytes).toString();
    if (read.includes('"text":"3"')) break;
  }
  expect([...read.matchAll(/"text":"(\d)"/g)].map(([, text]) => text)).toEqual(["2", "3"]);
});

async function readSome(response: Response): Promise<{ value: Uint8Array }> {
  const reader = response.body?.getReader();
  let text = "";
  while (!text.includes("data:")) {
    const { value, done } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  await reader?.cancel().catch(() => {});
  return { value: new TextEncoder().encode(text) };
}

test("SIGTERM under load: every request is answered 202, each connection is told that it was its last, exit code 0", async () => {
  const { url, process } = await startWorker((await testRedis()).url);
  const statuses = new Map<number, number>();
  const errors: unknown[] = [];
  let closing = 0;
  const sender = async (number: number): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let sent = 0; ; sent++) {
      const body = JSON.stringify({ text: `${number}/${sent} ${"x".repeat(5_000)}` });
      const response = await new Promise<{ status: number; last: boolean }>((resolve, reject) => {
        const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
        const out = request(`${url}/hooks/say/load`, { method: "POST", agent, headers }, (answer) => {
          answer.resume().once("end", () => {
            resolve({ status: answer.statusCode ?? 0, last: answer.headers.connection === "close" });
          });
        });
        out.once("error", reject);
        out.end(body);
      });
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      if (!response.last) continue;
      closing++;
      agent.destroy();
      return;
    }
  };
  const senders = Array.from({ length: 20 }, (_, number) =>
    sender(number).catch((error: unknown) => errors.push(error)),
  );
  await waitFor(() => (statuses.get(202) ?? 0) > 100, { timeoutMs: 20_000 });
  const exit = await process.kill("SIGTERM");
  await Promise.all(senders);
  expect(errors).toEqual([]);
  expect([...statuses.keys()]).toEqual([202]);
  expect(closing).toBe(20);
  expect(exit.code).toBe(0);
});

describe("a hundred stalled uploads", () => {
  test("harm neither webhooks nor chat", async () => {
    const { url } = await startWorker((await testRedis()).url);
    const port = Number(new URL(url).port);
    const head =
      "POST /hooks/say/x HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 71000\r\n\r\n";
    for (let number = 0; number < 100; number++) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(head + (number % 2 === 0 ? "" : "x".repeat(40_000)));
      closers.push(() => void socket.destroy());
    }
    const room = listen(url, "stalled");
    const large = { text: "good", rest: "x".repeat(71_000) };
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => (await post(`${url}/hooks/say/stalled`, large)).status),
    );
    expect(new Set(answers)).toEqual(new Set([202]));
    await room.lines.send("antiphon ping");
    await waitFor(() => room.texts.filter((text) => text === "good").length === 50 && room.texts.includes("pong"), {
      timeoutMs: 20_000,
    });
  });
});
