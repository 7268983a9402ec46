// Masters as processes scale a Deployment by the work in a real Redis. Its pods are workers that are registered, beat and take as
// workers do; the API server is the tests' small one.

import { randomUUID } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { Claims } from "../../services/broker/claims.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { Loop } from "../../services/runtime/loop.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { ApiServer } from "../support/api-server.ts";
import { Bench, outcome } from "../support/broker.ts";
import { FakeChat } from "../support/fake-chat.ts";
import { MasterProcess } from "../support/master-kit.ts";
import { testRedis } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const ENTRY = new URL("../fixtures/scaling/master.ts", import.meta.url).pathname;
const LONG = { timeoutMs: 60_000 };

/** One pod: takes a few deliveries each quarter of a second unless it is quiet, and finishes them with the next look. */
class Worker {
  readonly #loops: readonly Loop[];
  /** What it had in hand when it was told to go. */
  heldAtEnd: number | undefined;
  held = 0;
  isQuiet = false;

  constructor(bench: Bench, pod: string) {
    const claims = new Claims({ ...bench.context, queue: "default", wid: `${pod}.${randomUUID()}` });
    const facts = { process: pod, startedAtMs: Date.now(), threads: 2, slots: 4, pool: "default" };
    const registered = claims.register({ clientId: "", pod, facts });
    let runs: Parameters<typeof outcome>[0][] = [];
    const loop = (name: string, intervalMs: number, tick: () => Promise<void>): Loop =>
      new Loop({ name, intervalMs, tick, onError: () => {}, clock: systemClock, random: Math.random });
    const beat = loop("beat", 1_000, async () => {
      await registered;
      this.isQuiet = (await claims.beat()).order === "quiet";
    });
    const work = loop("work", 250, async () => {
      const take = { slots: this.isQuiet ? 0 : 4, run: 1, order: "0123" };
      const { taken } = await claims.settle(
        runs.map((claim) => outcome(claim, "done")),
        take,
      );
      runs = taken?.runs.flat() ?? [];
      this.held = runs.length;
    });
    this.#loops = [beat, work];
  }

  start(): Promise<unknown> {
    return Promise.all(this.#loops.map((loop) => loop.start()));
  }

  stop(): Promise<unknown> {
    this.heldAtEnd ??= this.held;
    return Promise.all(this.#loops.map((loop) => loop.stop()));
  }
}

let redis: RedisClient;
let api: ApiServer;
let chat: FakeChat;
let bench: Bench;
const masters: MasterProcess[] = [];
const workers = new Map<string, Worker>();

async function begin(): Promise<void> {
  redis = openRedis({ url: (await testRedis()).url, name: "scaling", purpose: "commands", onState: () => {} });
  bench = new Bench(redis, `scaling-${randomUUID()}`);
  chat = await FakeChat.start();
  api = await new ApiServer().start();
  api.onPod = (pod, what) => {
    if (pod.owner !== "worker") return;
    if (what === "removed") return void workers.get(pod.name)?.stop();
    const worker = new Worker(bench, pod.name);
    workers.set(pod.name, worker);
    void worker.start();
  };
  api.deploy("worker", 1);
}

afterEach(async () => {
  await Promise.all(masters.splice(0).map((master) => master.kill("SIGKILL")));
  await Promise.all([...workers.values()].map((worker) => worker.stop()));
  workers.clear();
  await api.stop();
  await chat.stop();
  await closeRedis(redis);
});

async function master(pod: string): Promise<MasterProcess> {
  const { labels } = api.addPod("master", pod);
  for (const name of ["name", "instance", "component"]) labels[`app.kubernetes.io/${name}`] = "x";
  const { url: redisUrl } = await testRedis();
  const env = { TEST_PLACE: JSON.stringify(api.place(pod)), ANTIPHON_SCALE_TARGETS: "default=worker:2-8" };
  const started = new MasterProcess({ entry: ENTRY, redisUrl, namespace: bench.namespace, chat, env });
  masters.push(started);
  return started.started();
}

const replicas = (): number => api.deployments.get("worker")?.replicas ?? 0;
const flood = (deliveries: number): Promise<unknown> =>
  Promise.all(Array.from({ length: deliveries }, () => bench.add("x")));
const quiet = (): number =>
  [...workers.values()].filter((worker) => worker.isQuiet && worker.heldAtEnd === undefined).length;

test("from the minimum to the maximum and back: who is removed was idle, and a leader's death in the middle changes nothing", async () => {
  await begin();
  const first = await master("master-1");
  await first.leads("control");
  const second = await master("master-2");
  await waitFor(() => replicas() === 2, LONG);

  const begun = performance.now();
  await flood(3_000);
  await waitFor(() => replicas() > 2, LONG);
  console.info(`the first new pod was asked for ${Math.round(performance.now() - begun)} ms after the first delivery`);
  await waitFor(() => replicas() === 8, LONG);

  await waitFor(() => quiet() > 0, { timeoutMs: 120_000, what: "some are quieted" });
  await first.kill("SIGKILL");
  await second.leads("control");
  await waitFor(() => replicas() === 2, { timeoutMs: 150_000, what: "back at the minimum" });

  const removed = api.removed.map(({ name }) => workers.get(name)?.heldAtEnd);
  expect(removed).toEqual([0, 0, 0, 0, 0, 0]);
  await waitFor(() => quiet() === 0, LONG);
  await waitFor(() => !Object.keys(api.podsOf("worker")[0]?.annotations ?? {}).length, LONG);
  expect(second.of("kubernetes.failed")).toEqual([]);
  expect(second.of("scale.down").length).toBeGreaterThan(0);
  await waitFor(() => api.pods.get("master-2")?.annotations["antiphon.dev/leads"]?.includes("control"), LONG);
  const scaler = async (): Promise<unknown> => {
    const { body } = await second.ask("/readyz");
    return body.checks.find(({ name }) => name === "scaler");
  };
  await waitFor(async () => /^worker: 2 of 2 to 8, \d+ required$/.test(String(Object(await scaler()).detail)), LONG);
  expect(await scaler()).toMatchObject({ ok: true });
});

test("a standby asks nothing of the API server; a leader that hands over ends in time, and the next one takes its sign down", async () => {
  await begin();
  const first = await master("master-1");
  await first.leads("control");
  const second = await master("master-2");
  await waitFor(() => replicas() === 2, LONG);
  await waitFor(() => api.pods.get("master-1")?.annotations["antiphon.dev/leads"] !== undefined, LONG);
  const { body } = await second.ask("/readyz");
  expect(body.checks).toContainEqual({ name: "scaler", ok: true, detail: "the leader of control does it" });
  first.signal("SIGTERM");
  expect(await first.node.exited).toEqual({ code: 0, signal: null });
  await second.leads("control");
  await waitFor(() => api.pods.get("master-2")?.annotations["antiphon.dev/leads"]?.includes("control"), LONG);
  await waitFor(() => api.pods.get("master-1")?.annotations["antiphon.dev/leads"] === undefined, LONG);
});
