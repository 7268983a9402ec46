// What cron and every routes say beside their times: what becomes of slots that were missed, and of runs that overlap.

import type { Options, Report } from "./build-options.ts";

/** Of slots that nobody could fire: only the latest is run, none, or each (the latest 100). */
export type Misfire = "latest" | "skip" | "all";
/** Whether a slot is run while the run of an earlier one waits or runs. */
export type Overlap = "allow" | "skip";

export interface TimedOptions {
  /** For slots that were missed while the bot was down. Default: `latest`. */
  readonly misfire?: Misfire;
  /** `skip`: a slot whose predecessor has not finished is left out. Default: `allow`. */
  readonly overlap?: Overlap;
}

export interface TimedCtx {
  /** The time that this run stands for: not later than now, and the same in all attempts. */
  readonly slot: Date;
}

export const TIMED_OPTIONS = ["misfire", "overlap"] as const;
export const MISFIRES: readonly Misfire[] = ["latest", "skip", "all"];
export const OVERLAPS: readonly Overlap[] = ["allow", "skip"];

/** What is absent is left out. */
export function readTimed(options: Options, report: Report): TimedOptions {
  const misfire = readChoice(options, { name: "misfire", choices: MISFIRES, report });
  const overlap = readChoice(options, { name: "overlap", choices: OVERLAPS, report });
  return { ...(misfire && { misfire }), ...(overlap && { overlap }) };
}

interface Choice<T> {
  readonly name: string;
  readonly choices: readonly T[];
  readonly report: Report;
}

function readChoice<T extends string>(options: Options, { name, choices, report }: Choice<T>): T | undefined {
  const value = options[name];
  const found = choices.find((choice) => choice === value);
  if (value !== undefined && found === undefined)
    report(`${name} must be one of ${choices.map((choice) => `"${choice}"`).join(", ")}`);
  return found;
}

/** What a run is given of its delivery's payload. An operator's "run now" and an older release give no slot or none that is one. */
export function timedCtx(payload: string, nowMs: number): TimedCtx {
  try {
    const { slot } = JSON.parse(payload) as { readonly slot?: unknown };
    if (typeof slot === "number" && Number.isSafeInteger(slot)) return { slot: new Date(slot) };
  } catch {
    // As if there were none.
  }
  return { slot: new Date(nowMs) };
}
