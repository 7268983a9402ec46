// The leader of `control` does all of it, and nothing any more when it has ended.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { Tenure } from "../../../services/leader/duty.ts";
import { Control } from "../../../services/master/control.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { type Clock, systemClock } from "../../../services/runtime/clock.ts";
import { Bench, outcome, takeOne } from "../../support/broker.ts";
import { testRedis } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

let client: RedisClient;
let bench: Bench;
let control: Control;
const told: string[] = [];

beforeEach(async () => {
  client = openRedis({ url: (await testRedis()).url, name: "control", purpose: "commands", onState: () => {} });
  bench = new Bench(client);
  told.length = 0;
  // A hundred times as fast.
  const clock: Clock = {
    ...systemClock,
    monotonic: () => performance.now() * 100,
    sleep: (ms, signal) => systemClock.sleep(ms / 100, signal),
  };
  control = new Control({
    broker: bench.context,
    routes: [{ kind: "every", id: "ticker.tick", periodMs: 1000, queue: "ticks" }],
    retention: { length: 1, ageMs: 1e12 },
    thereSince: () => 0,
    clock,
    random: Math.random,
    emit: (name) => void told.push(name),
  });
});
afterEach(async () => {
  await control.end();
  await closeRedis(client);
});

test("schedules fire, dead workers are reaped, dead letters are trimmed, unserved queues are told", async () => {
  const worker = await bench.worker("w");
  for (const text of ["a", "b"]) {
    await bench.add(text);
    await worker.settle([outcome(await takeOne(worker), "dead", { error: "broken" })]);
  }
  await worker.register({ clientId: "999999", pod: "nowhere" });
  await client.set(bench.context.keys.epoch("control"), "1");
  const { signal } = new AbortController();
  const tenure: Tenure = {
    unit: "control",
    epoch: "1",
    signal,
    held: () => true,
    confirmed: async () => true,
    assert: () => {},
  };
  await control.begin(tenure);
  const all = ["cron.fired", "claims.reaped", "dead.trimmed", "queue.unserved"];
  await waitFor(() => all.every((name) => told.includes(name)));
  await control.end();
  const count = told.length;
  const until = performance.now() + 1_200;
  await waitFor(() => performance.now() > until);
  expect(told).toHaveLength(count);
});
