// What `antiphon/queue` shows of deliveries, queues and workers is so, and what it changes is changed.

import { expect, test } from "vitest";
import { openQueue } from "../../../services/queue/queue.ts";
import { outcome, takeOne } from "../../support/broker.ts";
import { eachQueue, read, Report } from "../../support/queue-kit.ts";
import { startRedisServer, withServer } from "../../support/redis.ts";

eachQueue((kit) => {
  test("what waits is edited, moved and cancelled by its id", async () => {
    const { bench, queue } = kit;
    const { id } = await queue.enqueue(Report, { team: "a" }, { key: "k" });
    expect(await queue.edit(id, { input: { team: "b" } })).toBe("edited");
    expect(await queue.reschedule(id, { delay: "1h" })).toBe("edited");
    const found = await queue.find(id);
    expect(found).toMatchObject({ id, state: "delayed", body: '{"team":"b"}', key: "k" });
    expect(Number(found?.due) - Date.now()).toBeGreaterThan(3_000_000);
    expect(await queue.reschedule(id, { delay: "0s" })).toBe("edited");
    const worker = await bench.worker("w1");
    const claim = (await kit.takeAll(worker)).find(({ body }) => body !== null);
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

  test("dead letters are listed, run again and forgotten, by id and by what they have in common", async () => {
    const { queue } = kit;
    const ids = [
      await kit.bury("north", { tags: ["cold"] }),
      await kit.bury("south"),
      await kit.bury("west", { key: "k" }),
    ];
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
    const { bench, queue } = kit;
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
    const { bench, queue } = kit;
    await queue.enqueueAll(
      Report,
      Array.from({ length: 2500 }, (_, index) => ({ team: index % 2 === 0 ? "even" : "odd" })),
    );
    const worker = await bench.worker("w1");
    for (let round = 0; round < 25; round++) {
      const claims = await kit.takeAll(worker);
      await worker.settle(claims.map((claim) => outcome(claim, "dead", { error: "no" })));
    }
    expect(await queue.dead.retry({ text: "even" })).toMatchObject({ count: 1250 });
    expect(await queue.depth()).toMatchObject({ ready: 1250, dead: 1250 });
    expect(await queue.dead.purge({})).toMatchObject({ count: 1250 });
  });

  test("queues are paused and resumed as a whole, by route and by key, and limited", async () => {
    const { bench, queue } = kit;
    await queue.enqueue(Report, { team: "a" }, { key: "k" });
    const worker = await bench.worker("w1");
    for (const what of [{}, { route: "reports.monthly" }, { key: "k" }]) {
      await queue.pause("default", what);
      expect((await kit.takeAll(worker)).length).toBe(0);
      expect((await queue.show("default")).pauses).toMatchObject([what]);
      await queue.resume("default", what);
    }
    expect((await queue.show("default")).pauses).toEqual([]);
    await queue.limit("default", { concurrency: 1, rate: { limit: 10, per: "1m" } });
    expect((await queue.show("default")).limits).toMatchObject({ concurrency: 1, rate: { limit: 10 } });
    await queue.limit("default", null);
    expect((await queue.show("default")).limits).toEqual({});
    expect((await kit.takeAll(worker)).length).toBe(1);
    await expect(queue.pause("default", { route: "reports.monthy" })).rejects.toThrow("Did you mean reports.monthly?");
    await expect(queue.limit("default", { concurrency: 0 })).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(queue.pause("a:b")).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
  });

  test("history tells what came of runs", async () => {
    const { bench, queue } = kit;
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
    const { bench, queue } = kit;
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
    const { queue } = kit;
    const dead = await kit.bury("north");
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
    const { bench, client, queue } = kit;
    const { id } = await queue.enqueue(Report, { team: "a" });
    expect(await queue.progress(id)).toBeUndefined();
    await client.hset(`${bench.context.keys.queue("default")}:e:${id}`, "progress", "0.5");
    expect(await queue.progress(id)).toBe(0.5);
  });

  test("workers are listed by pod, quieted and stopped; one that is not there is refused", async () => {
    const { bench, queue } = kit;
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
