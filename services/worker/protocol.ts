// What the main thread and a handler thread (or a quarantine child) say to each other; packing.ts says in which form.
//
//   main ── runs ──▶ thread     thread ── ready | unfit ──▶ main      (once, after load and setup)
//   main ── abort ─▶ thread     thread ── settled ──────────▶ main     (one message per tick, one entry per delivery)
//   main ── go ────▶ thread                                             (what the delivery before it said is written)
//   main ── collect ▶ thread                                            (its garbage; main reads by itself what is left)
//   main ── measure ▶ child      child ── memory ───────────▶ main     (what main cannot read: child-memory.ts)
//                               thread ── measured ─────────▶ main     (what was counted there, for /metrics), report
//   main ── stop ──▶ thread     thread ── stopped ──────────▶ main     (after teardown; then it exits)
//
// A run is up to four deliveries of one ordering key (or one unkeyed delivery). It owns one slot of the thread, its
// deliveries are run one after another, and each is answered by exactly one entry of `settled`. After an outcome for
// which `endsRun` holds, the rest of the run is dropped without an answer; after one for which `holdsRun` does, the next
// delivery waits for `go`. Beside the messages there is shared memory: slots.ts says who writes what there.

import type { AdapterFacts } from "../adapters/load.ts";
import type { ClaimRef, Settlement } from "../broker/claims.ts";
import type { Effect } from "../broker/effects.ts";
import type { Element } from "../broker/delivery.ts";
import type { Durability } from "../redis/durable.ts";
import type { ErrorCode } from "../runtime/errors.ts";
import type { Level } from "../telemetry/events.ts";
import type { Change } from "../telemetry/meter.ts";
import type { Report } from "../telemetry/report.ts";
import type { Carrier } from "../telemetry/carrier.ts";
import type { TracingOptions } from "../telemetry/tracing.ts";
import type { ReportingOptions } from "../telemetry/trackers.ts";
import type { Memory } from "./child-memory.ts";
import type { PackedAnswers, PackedRuns } from "./packing.ts";
import type { Started } from "./slots.ts";

/** The kinds of handler threads: chat runs Messages, work everything else, quarantine one delivery that crashed twice. */
export type ThreadKind = "chat" | "work" | "quarantine";

/** For capability checks at load and for coded errors of a run. */
export type { AdapterFacts } from "../adapters/load.ts";

/** The part of the configuration that handlers' threads need. Plain data: it crosses threads and processes. */
export interface ThreadConfig {
  readonly redisUrl: string;
  readonly namespace: string;
  readonly database: number;
  /** How people address the bot. */
  readonly name: string;
  readonly alias: string;
  /** Folders, files and packages. */
  readonly handlers: readonly string[];
  /** Handler name -> its settings as written in the configuration file. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The variables ANTIPHON_HANDLER_<NAME>_<SETTING>, which win over `settings`. */
  readonly handlerVariables: Readonly<Record<string, string>>;
  /** Where relative paths and packages in `handlers` are looked for. */
  readonly cwd: string;
  readonly adapters: readonly AdapterFacts[];
  /** The room that all Actions go to instead of their own. */
  readonly redirect?: string;
  /** Group name -> user ids fixed by configuration. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly admins: readonly string[];
  /** Limits of the queues that effects enqueue into. */
  readonly queueLimits: { readonly deliveries: number; readonly bytes: number };
  /** What an enqueue waits for. */
  readonly durability: Durability;
  readonly log: {
    readonly level: Level;
    readonly format: "json" | "pretty";
    /** Of one route in one thread. */
    readonly linesPerSecond: number;
  };
  /** Who hears of errors. */
  readonly reports: ReportingOptions;
  /** Where traces go, if anybody asked for them. */
  readonly traces?: TracingOptions | undefined;
}

/** `workerData` of a thread; the first IPC message of a quarantine child, there without `slotMemory`. */
export interface ThreadData {
  readonly kind: ThreadKind;
  /** Which thread of the process, for logs and connection names. */
  readonly index: number;
  readonly slots: number;
  readonly config: ThreadConfig;
  /** For `SlotMemory` in slots.ts. */
  readonly slotMemory: SharedArrayBuffer;
  /** [0] is added to the server's clock inside the scripts, ms; for tests. Shared with main; a child has a copy. */
  readonly clockOffset: Float64Array;
}

/** One delivery as a handler thread sees it. */
export interface ThreadClaim extends ClaimRef {
  /** Names this delivery between main and this thread; goes into `SlotMemory.begin` and into `Settled`. */
  readonly serial: number;
  readonly element: Element;
  /** Null: it is in a key of its own, named by `bodyToken`; or the delivery was deleted, then `bodyToken` is empty too. */
  readonly body: Buffer | null;
}

