// The loop of a subject's process: does what it is told, and measures by itself, so that no message between processes counts.

import { bodyOf } from "./body.ts";
import type { Fill, FromSubject, Item, Loops, Pace, QueueSubject, ToSubject, Work } from "./protocol.ts";
import { clockMs, Tally } from "./tally.ts";

/** Batches under way: one waits for its answer while the next is made. */
const UNDERWAY = 2;
const POLL_MS = 5;

export function serve(subject: QueueSubject): void {
  process.once("disconnect", () => process.exit(0));
  process.on("message", (message: ToSubject) => {
    answer(subject, message).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
}

function tell(message: FromSubject): void {
  process.send?.(message);
}

async function answer(subject: QueueSubject, message: ToSubject): Promise<void> {
  switch (message.type) {
    case "open":
      await subject.open(message.url);
      return tell({ type: "opened" });
    case "fill":
      return tell({ type: "filled", jobs: message.jobs, ms: await fill(subject, message) });
    case "pace":
      return tell({ type: "filled", jobs: message.jobs, ms: await pace(subject, message) });
    case "work":
      return await work(message, (memory) => subject.work(message, memory));
    case "loops":
      return await work(message, (memory) => subject.loops(message, memory));
  }
}

async function fill(subject: QueueSubject, { jobs, batch, keys, delayMs = 0 }: Fill): Promise<number> {
  let made = 0;
  const next = (): Item[] =>
    Array.from({ length: Math.min(batch, jobs - made) }, () => {
      const key = keys === 0 ? "" : `key-${made % keys}`;
      made++;
      return { body: bodyOf(0), key, delayMs };
    });
  const startedAt = performance.now();
  const one = async (): Promise<void> => {
    for (let items = next(); items.length > 0; items = next()) await subject.enqueue(items);
  };
  await Promise.all(Array.from({ length: UNDERWAY }, one));
  return performance.now() - startedAt;
}

/** By the clock, whatever becomes of those before. */
async function pace(subject: QueueSubject, { jobs, perSecond, keys, hotShare = 0 }: Pace): Promise<number> {
  const startedAt = performance.now();
  const sent: Promise<unknown>[] = [];
  for (let made = 0; made < jobs;) {
    const due = Math.min(jobs, Math.floor(((performance.now() - startedAt) / 1000) * perSecond) + 1);
    for (; made < due; made++) {
      const isHot = Math.floor((made + 1) * hotShare) > Math.floor(made * hotShare);
      const key = isHot ? "hot" : keys === 0 ? "" : `key-${made % keys}`;
      sent.push(subject.enqueue([{ body: bodyOf(isHot ? 0 : clockMs()), key, delayMs: 0 }]));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(sent);
  return performance.now() - startedAt;
}

type Start = (memory: SharedArrayBuffer) => Promise<unknown>;

async function work({ jobs, skipped }: Work | Loops, start: Start): Promise<void> {
  const tally = Tally.of(jobs, skipped);
  await start(tally.memory);
  tell({ type: "working" });
  while (!tally.isOver) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  const latencies = tally.latencies.filter((latency) => latency > 0);
  tell({ type: "worked", ...tally.counted, latencies });
}
