// The benchmarks there are, and what each is given.

import { backends } from "./backends/backends.ts";
import { bus } from "./bus/bus.ts";
import { dashboard } from "./dashboard/dashboard.ts";
import { durability } from "./durability/durability.ts";
import { flood } from "./flood/flood.ts";
import { kills } from "./kills/kills.ts";
import { queue } from "./queue/queue.ts";
import type { Finished } from "./report.ts";

export interface BenchOptions {
  readonly rounds: number;
  /** Of each measurement that is limited by time. */
  readonly seconds: number;
  /** A folder for CPU profiles of what is measured; figures are not to be trusted then. */
  readonly profile?: string;
  /** Only this scenario, where a benchmark has several. */
  readonly only?: string;
  /** Says what was found so far. */
  readonly note: (text: string) => void;
}

export const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<Finished>>> = {
  durability,
  flood,
  queue,
  kills,
  bus,
  backends,
  dashboard,
};
