// An `Emit` that also tells error trackers, several at once. Each gets each report; a flood of equal ones is told once.

import type { Clock, Random } from "../runtime/clock.ts";
import { addNewest, setNewest } from "../runtime/newest.ts";
import type { Emit, EventFields, EventName } from "./events.ts";
import { maskOf, type Report, reportOf } from "./report.ts";
import { Tracker } from "./tracker.ts";
import { FunctionTracker } from "./tracker-function.ts";
import { postTransport } from "./tracker-post.ts";
import type { About, Transport } from "./transport.ts";

/** Plain data: it crosses threads. */
export interface ReportingOptions {
  /** `sentry+https://key@host/project`, `otlp+https://host/v1/logs`, URLs that get the report as JSON, and files of functions. */
  readonly trackers: readonly string[];
  /** Texts that are taken out of every report. */
  readonly secrets: readonly string[];
  readonly about: Omit<About, "mode" | "thread">;
}

export interface Reporting {
  readonly emit: Emit;
  /** Takes what another thread of this process reports, for those trackers that only one thread has. */
  report(report: Report): void;
  /** Lets what waits be sent, for a moment. */
  close(): Promise<void>;
}

export interface ReportingAround extends Pick<About, "mode" | "thread"> {
  /** Hears every event, too. */
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
  /** Functions of one's own run once for the whole process: where they are looked for, or who is told of reports for them. */
  readonly functions: { readonly cwd: string } | { readonly tell: (report: Report) => void };
}

const CLOSE_MS = 1_000;
/** Reports of the same event, place and error within this time are one. */
const SAME_MS = 1_000;
const SAME_MAX = 1_000;

export function openReporting(options: ReportingOptions, around: ReportingAround): Reporting {
  const { emit, clock, random, mode, thread } = around;
  if (options.trackers.length === 0) return { emit, report: () => {}, close: async () => {} };
  const about = { ...options.about, mode, ...(thread === undefined ? {} : { thread }) };
  const opened = (transport: Transport): Tracker => new Tracker({ transport, emit, clock, random });
  const [files, urls] = [options.trackers.filter(isFile), options.trackers.filter((written) => !isFile(written))];
  const posted = urls.map((url) => opened(postTransport(url, about)));
  const { functions } = around;
  const own =
    "cwd" in functions
      ? files.map((path) => opened(new FunctionTracker({ path, cwd: functions.cwd, about, clock })))
      : [];
  const report = (one: Report): void => own.forEach((tracker) => tracker.report(one));
  const tellOwn = "tell" in functions && files.length > 0 ? functions.tell : report;
  const seen = new Seen(clock);
  const mask = maskOf(options.secrets);
  return {
    emit: (name, fields) => {
      emit(name, fields);
      if (!seen.isNew(name, fields)) return;
      const made = reportOf(name, fields, { nowMs: clock.now(), mask });
      if (made === undefined || !seen.isFirst(made)) return;
      for (const tracker of posted) tracker.report(made);
      tellOwn(thread === undefined ? made : { ...made, thread });
    },
    report,
    close: async () => void (await Promise.all([...posted, ...own].map((tracker) => tracker.close(CLOSE_MS)))),
  };
}

/** As config/reports.ts takes it. */
function isFile(written: string): boolean {
  return /^\.{0,2}\//.test(written);
}

/** What was reported lately. */
class Seen {
  readonly #clock: Clock;
  readonly #untilMs = new Map<string, number>();
  /** Runs whose last failure was told: the dead letter that comes of it is the same news. */
  readonly #last = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isNew(name: EventName, fields: unknown): boolean {
    if (name === "run.failed") {
      const { route, origin, next } = fields as EventFields["run.failed"];
      if (next === "dead letter") addNewest(this.#last, `${origin} ${route}`, SAME_MAX);
    }
    if (name !== "run.dead") return true;
    const { route, origin } = fields as EventFields["run.dead"];
    return !this.#last.delete(`${origin} ${route}`);
  }

  isFirst({ event, where, run, error }: Report): boolean {
    const same = [event, where, run.route, run.next === "dead letter", error.type, error.message].join("\n");
    const now = this.#clock.monotonic();
    if ((this.#untilMs.get(same) ?? now) > now) return false;
    setNewest(this.#untilMs, [same, now + SAME_MS], SAME_MAX);
    return true;
  }
}