/**
 * The run's first delivery has already failed, together with the thread or child that ran it. Its handler is not called
 * again now: the thread composes the Settlement as if the run had ended with this error (RUN_TIMEOUT counts an attempt
 * and follows the route's policy, as does RUN_HEAP; RUN_CANCELLED settles as done; RUN_CRASHED settles as `crash`, or as
 * `dead` when one more crash makes it so).
 */
export interface Failure {
  readonly code: Extract<ErrorCode, "RUN_TIMEOUT" | "RUN_CRASHED" | "RUN_CANCELLED" | "RUN_HEAP">;
  readonly detail: string;
  readonly afterMs: number;
  /** Number of the route that ran, where it is known: the other routes of a Message are not to blame. */
  readonly route?: number;
}

export interface ThreadRun {
  readonly queue: string;
  readonly wid: string;
  readonly slot: number;
  readonly claims: readonly ThreadClaim[];
  readonly failed?: Failure;
}

/**
 * timeout: the route's time is over. heap: its thread has more memory than the route may have. cancel: nobody wants it any
 * more. drain: the process stops. fenced: the claims are lost, nothing can be written.
 */
export type AbortReason = "timeout" | "heap" | "cancel" | "drain" | "fenced";

export type ToThread =
  | { readonly type: "runs"; readonly packed: PackedRuns }
  /**
   * Abort the signals of these deliveries; their outcome is answered as ever. With another reason than `timeout` or `heap`,
   * nothing of their runs starts any more: where the delivery itself has not started, it is answered with `interrupted`, or
   * as done after `cancel`.
   */
  | { readonly type: "abort"; readonly serials: readonly number[]; readonly reason: AbortReason }
  /** The delivery of this serial may begin: the outcome of the one before it in its run is written. See `holdsRun`. */
  | { readonly type: "go"; readonly serial: number }
  /** Collect garbage: main looks how much is in use without it. */
  | { readonly type: "collect" }
  /** To a quarantine child only: say how much is in use. */
  | { readonly type: "measure" }
  /** Run teardown, answer `stopped`, close connections and let the thread or process end by itself. */
  | { readonly type: "stop"; readonly deadlineMs: number };

/**
 * What came of one delivery. Two kinds are never written to Redis: `lost` (a script said that the claim is not ours any
 * more) and `interrupted` (aborted by a drain, or not started because of it; main hands it back, uncounted).
 * An effect with more than 2 KiB in it does not belong here: the thread writes it itself before (broker/effects.ts).
 * Whoever adds a field tells packing.ts of it.
 */
export interface Settled {
  readonly serial: number;
  readonly kind: Settlement["kind"] | "lost" | "interrupted";
  readonly delayMs?: number;
  readonly error?: string;
  readonly origin: string;
  readonly effects: readonly Effect[];
  readonly history: string;
  /** Of its run, where that is traced: main tells when the outcome is written. */
  readonly trace?: Carrier;
}

export type FromThread =
  | { readonly type: "ready" }
  /** Loading or setup failed: the worker's start fails with this. */
  | { readonly type: "unfit"; readonly code: string; readonly message: string }
  /** At most one per tick of the thread. */
  | { readonly type: "settled"; readonly list: readonly Settled[] }
  /** The same from a thread, packed. Its host unpacks it. */
  | { readonly type: "answers"; readonly packed: PackedAnswers }
  /** From a quarantine child only, in place of `SlotMemory`: a route begins. */
  | ({ readonly type: "began" } & Omit<Started, "sinceMs">)
  /** Likewise, when a route begins and when it is asked: its host keeps it. */
  | ({ readonly type: "memory" } & Memory)
  /** What was counted there; at most once a second. */
  | { readonly type: "measured"; readonly changes: readonly Change[] }
  /** What failed there, for error trackers that are functions: they run once in a process. */
  | { readonly type: "report"; readonly report: Report }
  | { readonly type: "stopped" };

/** Whether the rest of a run is un-claimed by settling one of its deliveries so, and therefore must not be started. */
export function endsRun(kind: Settled["kind"]): boolean {
  return kind === "block" || kind === "park" || kind === "crash" || kind === "lost" || kind === "interrupted";
}

/**
 * Whether the next delivery of the run must wait until this outcome is written: it would not read what this one stored,
 * and could say its words before this one's, which ride in the settle.
 */
export function holdsRun(settled: Settled): boolean {
  return settled.effects.length > 0 && !endsRun(settled.kind);
}
