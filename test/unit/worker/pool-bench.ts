// A pool of threads with two slots each, and its quarantine, under a test's hand.

import { ActiveRun } from "../../../services/worker/active-run.ts";
import type { Wear } from "../../../services/worker/lane.ts";
import { Pool } from "../../../services/worker/pool.ts";
import type { ThreadConfig, ThreadData } from "../../../services/worker/protocol.ts";
import { Quarantine } from "../../../services/worker/quarantine.ts";
import { SlotMemory } from "../../../services/worker/slots.ts";
import { claimOf, Owner } from "./claims.ts";
import { FakeClock, Threads } from "./threads.ts";

const BASE = { config: {} as ThreadConfig, clockOffset: new Float64Array(1) };

export interface PoolBenchOptions {
  readonly threads?: number;
  readonly wear?: Wear;
}

export class PoolBench {
  readonly clock = new FakeClock();
  readonly threads = new Threads();
  readonly children = new Threads();
  readonly owner = new Owner();
  readonly events: string[] = [];
  readonly quarantine: Quarantine;
  readonly pool: Pool;

  constructor({ threads: count = 2, wear = { jobs: 0, heapMb: 0 } }: PoolBenchOptions = {}) {
    const { clock, threads, children, events } = this;
    const common = { emit: (name: string) => void events.push(name), clock, random: () => 1 };
    const data = (index: number): ThreadData => {
      return { ...BASE, kind: "work", index, slots: 2, slotMemory: SlotMemory.allocate(2) };
    };
    const quarantine = new Quarantine({ ...common, data: BASE, spawn: children.spawn });
    this.quarantine = quarantine;
    const all = Array.from({ length: count }, (_, index) => data(index));
    this.pool = new Pool({ ...common, kind: "work", threads: all, spawn: threads.spawn, wear, quarantine });
  }

  async start(): Promise<void> {
    const started = this.pool.start();
    for (const thread of this.threads.all) thread.say({ type: "ready" });
    await started;
  }

  /** An unkeyed delivery. */
  add(serial: number): ActiveRun {
    const run = new ActiveRun(this.owner, [claimOf({ id: `d${serial}` })], serial);
    this.pool.add(run);
    return run;
  }

  /** The mark of a route that begins now. */
  now(timeoutMs: number): { sinceMs: number; timeoutMs: number } {
    return { sinceMs: this.clock.now(), timeoutMs };
  }
}
