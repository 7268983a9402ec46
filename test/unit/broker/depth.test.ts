// How much is in a queue, told truthfully: what is due later, held, paused, and that nothing is left of what was cancelled.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Claims } from "../../../services/broker/claims.ts";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { queueDepth } from "../../../services/broker/depth.ts";
import { cancelDelivery, editDelivery, findDelivery } from "../../../services/broker/jobs.ts";
import { pause, resume } from "../../../services/broker/pauses.ts";
import type { NewDelivery } from "../../../services/broker/producer.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { deliveryNumber } from "../../../services/runtime/ids.ts";
import { Bench, outcome, TAKE, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  let worker: Claims;
  let routes: ReadonlyMap<string, number>;
  beforeAll(() => {
    client = openRedis({ url: url(), name: "depth", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(async () => {
    bench = new Bench(client);
    worker = await bench.worker("pod.1");
    routes = await registerRoutes(bench.context, ["h.one", "h.two"]);
  });

  const add = async (name: string, more: Partial<NewDelivery> = {}): Promise<string> => {
    const { key } = more;
    const header = { v: 1, kind: "job", route: name, ...(key !== undefined && { key }) } as const;
    const envelope = encodeEnvelope(header, "x");
    return (await bench.producer.enqueue("default", { route: routes.get(name) ?? 0, envelope, ...more })).id;
  };
  const depth = () => queueDepth(bench.context, "default");
  const entries = (): Promise<string[]> => client.zrange(`${bench.context.keys.queue("default")}:d`, "0", "-1");

  test("what is delayed, held, paused, in line, claimed and dead is counted apart", async () => {
    const [first] = [await add("h.one"), await add("h.one"), await add("h.one")];
    await worker.settle([outcome(await takeOne(worker), "dead", { error: "no" })]);
    await add("h.one", { delayMs: 60_000 });
    await add("h.one", { after: [first] });
    expect(await depth()).toEqual({
      name: "default",
      ready: 0,
      claimed: 2,
      delayed: 1,
      held: 1,
      paused: 0,
      dead: 1,
      stored: 5,
    });
  });

  test("what is set aside for a pause is paused, with all that stands behind it, until it is resumed", async () => {
    const first = await add("h.one", { delayMs: 60_000 });
    await add("h.one", { after: [first] });
    for (const key of ["k", "k", "k", "other"]) await add("h.one", { key });
    for (const name of ["h.two", "h.two"]) await add(name);
    await pause(bench.context, "default", { kind: "key", key: "k" });
    await pause(bench.context, "default", { kind: "route", route: routes.get("h.two") ?? 0 });
    expect((await worker.take(TAKE)).runs).toHaveLength(1);
    expect(await depth()).toMatchObject({ ready: 0, claimed: 1, delayed: 1, held: 1, paused: 5, stored: 8 });
    await resume(bench.context, "default", { kind: "key", key: "k" });
    expect(await depth()).toMatchObject({ ready: 3, claimed: 1, delayed: 1, held: 1, paused: 2 });
  });

  test("nothing is left of a delayed, retried or held one that was cancelled, and it delays nothing", async () => {
    const retried = await add("h.one", { key: "r" });
    await worker.settle([outcome(await takeOne(worker), "skip", { delayMs: 60_000, error: "no" })]);
    const delayed = await add("h.two", { delayMs: 60_000, key: "k" });
    const held = await add("h.two", { after: [delayed] });
    for (const id of [retried, held, delayed]) expect(await cancelDelivery(bench.context, id)).toBe("cancelled");
    await add("h.one");
    expect(await entries()).toEqual([]);
    expect(await depth()).toMatchObject({ ready: 1, delayed: 0, held: 0, stored: 1 });
    expect(await client.keys(`${bench.context.keys.tag}:[ah]*`)).toEqual([]);
  });

  test("one that is moved leaves nothing in its old place, and keeps its route", async () => {
    const id = await add("h.two", { delayMs: 60_000 });
    expect(await editDelivery(bench.context, id, { delayMs: 30_000 })).toBe("edited");
    expect(await editDelivery(bench.context, id, { delayMs: 40_000 })).toBe("edited");
    expect(await entries()).toHaveLength(1);
    expect(await depth()).toMatchObject({ ready: 0, delayed: 1, stored: 1 });
    const message = encodeEnvelope({ v: 1, kind: "message" }, "{}");
    const said = await bench.producer.enqueue("default", { route: 0, envelope: message });
    expect(await editDelivery(bench.context, said.id, { class: 0 })).toBe("edited");
    const claims = (await worker.take(TAKE)).runs.flat();
    expect(claims.find(({ body }) => body !== null)?.element.route).toBe(0);
  });

  test("one whose envelope cannot be read says so, and can be cancelled", async () => {
    const id = await add("h.one");
    await client.hset(`${bench.context.keys.queue("default")}:j`, deliveryNumber(id) ?? "", "no envelope");
    await expect(findDelivery(bench.context, id)).rejects.toMatchObject({ code: "ENVELOPE_UNREADABLE" });
    await expect(editDelivery(bench.context, id, { class: 0 })).rejects.toMatchObject({ code: "ENVELOPE_UNREADABLE" });
    expect(await cancelDelivery(bench.context, id)).toBe("cancelled");
  });
});
