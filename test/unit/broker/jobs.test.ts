// One delivery by its id: found in every place, cancelled, changed; and what operators tell workers.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Claims } from "../../../services/broker/claims.ts";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { readHistory } from "../../../services/broker/history.ts";
import { cancelDelivery, editDelivery, findDelivery } from "../../../services/broker/jobs.ts";
import { orderWorker } from "../../../services/broker/orders.ts";
import type { NewDelivery } from "../../../services/broker/producer.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { publicId } from "../../../services/runtime/ids.ts";
import { Bench, outcome, payloadOf, TAKE, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  let worker: Claims;
  let route: number;
  beforeAll(() => {
    client = openRedis({ url: url(), name: "jobs", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(async () => {
    bench = new Bench(client);
    worker = await bench.worker("pod.1");
    route = (await registerRoutes(bench.context, ["h.route"])).get("h.route") ?? 0;
  });

  const add = (text: string, more: Partial<NewDelivery> = {}): Promise<{ id: string }> => {
    const header = {
      v: 1,
      kind: "job",
      at: 0,
      route: "h.route",
      ...(more.key !== undefined && { key: more.key }),
    } as const;
    return bench.producer.enqueue("default", { route, envelope: encodeEnvelope(header, text), ...more });
  };
  const find = (id: string) => findDelivery(bench.context, id);

  test("ids of all queues are different, and grow", async () => {
    const ids = [];
    for (const queue of ["a", "b", "a", "c"])
      ids.push(
        Number.parseInt(
          (await bench.producer.enqueue(queue, { route, envelope: encodeEnvelope({ v: 1, kind: "job" }, "") })).id,
          36,
        ),
      );
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  });

  test("it is found where it is, with what is known of it", async () => {
    const { id } = await add("x".repeat(5000), { key: "k" });
    expect(await find(id)).toMatchObject({ place: "waiting", queue: "default", header: { key: "k" } });
    const claim = await takeOne(worker);
    expect(await find(id)).toMatchObject({ place: "claimed", worker: "pod.1" });
    await worker.settle([outcome(claim, "skip", { delayMs: 9000, error: "no" })]);
    const delayed = await find(id);
    expect(delayed).toMatchObject({ place: "delayed", notes: { "error:1": "no" } });
    expect(delayed?.payload.length).toBe(5000);
    expect(delayed?.dueMs).toBeGreaterThan(Date.now() + 5000);
    await bench.pass(10, [worker]);
    await worker.settle([outcome(await takeOne(worker), "dead", { error: "no more" })]);
    expect(await find(id)).toMatchObject({ place: "dead" });
    expect(await find("zzzzzz")).toBeUndefined();
    expect(await find("no id")).toBeUndefined();
  });

  test("one that waits is cancelled: gone at once, nothing runs, its key goes on", async () => {
    const { id } = await add("x".repeat(5000), { key: "k" });
    await add("next", { key: "k" });
    expect(await cancelDelivery(bench.context, id)).toBe("cancelled");
    expect(await find(id)).toBeUndefined();
    expect(await cancelDelivery(bench.context, id)).toBe("unknown");
    expect(await client.hget(`${bench.context.keys.queue("default")}:m`, "bodyBytes")).toBe("0");
    const [tombstone, next] = (await worker.take(TAKE)).runs[0] ?? [];
    expect([tombstone?.body, tombstone?.bodyToken, next && payloadOf(next)]).toEqual([null, "", "next"]);
  });

  test("one that runs is not cancelled here: its worker is told, a dead letter is left alone", async () => {
    const heard: string[] = [];
    const bell = openRedis({ url: url(), name: "bell", purpose: "subscriber", onState: () => {} });
    bell.on("smessage", (_channel: string, message: string) => heard.push(message));
    await bell.ssubscribe(worker.bell);
    const { id } = await add("a");
    const claim = await takeOne(worker);
    expect(await cancelDelivery(bench.context, id)).toBe("signalled");
    await waitFor(() => heard.includes(`cancel ${claim.id}`));
    await worker.settle([outcome(claim, "dead", { error: "no" })]);
    expect(await cancelDelivery(bench.context, id)).toBe("dead");
    await closeRedis(bell);
  });

  test("its payload can be changed while it waits and when it is dead, not while it runs", async () => {
    const { id } = await add("a");
    expect(await editDelivery(bench.context, id, { payload: "b".repeat(4000) })).toBe("edited");
    expect(await editDelivery(bench.context, id, { payload: "c" })).toBe("edited");
    const claim = await takeOne(worker);
    expect(payloadOf(claim)).toBe("c");
    expect(await editDelivery(bench.context, id, { payload: "d" })).toBe("claimed");
    await worker.settle([outcome(claim, "dead", { error: "no" })]);
    expect(await editDelivery(bench.context, id, { payload: "e" })).toBe("edited");
    expect(await editDelivery(bench.context, id, { delayMs: 5 })).toBe("dead");
    expect((await find(id))?.payload.toString()).toBe("e");
  });

  test("its time and class can be changed; it keeps its id, what it remembers, and runs once", async () => {
    const { id } = await add("a", { delayMs: 60_000 });
    await add("b", { class: 1 });
    expect(await editDelivery(bench.context, id, { delayMs: 0, class: 0 })).toBe("edited");
    expect(await find(id)).toMatchObject({ place: "waiting", header: { origin: id, class: 0 } });
    const [first] = (await worker.take({ ...TAKE, slots: 1 })).runs.flat();
    expect([first && payloadOf(first), first?.element.class]).toEqual(["a", 0]);
    expect(await find(id)).toMatchObject({ place: "claimed" });
    await worker.settle([outcome(first as never, "skip", { origin: id, delayMs: 1000, error: "no" })]);
    expect(await editDelivery(bench.context, id, { delayMs: 30_000 })).toBe("edited");
    expect((await find(id))?.notes).toEqual({ "error:1": "no" });
    await bench.pass(31, [worker]);
    const runs = (await worker.take(TAKE)).runs.flat();
    expect(runs.flatMap((claim) => (claim.body ? [payloadOf(claim)] : [])).sort()).toEqual(["a", "b"]);
    const moved = runs.find((claim) => claim.body && payloadOf(claim) === "a");
    expect(publicId(moved?.id ?? "0")).not.toBe(id);
    await worker.settle([outcome(moved as never, "done", { origin: id })]);
    expect(await find(id)).toBeUndefined();
    expect(await client.hlen(`${bench.context.keys.queue("default")}:o`)).toBe(0);
  });

  test("a beat tells what an operator ordered the pod to do", async () => {
    expect((await worker.beat()).order).toBe("");
    await orderWorker(bench.context, "pod", "quiet");
    expect((await worker.beat()).order).toBe("quiet");
    expect((await (await bench.worker("other.1")).beat()).order).toBe("");
    await orderWorker(bench.context, "pod", null);
    expect((await worker.beat()).order).toBe("");
  });

  test("history is kept by count and by age", async () => {
    const few = new Claims({ ...bench.context, queue: "default", wid: "few.1", historyLength: 2 });
    await few.register({ clientId: "1", pod: "few" });
    for (const text of ["a", "b", "c"]) {
      await add(text);
      await few.settle([outcome(await takeOne(few), "done", { history: text })]);
    }
    const texts = async (): Promise<string[]> =>
      (await readHistory(bench.context, "default", 10)).map(({ text }) => text);
    expect(await texts()).toEqual(["c", "b"]);
    await Promise.all(["d", "e", "f"].map((text) => add(text)));
    const claims = (await worker.take(TAKE)).runs.flat();
    await worker.settle(claims.map((claim) => outcome(claim, "done", { history: payloadOf(claim) })));
    expect(await readHistory(bench.context, "default", 2)).toMatchObject([
      { worker: "pod.1", text: "f" },
      { worker: "pod.1", text: "e" },
    ]);
    expect((await texts()).length).toBe(5);
    bench.offsetMs += 86_400_000 + 1000;
    await (await bench.worker("late.1")).beat();
    expect(await texts()).toEqual([]);
    expect(await client.hget(`${bench.context.keys.queue("default")}:m`, "history")).toBe("0");
  });
});
