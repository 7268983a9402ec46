import { expect, test, vi } from "vitest";
import type { OutboxClaims } from "../../../services/broker/outbox.ts";
import type { Tenure } from "../../../services/leader/duty.ts";
import type { Executor } from "../../../services/master/executor.ts";
import { Sender } from "../../../services/master/sender.ts";
import type { RedisClient } from "../../../services/redis/connect.ts";
import { AntiphonError } from "../../../services/runtime/errors.ts";
import { ManualClock } from "../../support/manual-clock.ts";

test("while Redis is away it is asked again soon, so that nobody waits for words once it is back", async () => {
  const clock = new ManualClock();
  const take = vi.fn(async () => Promise.reject(new AntiphonError("REDIS_UNAVAILABLE", "")));
  const outbox = { bell: "bell", recover: async () => new Map(), held: async () => [], take };
  const sender = new Sender({
    outbox: outbox as unknown as OutboxClaims,
    executor: {} as Executor,
    tenure: { unit: "fake", signal: new AbortController().signal, held: () => true } as unknown as Tenure,
    readBody: async () => null,
    subscriber: {
      on: () => {},
      off: () => {},
      ssubscribe: async () => 1,
      sunsubscribe: async () => 1,
    } as unknown as RedisClient,
    ready: () => true,
    clock,
    random: () => 0.5,
    emit: () => {},
  });
  await sender.start();
  const pass = async (ms: number): Promise<void> => {
    for (let step = 0; step < ms / 50; step++) await clock.advance(50);
  };
  await pass(10_000);
  const tries = take.mock.calls.length;
  await pass(3_000);
  expect(take.mock.calls.length - tries).toBeGreaterThan(2);
  await sender.stop();
});
