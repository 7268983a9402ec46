import { afterEach, beforeEach, expect, test } from "vitest";
import { servedQueues, servedTags } from "../../../services/config/worker.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import type { Loop } from "../../../services/runtime/loop.ts";
import { QueueChoice } from "../../../services/worker/queue-choice.ts";
import type { ServedQueue } from "../../../services/worker/served-queue.ts";
import { ServedQueues } from "../../../services/worker/served-queues.ts";
import { waitFor } from "../../support/wait-for.ts";

const EVERYTHING = {
  queues: servedQueues.read("*", true) ?? [],
  tags: servedTags.read("*", true) ?? { all: true, untagged: false, only: [], never: [] },
};

let told: string[];
let names: readonly string[] | undefined;
let isThere: boolean;
let served: ServedQueues;
let discovery: Loop;

beforeEach(() => {
  [told, names, isThere] = [[], [], true];
  served = new ServedQueues({
    choice: new QueueChoice(EVERYTHING),
    open: (queue) => {
      const tell = (what: string) => async (): Promise<void> => void told.push(`${what} ${queue}`);
      const fetcher = { start: tell("start"), stop: tell("stop") };
      const fake = { queue, fetcher, register: tell("register"), pause: tell("pause"), resume: tell("resume") };
      return fake as unknown as ServedQueue;
    },
    look: async () => names,
    isRedisThere: () => isThere,
    emit: (name, fields) => void told.push(`${name} ${JSON.stringify(fields)}`),
    clock: systemClock,
    random: Math.random,
  });
  discovery = served.discovery();
});
afterEach(() => discovery.stop());

async function look(): Promise<void> {
  await discovery.start();
  discovery.wake();
}

test("a queue that is found is opened, started and registered once", async () => {
  await served.start();
  names = ["chat", "default", "outbox/irc", "reports"];
  told = [];
  await look();
  await waitFor(() => told.length === 2);
  discovery.wake();
  await waitFor(() => served.all.length === 3);
  expect(told).toEqual(["start reports", "register reports"]);
});

test("while Redis is away nothing is looked for", async () => {
  isThere = false;
  let looks = 0;
  served = new ServedQueues({
    choice: new QueueChoice(EVERYTHING),
    open: () => ({}) as ServedQueue,
    look: async () => (looks++, []),
    isRedisThere: () => isThere,
    emit: () => {},
    clock: systemClock,
    random: Math.random,
  });
  discovery = served.discovery();
  await look();
  isThere = true;
  discovery.wake();
  await waitFor(() => looks === 1);
});

test("more queues than a worker can serve are left to others, and that is told once", async () => {
  await served.start();
  names = Array.from({ length: 100 }, (_, index) => `q${String(index).padStart(2, "0")}`);
  await look();
  await waitFor(() => told.some((line) => line.startsWith("queues.full")));
  discovery.wake();
  await waitFor(() => served.all.length === 64);
  expect(told.filter((line) => line.startsWith("queues.full"))).toEqual(['queues.full {"queue":"q62","most":64}']);
});

test("a queue that is found while the worker is quiet takes nothing before it is told to go on", async () => {
  await served.start();
  served.pause();
  names = ["reports"];
  await look();
  await waitFor(() => told.includes("register reports"));
  expect(told).toContain("pause reports");
  served.resume();
  expect(told).toContain("resume reports");
});
