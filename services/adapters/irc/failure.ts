// What a server's refusal of words means for the Action. Pure.

import type { ActionOutcome } from "../../sdk/adapter.ts";
import type { Line } from "./line.ts";

type Failure = Extract<ActionOutcome, { ok: false }>;

/** No such nick or channel, cannot send, not there, not allowed, full, banned, wrong key … */
const REFUSALS: ReadonlySet<string> = new Set(
  "401 403 404 405 407 411 412 413 415 442 443 471 473 474 475 476 477 481 482 489 520 531 716 972 974".split(" "),
);
/** Where waiting helps when we are on our way into the channel. */
const OUTSIDE: ReadonlySet<string> = new Set(["403", "404", "442"]);
const TOO_FAST: ReadonlySet<string> = new Set(["263", "437", "439", "707"]);
const TOO_FAST_MS = 15_000;

/** Undefined for every line that is no refusal. */
export function failureOf(line: Line, isAway: boolean): Failure | undefined {
  const { command, params } = line;
  const isStandard = command === "FAIL";
  const error = `${isStandard ? `${params[1] ?? ""} ` : ""}${command} ${params.at(-1) ?? ""}`.trim();
  if (TOO_FAST.has(command)) return { ok: false, kind: "rateLimited", retryAfterMs: TOO_FAST_MS, error };
  if (isAway && OUTSIDE.has(command)) return { ok: false, kind: "transient", error };
  if (isStandard || REFUSALS.has(command)) return { ok: false, kind: "permanent", error };
  return undefined;
}
