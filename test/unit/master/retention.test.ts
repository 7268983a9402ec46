// Dead letters within bounds: which go, what goes with them, and that it is told.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { deadLetters } from "../../../services/broker/dead.ts";
import { Retention } from "../../../services/master/retention.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { Bench, LIMITS, outcome, TAKE } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const DAY_MS = 86_400_000;

eachServer((_name, getUrl) => {
  let client: RedisClient;
  let bench: Bench;
  let running: Retention | undefined;

  beforeAll(() => {
    client = openRedis({ url: getUrl(), name: "retention", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(() => {
    bench = new Bench(client);
  });
  afterEach(() => running?.stop());

  /** Fail for good, in this order. Answers their ids. */
  async function die(texts: readonly string[], queue = "default"): Promise<string[]> {
    const worker = await bench.worker("w", queue);
    const envelopeOf = (text: string) => ({ route: 7, envelope: Buffer.from(`{"v":1,"kind":"job","at":0}\n${text}`) });
    const enqueued = await bench.producer.enqueueAll(queue, texts.map(envelopeOf));
    for (;;) {
      const { runs } = await worker.take({ ...TAKE, slots: 500 });
      if (runs.length === 0) break;
      await worker.settle(runs.flat().map((claim) => outcome(claim, "dead", { error: "it is broken" })));
    }
    return enqueued.map(({ id }) => id);
  }

  async function retain(retention: { length: number; ageMs: number }, held = true): Promise<string[]> {
    const told: string[] = [];
    const emit = (name: string, fields: object): void => void told.push(`${name} ${JSON.stringify(fields)}`);
    const { signal } = new AbortController();
    const tenure = {
      unit: "control",
      epoch: "1",
      signal,
      held: () => held,
      confirmed: async () => held,
      assert: () => {},
    };
    running = new Retention({
      broker: bench.context,
      retention,
      tenure,
      clock: systemClock,
      random: Math.random,
      emit,
    });
    await running.start();
    return told;
  }

  const idsIn = async (queue = "default"): Promise<string[]> =>
    (await deadLetters(bench.context, queue, { limit: LIMITS.deliveries })).map(({ id }) => id).toReversed();
  const stored = (queue = "default"): Promise<number> =>
    bench.context.client.hlen(`${bench.context.keys.queue(queue)}:j`);

  test("beyond the length the oldest go with their bodies, in each queue, and that is told", async () => {
    const ids = await die(["a", "b", "c", "d", "x".repeat(5000)]);
    const others = await die(["e"], "others");
    const told = await retain({ length: 3, ageMs: DAY_MS });
    await waitFor(() => told.length > 0);
    expect(told).toEqual(['dead.trimmed {"queue":"default","letters":2}']);
    expect(await idsIn()).toEqual(ids.slice(2));
    expect(await idsIn("others")).toEqual(others);
    expect(await stored()).toBe(3);
  });

  test("what is older than the age goes, by the server's clock", async () => {
    await die(["a", "b"]);
    bench.offsetMs = DAY_MS - 60_000;
    const younger = await die(["c"]);
    bench.offsetMs = DAY_MS + 60_000;
    const told = await retain({ length: 100, ageMs: DAY_MS });
    await waitFor(() => told.length > 0);
    expect(told).toEqual(['dead.trimmed {"queue":"default","letters":2}']);
    expect(await idsIn()).toEqual(younger);
  });

  test("more than one look takes away is gone soon after", async () => {
    const ids = await die(Array.from({ length: 2_300 }, (_, index) => String(index)));
    const told = await retain({ length: 1, ageMs: DAY_MS });
    await waitFor(() => told.length > 1);
    expect(told.map((line) => JSON.parse(line.slice("dead.trimmed ".length)) as unknown)).toEqual([
      { queue: "default", letters: 2_000 },
      { queue: "default", letters: 299 },
    ]);
    expect(await idsIn()).toEqual(ids.slice(-1));
  });

  test("who does not lead forgets nothing", async () => {
    await die(["a", "b"]);
    const told = await retain({ length: 1, ageMs: DAY_MS }, false);
    await running?.stop();
    expect(told).toEqual([]);
    expect(await idsIn()).toHaveLength(2);
  });
});
