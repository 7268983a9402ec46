// Real handler threads and quarantine children: what they load, how they answer, how they end.

import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { Claims } from "../../../services/broker/claims.ts";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { Producer } from "../../../services/broker/producer.ts";
import { readRoutes } from "../../../services/broker/routes.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { packRuns } from "../../../services/worker/packing.ts";
import type { FromThread, Settled, ThreadData } from "../../../services/worker/protocol.ts";
import { SlotMemory } from "../../../services/worker/slots.ts";
import { childSpawner, type Host, type Spawn, threadSpawner } from "../../../services/worker/threads.ts";
import { testRedis } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const LIMITS = { oldMb: 128, youngMb: 8 };
const HANDLER = `import { writeFileSync } from "node:fs";
import { defineHandler, job } from "antiphon";
const any = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } };
let pool = "none";
export default defineHandler({
  name: "life",
  config: any,
  setup: ({ config }) => {
    if (config.fail) throw new Error("no database");
    pool = "open";
  },
  teardown: () => writeFileSync(config(), "closed"),
  routes: (r) => ({
    say: r.command("say", { run: () => pool }),
    stray: r.job(job("stray", any), {
      run: async () => {
        void Promise.reject(new Error("nobody looked"));
        await new Promise((resolve) => setTimeout(resolve, 20));
      },
    }),
    crash: r.job(job("crash", any), { run: () => process.kill(process.pid, "SIGKILL") }),
  }),
});
function config() { return new URL("./torn-down.txt", import.meta.url).pathname; }
`;

let folder = "";
let client: RedisClient;
let keys: Keys;
const hosts: Hosted[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "antiphon-thread-"));
  writeFileSync(join(folder, "life.ts"), HANDLER);
  keys = new Keys(`t${randomUUID()}`, 0);
  client ??= openRedis({ url: (await testRedis()).url, name: "test", purpose: "commands", onState: () => {} });
});
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.end();
  rmSync(folder, { recursive: true, force: true });
});
afterAll(() => closeRedis(client));

interface Hosted {
  readonly host: Host;
  readonly messages: FromThread[];
  readonly gone: () => string | undefined;
  readonly end: () => Promise<void>;
}

async function start(
  spawn: Spawn,
  more: { settings?: Record<string, unknown>; handlers?: string[] } = {},
): Promise<Hosted> {
  const { settings = { life: {} }, handlers = [folder] } = more;
  const data: ThreadData = {
    kind: "work",
    index: 0,
    slots: 2,
    slotMemory: SlotMemory.allocate(2),

    clockOffset: new Float64Array(new SharedArrayBuffer(8)),
    config: {
      redisUrl: (await testRedis()).url,
      namespace: keys.tag.slice(1, -3),
      database: 0,
      name: "antiphon",
      alias: "!",
      handlers,
      settings,
      handlerVariables: {},
      cwd: folder,
      adapters: [{ name: "web", can: ["edit"] }],
      groups: {},
      admins: [],
      durability: "default",
      reports: {
        trackers: [],
        secrets: [],
        about: { version: "0", release: "r", environment: "test", server: "test" },
      },
      queueLimits: { deliveries: 1000, bytes: 1 << 30 },
      log: { level: "error", format: "json", linesPerSecond: 1_000 },
    },
  };
  const messages: FromThread[] = [];
  let gone: string | undefined;
  const host = spawn(data, { message: (message) => messages.push(message), gone: (reason) => (gone = reason) });
  const end = async (): Promise<void> => {
    if (gone === undefined) host.end();
    await waitFor(() => gone !== undefined, { what: "it is gone" });
  };
  const hosted = { host, messages, gone: () => gone, end };
  hosts.push(hosted);
  return hosted;
}

const said = (hosted: Hosted, type: FromThread["type"]) =>
  waitFor(() => hosted.messages.find((message) => message.type === type), { what: type, timeoutMs: 15_000 });

interface Sent {
  readonly queue: "chat" | "default";
  readonly route?: string;
  readonly payload: unknown;
}

