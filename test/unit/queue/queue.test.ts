// The client of `antiphon/queue` against real scripts: what it enqueues is what a worker would take, what it shows is so.

import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { decodeEnvelope, type EnvelopeHeader } from "../../../services/broker/delivery.ts";
import { registerJobs, registerRoutes } from "../../../services/broker/routes.ts";
import type { Claim, Claims } from "../../../services/broker/claims.ts";
import { openQueue, type Queue } from "../../../services/queue/queue.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { defineMiddleware, job } from "../../../services/sdk/index.ts";
import { Bench, outcome, TAKE, takeOne } from "../../support/broker.ts";
import { eachServer, startRedisServer, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const Report = job("reports.make", z.object({ team: z.string() }));
const Slow = job("slow", z.number(), { queue: "low", class: 3 });
const Nowhere = job("reports.mke", z.string());

function read(claim: Claim): { header: EnvelopeHeader; input: unknown } {
  const { header, payload } = decodeEnvelope(claim.body ?? Buffer.alloc(0));
  return { header, input: JSON.parse(payload.toString()) as unknown };
}

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  let queue: Queue;

  beforeEach(async () => {
    client = openRedis({ url: url(), name: "queue-test", purpose: "commands", onState: () => {} });
    const namespace = `q${randomUUID()}`;
    bench = new Bench(client, namespace);
    queue = await openQueue({ url: url(), namespace });
    await registerRoutes(bench.context, ["reports.monthly", "low.slow", "deploy.ship"]);
    await registerJobs(
      bench.context,
      new Map([
        ["reports.make", "reports.monthly"],
        ["slow", "low.slow"],
      ]),
    );
  });
  afterEach(async () => {
    await queue.close();
    await closeRedis(client);
  });

  async function takeAll(worker: Claims): Promise<Claim[]> {
    return (await worker.take({ ...TAKE, slots: 100, run: 16 })).runs.flat();
  }

  test("a job is enqueued by contract, by name and by route, with what its options and its contract say", async () => {
    const { id, duplicate } = await queue.enqueue(Report, { team: "north" }, { key: "north", class: 2, tags: ["eu"] });
    expect(duplicate).toBe(false);
    const claim = await takeOne(await bench.worker("w1"));
    const { header, input } = read(claim);
    expect([claim.key, claim.element.class, input]).toEqual(["north", 2, { team: "north" }]);
    expect(header).toMatchObject({ kind: "job", route: "reports.monthly", key: "north", class: 2, tags: ["eu"] });
    expect(await queue.find(id)).toMatchObject({ state: "claimed", worker: "w1", route: "reports.monthly" });
    await queue.enqueue("reports.make", { team: "south" });
    await queue.enqueue("reports.monthly", { team: "west" });
    await queue.enqueue(Slow, 7);
    expect((await takeAll(await bench.worker("w2"))).map((one) => read(one).header.route)).toEqual([
      "reports.monthly",
      "reports.monthly",
    ]);
    const [low] = await takeAll(await bench.worker("w3", "low"));
    expect([low?.element.class, low && read(low).input]).toEqual([3, 7]);
  });

  test("a program that traces names its span: one job belongs to it, many are linked to it", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let said: { traceparent: string; tracestate?: string } | undefined = { traceparent, tracestate: "a=1" };
    const tracing = await openQueue({ url: url(), namespace: bench.namespace, trace: () => said });
    const { id } = await tracing.enqueue(Report, { team: "one" });
    expect(await tracing.find(id)).toMatchObject({ traceparent });
    await tracing.enqueueAll(Report, [{ team: "two" }, { team: "three" }]);
    said = { traceparent: "nonsense" };
    await tracing.enqueue(Report, { team: "four" });
    const headers = (await takeAll(await bench.worker("w1"))).map((claim) => read(claim).header);
    expect(headers.map((header) => [header.traceparent, header.tracestate, header.traceLink])).toEqual([
      [traceparent, "a=1", undefined],
      [traceparent, "a=1", true],
      [traceparent, "a=1", true],
      [undefined, undefined, undefined],
    ]);
    await tracing.close();
  });

  test("what is wrong is refused with its code before anything is written", async () => {
    const failing = [
      [queue.enqueue(Nowhere, "x"), "ROUTE_UNKNOWN", "Did you mean reports.make?"],
      [queue.enqueue(Report, { team: 7 } as never), "INPUT_INVALID", "team"],
      [queue.enqueue("reports.make", { at: new Date() }), "VALUE_NOT_JSON", "input.at is a Date"],
      [queue.enqueue(Report, { team: "x" }, { delay: "-1s" as never }), "OPTIONS_INVALID", "delay"],
      [queue.enqueue(Report, { team: "x" }, { queue: "a:b", key: "k".repeat(600) }), "OPTIONS_INVALID", "queue"],
      [queue.enqueue(Report, { team: "x".repeat(600_000) }), "VALUE_TOO_LARGE", "bytes"],
      [queue.enqueueAll(Report, [{ team: "a" }, { team: 1 } as never]), "INPUT_INVALID", "Number 2"],
    ] as const;
    for (const [promise, code, text] of failing) {
      await expect(promise).rejects.toMatchObject({ code, message: expect.stringContaining(text) as string });
    }
    expect((await queue.depth()).stored).toBe(0);
  });

  test("many are enqueued in their order, with options of their own", async () => {
    const inputs = Array.from({ length: 1200 }, (_, index) => ({ team: `t${index}` }));
    const queued = await queue.enqueueAll(Report, inputs, ({ team }) => ({ key: team.slice(-1) }));
    expect(new Set(queued.map(({ id }) => id)).size).toBe(1200);
    expect(await queue.depth()).toMatchObject({ ready: 1200 });
    const first = (await takeAll(await bench.worker("w1")))
      .filter(({ key }) => key === "7")
      .map((one) => read(one).input);
    expect(first.slice(0, 2)).toEqual([{ team: "t7" }, { team: "t17" }]);
  });

  test("many are few scripts: 1,200 go in three, in order", async () => {
    const inputs = Array.from({ length: 1200 }, (_, n) => ({ team: `t${n}` }));
    await queue.enqueueAll(Report, inputs);
    const producers = await client.keys(`${bench.context.keys.queue("default")}:pr:*`);
    const batches = await Promise.all(producers.map((key) => client.hlen(key)));
    expect(batches).toEqual([3]);
    const elements = await client.lrange(`${bench.context.keys.queue("default")}:w1`, 0, -1);
    expect(elements).toHaveLength(1200);
    expect(elements.toSorted()).toEqual(elements);
  });

  test("a repeat of a unique job gives the first one's id", async () => {
    const first = await queue.enqueue(Report, { team: "a" }, { unique: { id: "one", until: "end" } });
    const second = await queue.enqueue("reports.monthly", { team: "b" }, { unique: { id: "one", until: "end" } });
    expect(second).toEqual({ id: first.id, duplicate: true });
  });

  test("a batch's last job runs when its members have finished", async () => {
    const { id, members } = await queue.batch(
      [
        { job: Report, input: { team: "a" } },
        { job: "reports.make", input: { team: "b" } },
      ],
      { job: Slow, input: 1 },
    );
    expect(await queue.find(id)).toMatchObject({ state: "held", queue: "low" });
    const worker = await bench.worker("w1");
    const claims = await takeAll(worker);
    expect(members).toHaveLength(2);
    await worker.settle(claims.map((claim) => outcome(claim, "done")));
    const low = await bench.worker("w2", "low");
    expect((await takeAll(low)).map((claim) => read(claim).input)).toEqual([1]);
  });

  test("a flow runs by the names of its steps", async () => {
    const flow = await queue.enqueueFlow([
      { name: "sum", job: Report, input: { team: "sum" }, after: ["a", "b"] },
      { name: "a", job: Report, input: { team: "a" } },
      { name: "b", job: Report, input: { team: "b" }, after: ["a"] },
    ]);
    const worker = await bench.worker("w1");
    for (const team of ["a", "b", "sum"]) {
      const claims = await takeAll(worker);
      expect(claims.map((claim) => read(claim).input)).toEqual([{ team }]);
      await worker.settle(claims.map((claim) => outcome(claim, "done")));
    }
    expect(Object.keys(flow).sort()).toEqual(["a", "b", "sum"]);
    const circle = [
      { name: "x", job: Report, input: { team: "x" }, after: ["y"] },
      { name: "y", job: Report, input: { team: "y" }, after: ["x"] },
    ];
    await expect(queue.enqueueFlow(circle)).rejects.toMatchObject({ code: "DEPENDENCY_CYCLE" });
    const wrong = [
      { name: "x", job: Report, input: { team: "x" } },
      { name: "y", job: Report, input: { team: 1 } },
    ];
    await expect(queue.enqueueFlow(wrong)).rejects.toMatchObject({ code: "INPUT_INVALID" });
    expect((await queue.depth()).stored).toBe(0);
  });

  test("middleware stands around every enqueue and may change it", async () => {
    const seen: string[] = [];
    const stamp = defineMiddleware({
      name: "stamp",
      enqueue: async (call, next) => {
        const { ids } = await next({
          meta: { ...call.meta, by: "test" },
          options: { ...call.options, key: "stamped" },
        });
        seen.push(`${call.name} ${ids.length}`);
        return { ids };
      },
    });
    const stamped = await openQueue({ url: url(), namespace: bench.namespace, middleware: [stamp] });
    try {
      await stamped.enqueueAll(Report, [{ team: "a" }, { team: "b" }]);
    } finally {
      await stamped.close();
    }
    const claims = await takeAll(await bench.worker("w1"));
    expect(claims.map((claim) => [claim.key, read(claim).header.meta])).toEqual([
      ["stamped", { by: "test" }],
      ["stamped", { by: "test" }],
    ]);
    expect(seen).toEqual(["reports.make 1", "reports.make 1"]);
  });

  test("what waits is edited, moved and cancelled by its id", async () => {
    const { id } = await queue.enqueue(Report, { team: "a" }, { key: "k" });
    expect(await queue.edit(id, { input: { team: "b" } })).toBe("edited");
    expect(await queue.reschedule(id, { delay: "1h" })).toBe("edited");
    const found = await queue.find(id);
    expect(found).toMatchObject({ id, state: "delayed", body: '{"team":"b"}', key: "k" });
    expect(Number(found?.due) - Date.now()).toBeGreaterThan(3_000_000);
    expect(await queue.reschedule(id, { delay: "0s" })).toBe("edited");
    const worker = await bench.worker("w1");
    const claim = (await takeAll(worker)).find(({ body }) => body !== null);
    expect(claim && read(claim).input).toEqual({ team: "b" });
    expect(await queue.edit(id, { class: 0 })).toBe("claimed");
    expect(await queue.cancel(id)).toBe("signalled");
    const second = await queue.enqueue(Report, { team: "c" });
    expect(await queue.cancel(second.id)).toBe("cancelled");
    expect(await queue.find(second.id)).toBeUndefined();
    expect(await queue.cancel("nosuchid")).toBe("unknown");
    await expect(queue.edit(id, {})).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(queue.edit(id, { input: { at: new Map() } })).rejects.toMatchObject({ code: "VALUE_NOT_JSON" });
  });

  async function bury(team: string, options = {}): Promise<string> {
    const { id } = await queue.enqueue(Report, { team }, options);
    const worker = await bench.worker(`w-${id}`);
    await worker.settle([outcome(await takeOne(worker), "dead", { error: `no ${team}` })]);
    return id;
  }

  test("dead letters are listed, run again and forgotten, by id and by what they have in common", async () => {
    const ids = [await bury("north", { tags: ["cold"] }), await bury("south"), await bury("west", { key: "k" })];
    expect((await queue.dead.list()).map(({ id, reason }) => [id, reason])).toEqual([
      [ids[2], "no west"],
      [ids[1], "no south"],
      [ids[0], "no north"],
    ]);
    expect(await queue.find(ids[0] ?? "")).toMatchObject({ state: "dead", reason: "no north", attempts: 1 });
    expect(await queue.dead.list({ tag: "cold", limit: 1 })).toMatchObject([{ id: ids[0] }]);
    expect(await queue.dead.retry([ids[0] ?? "", "nosuchid"])).toEqual({ count: 1, unknown: ["nosuchid"] });
    expect(await queue.dead.purge({ text: "west", route: "reports" })).toEqual({ count: 1, unknown: [] });
    expect((await queue.dead.list()).map(({ id }) => id)).toEqual([ids[1]]);
    expect(await queue.retry(ids[1] ?? "")).toBe(true);
    expect(await queue.retry(ids[1] ?? "")).toBe(false);
    expect(await queue.depth()).toMatchObject({ ready: 2, dead: 0 });
  });

  test("an Action that could not be said is a dead letter too", async () => {
    const outbox = await bench.worker("w-outbox", "outbox/irc");
    const envelope = Buffer.from('{"op":"send","text":"hello"}');
    const { id } = await bench.producer.enqueue("outbox/irc", { route: 0, envelope, key: "irc:#ops" });
    await outbox.settle([outcome(await takeOne(outbox), "dead", { error: "no such room" })]);
    expect(await queue.dead.list()).toMatchObject([{ id, queue: "outbox/irc", reason: "no such room" }]);
    expect(await queue.find(id)).toBeUndefined();
    expect(await queue.search()).toMatchObject({ found: [] });
    expect(await queue.dead.retry({})).toEqual({ count: 1, unknown: [] });
    expect(await queue.depth("outbox/irc")).toMatchObject({ ready: 1, dead: 0 });
  });

  test("thousands of dead letters are run again by what they have in common", async () => {
    await queue.enqueueAll(
      Report,
      Array.from({ length: 2500 }, (_, index) => ({ team: index % 2 === 0 ? "even" : "odd" })),
    );
    const worker = await bench.worker("w1");
    for (let round = 0; round < 25; round++) {
      const claims = await takeAll(worker);
      await worker.settle(claims.map((claim) => outcome(claim, "dead", { error: "no" })));
    }
    expect(await queue.dead.retry({ text: "even" })).toMatchObject({ count: 1250 });
    expect(await queue.depth()).toMatchObject({ ready: 1250, dead: 1250 });
    expect(await queue.dead.purge({})).toMatchObject({ count: 1250 });
  });

  test("queues are paused and resumed as a whole, by route and by key, and limited", async () => {
    await queue.enqueue(Report, { team: "a" }, { key: "k" });
    const worker = await bench.worker("w1");
    for (const what of [{}, { route: "reports.monthly" }, { key: "k" }]) {
      await queue.pause("default", what);
      expect((await takeAll(worker)).length).toBe(0);
      expect((await queue.show("default")).pauses).toMatchObject([what]);
      await queue.resume("default", what);
    }
    expect((await queue.show("default")).pauses).toEqual([]);
    await queue.limit("default", { concurrency: 1, rate: { limit: 10, per: "1m" } });
    expect((await queue.show("default")).limits).toMatchObject({ concurrency: 1, rate: { limit: 10 } });
    await queue.limit("default", null);
    expect((await queue.show("default")).limits).toEqual({});
    expect((await takeAll(worker)).length).toBe(1);
    await expect(queue.pause("default", { route: "reports.monthy" })).rejects.toThrow("Did you mean reports.monthly?");
    await expect(queue.limit("default", { concurrency: 0 })).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(queue.pause("a:b")).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
  });

  test("history tells what came of runs", async () => {
    const { id } = await queue.enqueue(Report, { team: "a" });
    const worker = await bench.worker("w1");
    const line = {
      id,
      kind: "job",
      routes: ["reports.monthly"],
      outcome: "done",
      attempt: 1,
      at: Date.now(),
      ms: 5,
      worker: "w1",
    };
    await worker.settle([outcome(await takeOne(worker), "done", { history: JSON.stringify(line) })]);
    const [entry] = await queue.history();
    expect(entry).toMatchObject({ id, outcome: "done", ms: 5 });
    expect(Date.now() - Number(entry?.at)).toBeLessThan(60_000);
  });

  test("a result is awaited, whenever it comes", async () => {
    const { id } = await queue.enqueue(Report, { team: "a" }, { result: "1m" });
    const worker = await bench.worker("w1");
    const claim = await takeOne(worker);
    const awaited = [queue.result(id), queue.result(id)];
    const value = JSON.stringify({ ok: true, value: { pages: 12 } });
    await worker.settle([
      outcome(claim, "done", { effects: [{ kind: "result", id: "", origin: id, value, ttlMs: 60_000 }] }),
    ]);
    expect(await Promise.all(awaited)).toEqual([{ pages: 12 }, { pages: 12 }]);
    expect(await queue.result(id)).toEqual({ pages: 12 });
  });

  test("whoever awaits what will not come is told why", async () => {
    const dead = await bury("north");
    await expect(queue.result(dead)).rejects.toMatchObject({ code: "JOB_DEAD" });
    await expect(queue.result(dead)).rejects.toThrow("no north");
    const { id } = await queue.enqueue(Report, { team: "a" });
    await expect(queue.result(id, { timeout: "50ms" })).rejects.toMatchObject({ code: "RESULT_LATE" });
    const cancelled = queue.result(id);
    await queue.cancel(id);
    await expect(cancelled).rejects.toMatchObject({ code: "RESULT_MISSING" });
    await expect(queue.result(id, { timeout: "1" as never })).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
  });

  test("progress is what the run said last", async () => {
    const { id } = await queue.enqueue(Report, { team: "a" });
    expect(await queue.progress(id)).toBeUndefined();
    await client.hset(`${bench.context.keys.queue("default")}:e:${id}`, "progress", "0.5");
    expect(await queue.progress(id)).toBe(0.5);
  });

  test("workers are listed by pod, quieted and stopped; one that is not there is refused", async () => {
    await bench.worker("pod-1.abc");
    await bench.worker("pod-1.def", "low");
    const other = await bench.worker("pod-2.ghi");
    await queue.enqueue(Report, { team: "a" });
    await takeOne(other);
    await queue.workers.quiet("pod-2");
    expect(await queue.workers.list()).toMatchObject([
      { pod: "pod-1", queues: ["default", "low"], claimed: 0, order: "" },
      { pod: "pod-2", queues: ["default"], claimed: 1, order: "quiet" },
    ]);
    expect((await other.beat()).order).toBe("quiet");
    await queue.workers.resume("pod-2");
    expect((await other.beat()).order).toBe("");
    await queue.workers.stop("pod-2");
    expect((await other.beat()).order).toBe("stop");
    await expect(queue.workers.quiet("pod-3")).rejects.toMatchObject({ code: "WORKER_UNKNOWN" });
  });

  test("a route that a worker registers later is found", async () => {
    const Late = job("late", z.string());
    await expect(queue.enqueue(Late, "x")).rejects.toMatchObject({ code: "ROUTE_UNKNOWN" });
    await registerRoutes(bench.context, ["late.run"]);
    await registerJobs(bench.context, new Map([["late", "late.run"]]));
    await waitFor(() => queue.enqueue(Late, "x"));
  });
});

withServer("redis-server", () => {
  test("a Redis that goes away is told by its code, whatever is asked", async () => {
    const server = await startRedisServer();
    const queue = await openQueue({ url: server.url });
    try {
      await server.stop();
      const asked = [
        queue.enqueue("x", {}),
        queue.find("x1"),
        queue.search({ route: "x" }),
        queue.cancel("x1"),
        queue.dead.retry(["x1"]),
        queue.dead.purge({}),
        queue.depths(),
        queue.show("default"),
        queue.pause("default", { route: "x" }),
        queue.history(),
        queue.workers.list(),
        queue.result("x1"),
      ];
      // All at once: a promise that fails before its turn comes would count as unhandled.
      await Promise.all(asked.map((promise) => expect(promise).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" })));
    } finally {
      await queue.close();
    }
  });
});

test("a Redis that is not there is told at once, and a wrong namespace too", async () => {
  await expect(openQueue({ url: "redis://127.0.0.1:1" })).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
  await expect(openQueue({ url: "nonsense" })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  await expect(openQueue({ url: "redis://127.0.0.1:1", namespace: "a{b" })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
  });
});
