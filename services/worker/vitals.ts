// Tells every two seconds what this process' memory is and what its threads run: two small commands, whatever it does. That Redis
// is away is told by its connection.

import { getHeapStatistics } from "node:v8";
import { type BrokerContext, serverNowMs } from "../broker/connection.ts";
import { type ThreadVitals, writeVitals } from "../broker/vitals.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";

const TELL_MS = 2_000;
/** Of one process. */
const THREADS_MAX = 64;

/** What has threads. */
export interface Threaded {
  vitals(aheadMs: number): readonly ThreadVitals[];
}

export interface VitalsOptions {
  readonly broker: BrokerContext;
  /** Its random name. */
  readonly process: string;
  readonly threaded: readonly Threaded[];
  /** Of the threads that run no handlers; undefined as long as nobody knows. */
  readonly heapBeside: () => number | undefined;
  readonly isRedisThere: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
}

export function vitals(options: VitalsOptions): Loop {
  const { broker, threaded, heapBeside, isRedisThere, clock, random } = options;
  const tick = async (): Promise<void> => {
    if (!isRedisThere()) return;
    const aheadMs = (await serverNowMs(broker)) - clock.now();
    const threads = threaded.flatMap((one) => one.vitals(aheadMs)).slice(0, THREADS_MAX);
    // A child has a memory of its own.
    const heaps = threads.flatMap(({ thread, heapBytes = 0 }) => (thread === "quarantine" ? [] : heapBytes));
    const { used_heap_size: main, external_memory: buffers } = getHeapStatistics();
    const heapBytes = heaps.reduce((sum, bytes) => sum + bytes, main + buffers + (heapBeside() ?? 0));
    await writeVitals(broker, options.process, { rssBytes: process.memoryUsage.rss(), heapBytes, threads });
  };
  return new Loop({ name: "vitals", intervalMs: TELL_MS, tick, onError: () => {}, clock, random });
}