/** Sends one delivery; answers its serial. */
async function send(hosted: Hosted, { queue, route, payload }: Sent): Promise<number> {
  const context = { client, keys };
  const producer = new Producer({ ...context, limits: { deliveries: 1000, bytes: 1 << 30 }, random: Math.random });
  const header = route === undefined ? { kind: "message" as const } : { kind: "job" as const, route };
  const envelope = encodeEnvelope({ v: 1, ...header }, JSON.stringify(payload));
  await producer.enqueue(queue, { route: 0, envelope });
  const claims = new Claims({ ...context, queue, wid: randomUUID() });
  await claims.register({ clientId: "1", pod: "p" });
  const [claimed = []] = (await claims.take({ slots: 1, run: 1, order: "0123" })).runs;
  const serial = hosted.messages.length + 1;
  const numbered = claimed.map((claim) => ({ serial, claim }));
  hosted.host.post({ type: "runs", packed: packRuns([{ queue, wid: claims.wid, slot: 0, claims: numbered }]) });
  return serial;
}

/** Sends one delivery and waits for its answer. */
async function run(hosted: Hosted, sent: Sent): Promise<Settled> {
  const serial = await send(hosted, sent);
  const answers = (): Settled[] => hosted.messages.flatMap((given) => (given.type === "settled" ? given.list : []));
  return waitFor(() => answers().find((one) => one.serial === serial), { what: "the delivery is answered" });
}

const message = { id: "1", text: "!say", room: "web:lobby", user: { id: "web:ann", name: "ann" }, addressed: false };

for (const [name, spawn] of [
  ["a thread", threadSpawner(LIMITS)],
  ["a child", childSpawner(LIMITS)],
] as const) {
  describe(name, () => {
    test("loads, registers its routes, sets up, runs, tears down and ends by itself", async () => {
      const hosted = await start(spawn);
      await said(hosted, "ready");
      expect([...(await readRoutes({ client, keys })).values()]).toContain("life.say");
      const settled = await run(hosted, { queue: "chat", payload: message });
      expect(settled).toMatchObject({ kind: "done", effects: [{ kind: "publish", channel: "/chat/lobby" }] });
      expect(JSON.stringify(settled.effects)).toContain("open");
      hosted.host.post({ type: "stop", deadlineMs: 1000 });
      await said(hosted, "stopped");
      await waitFor(() => hosted.gone() !== undefined, { what: "it ended by itself" });
      expect(hosted.gone()).toBe("exit code 0");
    });

    test("says everything that is wrong with the handlers, or what setup threw", async () => {
      writeFileSync(join(folder, "bad.ts"), "\nthrow new Error('boom');\n");
      const unloadable = await said(await start(spawn), "unfit");
      expect(unloadable).toMatchObject({
        code: "HANDLER_LOAD_FAILED",
        message: expect.stringContaining("bad.ts:2: boom"),
      });
      rmSync(join(folder, "bad.ts"));
      const unset = await said(await start(spawn, { settings: { life: { fail: true } } }), "unfit");
      expect(unset).toMatchObject({
        code: "HANDLER_LOAD_FAILED",
        message: expect.stringMatching(/life\.ts: setup of life threw Error: no database/),
      });
    });

    test("a promise that was rejected and that nobody looked at fails its run and nothing else", async () => {
      const hosted = await start(spawn);
      await said(hosted, "ready");
      const settled = await run(hosted, { queue: "default", route: "life.stray", payload: {} });
      expect(settled).toMatchObject({ kind: "skip", error: "Error: nobody looked" });
      expect((await run(hosted, { queue: "chat", payload: message })).kind).toBe("done");
      expect(hosted.gone()).toBeUndefined();
    });
  });
}

test("a child that dies says so", async () => {
  const hosted = await start(childSpawner(LIMITS));
  await said(hosted, "ready");
  await send(hosted, { queue: "default", route: "life.crash", payload: {} });
  await waitFor(() => hosted.gone() !== undefined, { what: "it is gone" });
  expect(hosted.gone()).toMatch(/signal SIGKILL/);
  expect(hosted.messages.find(({ type }) => type === "began")).toMatchObject({ timeoutMs: 600_000 });
});
