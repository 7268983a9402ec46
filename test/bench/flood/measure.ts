// One load on one fresh subject, with pings meanwhile, until everything that was accepted has run.

import { cpuOf, cpuOfAll, cpuOfThreads, Measurer, memoryOf } from "../processes.ts";
import type { FromLoad, Load, LoadResult } from "./load-protocol.ts";
import type { FromPings, PingResult, ToPings } from "./pings-protocol.ts";
import type { Subject, Surroundings } from "./subject.ts";
import { Tally } from "./tally.ts";

export const PAYLOAD_BYTES = 71 * 1024;

export interface Measured {
  readonly load: LoadResult;
  readonly pings: PingResult;
  readonly acceptedPerSecond: number;
  /** Runs per second while the load lasted. */
  readonly handledPerSecond: number;
  /** Accepted and never run. */
  readonly lost: number;
  /** Run more than once. */
  readonly repeated: number;
  /** From the end of the load until all had run. */
  readonly drainMs: number;
  /** Cores used during the load, by process; `others` had nothing to do with it. */
  readonly cores: Readonly<Record<string, number>>;
  /** The same of the threads of the process that takes the webhooks. */
  readonly threads: Readonly<Record<string, number>>;
  readonly idleMiB: number;
  readonly peakMiB: number;
  readonly bootMs: number;
}

export type LoadOptions = Omit<Load, "port" | "bytes" | "label">;

export interface MeasureOptions {
  readonly start: (around: Surroundings) => Promise<Subject>;
  readonly load: LoadOptions;
  /** Pings count until the load ends, or until everything has run. */
  readonly pingsUntil: "over" | "drained";
}

/** From ready to "idle". */
const REST_MS = 1_500;
const OPEN_MS = 20_000;
/** Beyond its own limits. */
const LATE_MS = 30_000;
/** Without a run for so long, the rest is lost. */
const SILENT_MS = 15_000;
const DRAIN_MS_MAX = 180_000;

export async function measure({ start, load, pingsUntil }: MeasureOptions): Promise<Measured> {
  const tally = await Tally.start();
  const pings = new Measurer<ToPings, FromPings>(new URL("./pings.ts", import.meta.url));
  let subject: Subject | undefined;
  try {
    const { chatPort } = await pings.hear("listening", OPEN_MS);
    subject = await start({ tallyPort: tally.port, chatPort });
    await sleep(REST_MS);
    const idleMiB = memoryOf(subject.main.pid);
    pings.tell({ type: "open", port: subject.httpPort });
    await pings.hear("open", OPEN_MS);
    return { idleMiB, bootMs: subject.bootMs, ...(await underLoad({ subject, tally, pings, load, pingsUntil })) };
  } catch (error) {
    const last = subject?.main.hasEnded
      ? `\n${subject.name} has ended:\n${subject.main.lines.slice(-20).join("\n")}`
      : "";
    throw new Error(`${String(error)}${last}`, { cause: error });
  } finally {
    await pings.end();
    await subject?.stop();
    await tally.stop();
  }
}

interface UnderLoad extends Omit<MeasureOptions, "start"> {
  readonly subject: Subject;
  readonly tally: Tally;
  readonly pings: Measurer<ToPings, FromPings>;
}

async function underLoad(run: UnderLoad): Promise<Omit<Measured, "idleMiB" | "bootMs">> {
  const { subject, tally, pings, load, pingsUntil } = run;
  const generator = new Measurer<Load, FromLoad>(new URL("./load.ts", import.meta.url));
  const limitMs = load.durationMs + LATE_MS;
  try {
    generator.tell({ ...load, port: subject.httpPort, bytes: PAYLOAD_BYTES, label: "push" });
    await generator.hear("measuring", load.warmupMs + LATE_MS);
    pings.tell({ type: "measure" });
    const watch = new Watch(subject, { load: generator.pid, pings: pings.pid }, tally);
    await generator.hear("over", limitMs);
    const watched = watch.end();
    if (pingsUntil === "over") pings.tell({ type: "stop" });
    const result = await generator.hear("done", limitMs);
    const drainMs = await drained(tally, result.accepted);
    if (pingsUntil === "drained") pings.tell({ type: "stop" });
    return {
      load: result,
      pings: await pings.hear("result", LATE_MS),
      acceptedPerSecond: result.acceptedInTime / (result.ms / 1000),
      ...watched,
      lost: result.accepted.filter((number) => tally.runsOf(number) === 0).length,
      repeated: tally.repeated,
      drainMs,
      peakMiB: memoryOf(subject.main.pid, "VmHWM"),
    };
  } finally {
    await generator.end();
  }
}

interface Used {
  readonly all: number;
  readonly processes: Readonly<Record<string, number>>;
  readonly threads: Readonly<Record<string, number>>;
}

/** What happened between its making and its end. */
class Watch {
  readonly #pids: Readonly<Record<string, number>>;
  readonly #main: number;
  readonly #tally: Tally;
  readonly #at = performance.now();
  readonly #runs: number;
  readonly #before: Used;

  constructor(subject: Subject, measuring: Readonly<Record<string, number>>, tally: Tally) {
    this.#pids = { ...subject.pids, ...measuring, bench: process.pid };
    this.#main = subject.main.pid;
    this.#tally = tally;
    this.#runs = tally.total;
    this.#before = this.#used();
  }

  end(): Pick<Measured, "handledPerSecond" | "cores" | "threads"> {
    const seconds = (performance.now() - this.#at) / 1000;
    const { all, processes, threads } = this.#used();
    const cores = rates(processes, this.#before.processes, seconds);
    const ours = Object.values(cores).reduce((sum, one) => sum + one, 0);
    const others = Math.max(0, (all - this.#before.all) / seconds - ours);
    return {
      handledPerSecond: (this.#tally.total - this.#runs) / seconds,
      cores: { ...cores, others },
      threads: rates(threads, this.#before.threads, seconds),
    };
  }

  #used(): Used {
    const processes = Object.entries(this.#pids).map(([name, pid]) => [name, cpuOf(pid)] as const);
    return { all: cpuOfAll(), processes: Object.fromEntries(processes), threads: cpuOfThreads(this.#main) };
  }
}

function rates(after: Used["threads"], before: Used["threads"], seconds: number): Record<string, number> {
  return Object.fromEntries(
    Object.keys(after).map((name) => [name, ((after[name] ?? 0) - (before[name] ?? 0)) / seconds]),
  );
}

/** @returns how long it took until all had run, or nothing ran any more */
async function drained(tally: Tally, accepted: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  let movedAt = startedAt;
  let seen = tally.total;
  let left = accepted;
  for (;;) {
    left = left.filter((number) => tally.runsOf(number) === 0);
    const now = performance.now();
    if (tally.total !== seen) movedAt = now;
    seen = tally.total;
    if (left.length === 0 || now - movedAt > SILENT_MS || now - startedAt > DRAIN_MS_MAX) return now - startedAt;
    await sleep(20);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
