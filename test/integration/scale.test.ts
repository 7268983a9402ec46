// /scale and /metrics of real processes: a worker and a master say the same, and go on saying what they can without Redis.

import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeChat } from "../support/fake-chat.ts";
import { Lab } from "../support/handling.ts";
import { MasterProcess } from "../support/master-kit.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { testRedis } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const MAIN = new URL("../../services/main.ts", import.meta.url);
const PATIENT = { timeoutMs: 60_000 };
/** Without schedules, so that nothing comes by itself. */
const handlersOf = ({ journal }: Lab) => ({
  ANTIPHON_HANDLERS: "test/fixtures/handlers/lab.ts",
  ANTIPHON_HANDLER_LAB_JOURNAL: journal,
});

interface Scale {
  readonly workersRequired: number;
  readonly workers: number;
  readonly queues: readonly Readonly<Record<"ready" | "claimed" | "delayed" | "dead", number> & { name: string }>[];
}

let lab: Lab;
let proxy: Proxy;
let chat: FakeChat;
let worker: SpawnedNode;
let urls: { readonly worker: string; readonly master: string };

beforeEach(async () => {
  const { url } = await testRedis();
  lab = new Lab(url);
  proxy = await startProxy(Number(new URL(url).port));
  chat = await FakeChat.start({ idempotency: "key" });
  const redisUrl = `redis://127.0.0.1:${proxy.port}`;
  const master = new MasterProcess({ redisUrl, namespace: lab.namespace, chat, env: handlersOf(lab) });
  worker = spawnNode(MAIN, {
    args: ["worker"],
    env: {
      REDIS_URL: redisUrl,
      ANTIPHON_NAMESPACE: lab.namespace,
      ...handlersOf(lab),
      ANTIPHON_POOL: "heavy",
      ANTIPHON_ADMIN_HOST: "127.0.0.1",
      ANTIPHON_ADMIN_PORT: "0",
      ANTIPHON_HTTP_PORT: "0",
      LOG_FORMAT: "json",
    },
  });
  const isUp = (node: SpawnedNode) => node.waitForLine("process.started", 60_000);
  await Promise.all([isUp(master.node), isUp(worker)]);
  const line = JSON.parse(worker.lines.find((one) => one.includes("process.started")) ?? "{}") as { urls: string };
  const own = /http:\/\/127\.0\.0\.1:\d+$/.exec(line.urls)?.[0] ?? "";
  urls = { worker: own, master: String(master.of("process.started")[0]?.["urls"]) };
});
afterEach(async () => {
  await worker.kill("SIGTERM");
  await proxy.stop();
  await chat.stop();
  await lab.stop();
});

const get = (who: "worker" | "master", path: string): Promise<Response> => fetch(`${urls[who]}${path}`);
const scale = async (who: "worker" | "master", path = "/scale"): Promise<Scale> =>
  (await (await get(who, path)).json()) as Scale;
const steady = ({ queues, ...sums }: Scale): object => ({
  ...sums,
  queues: queues.map(({ name, ready, claimed, delayed, dead }) => ({ name, ready, claimed, delayed, dead })),
});
const required = async (who: "worker" | "master"): Promise<number> => {
  const text = await (await get(who, "/metrics")).text();
  return Number(/^antiphon_workers_required\{pool="heavy"\} (\S+)$/m.exec(text)?.[1]);
};

test("a worker and a master answer the same, and scrapers read the same from both", async () => {
  await Promise.all(Array.from({ length: 40 }, (_, index) => lab.enqueue("hold", `${index}`)));
  await lab.enqueue("note", "later", { delayMs: 3_600_000 });
  await waitFor(
    async () => (await scale("worker")).queues.find(({ name }) => name === "default")?.delayed === 1,
    PATIENT,
  );
  // Each remembers for a second; ages and means go on meanwhile.
  await waitFor(async () => {
    const [one, two] = await Promise.all([scale("worker"), scale("master")]);
    expect(steady(one)).toEqual(steady(two));
    return one.workersRequired > 1;
  }, PATIENT);
  await waitFor(async () => {
    const [one, two] = await Promise.all([required("worker"), required("master")]);
    return one > 1 && one === two;
  }, PATIENT);
  expect(await scale("master", "/scale?pool=heavy")).toMatchObject({ workers: 1, queues: [{}, {}] });
  lab.openGate();
  await waitFor(async () => (await scale("master")).queues.every(({ ready }) => ready === 0), PATIENT);
  expect((await get("master", "/scale?pool=default")).status).toBe(404);
});

test("the value that the chart tells KEDA to read is a number", async () => {
  const template = readFileSync(new URL("../../charts/antiphon/templates/autoscaling.yaml", import.meta.url), "utf8");
  const [, location = ""] = /valueLocation: (\S+)/.exec(template) ?? [];
  const [, path = ""] = /:9090(\/\S+?)\{\{/.exec(template) ?? [];
  expect(path).toBe("/scale?pool=");
  await waitFor(async () => (await get("worker", `${path}heavy`)).status === 200, PATIENT);
  const answer: unknown = await (await get("worker", `${path}heavy`)).json();
  // A path of gjson without dots, stars and hashes is a name.
  expect(location).toMatch(/^\w+$/);
  expect((answer as Record<string, unknown>)[location]).toBe(1);
});

test("without Redis /scale is 503, so that nobody scales by it, and /metrics tells of the process", async () => {
  await waitFor(async () => (await scale("master")).workers === 1, PATIENT);
  await proxy.refuse();
  for (const who of ["worker", "master"] as const) {
    await waitFor(async () => (await get(who, "/scale")).status === 503, PATIENT);
    const metrics = await get(who, "/metrics");
    expect(metrics.status).toBe(200);
    const text = await metrics.text();
    expect(text).toMatch(/^process_cpu_seconds_total /m);
    expect(text).not.toContain("antiphon_workers_required");
  }
  await proxy.mend();
  for (const who of ["worker", "master"] as const)
    await waitFor(async () => (await get(who, "/scale")).status === 200, PATIENT);
});
