// Runs one route once: the gate, the author's function, its effects, and what came of it.

import { AsyncLocalStorage } from "node:async_hooks";
import { createHash } from "node:crypto";
import type { Effect } from "../broker/effects.ts";
import type { LoadedRoute } from "../handlers/manifest.ts";
import { AntiphonError, hasCode } from "../runtime/errors.ts";
import { isOutcome, type RunOutcome } from "../sdk/outcome.ts";
import type { AnyRoute } from "../sdk/routes.ts";
import type { RunEnd } from "../telemetry/events.ts";
import { during } from "../telemetry/tracing.ts";
import type { Failure } from "./protocol.ts";
import { againAfter, newErrorId, reasonOf, type RouteResult, shortened } from "./results.ts";
import { RouteRun } from "./route-run.ts";
import type { Started } from "./slots.ts";
import type { Underway } from "./underway.ts";

/** Where a run says that it begins. */
export interface Gate {
  /** False: the process stops and the delivery must not start. */
  begin(slot: number, started: Started): boolean;
  end(slot: number): void;
}

/** Which run an error belongs to that nobody caught. */
export const presentRun = new AsyncLocalStorage<RouteRun>();

export interface Calling {
  readonly gate: Gate;
  /** Calls the author's function. What it throws is the run's failure. */
  readonly call: (run: RouteRun) => unknown;
  /** What a returned value says in chat; written with the settle. */
  readonly say?: (run: RouteRun, value: unknown) => Effect | undefined;
}

export async function runRoute(underway: Underway, route: LoadedRoute, calling: Calling): Promise<RouteResult> {
  const { clock } = underway.parts;
  const { serial } = underway.claim;
  const stopped = stoppedResult(underway);
  if (stopped !== undefined) return stopped;
  const number = underway.parts.numbers.get(route.shape.id) ?? 0;
  const { timeoutMs, maxHeapMb = 0 } = route.shape;
  const started = { serial, sinceMs: clock.now(), timeoutMs, route: number, maxHeapMb };
  if (!calling.gate.begin(underway.place.slot, started)) return { kind: "interrupted" };
  const run = new RouteRun(underway, route, underway.failures + 1);
  const startedAtMs = clock.monotonic();
  const result = await tracedOutcome(run, calling);
  ended(run, result, clock.monotonic() - startedAtMs);
  return result;
}

/** A Message may have several routes: each has a span within its delivery's. */
function tracedOutcome(run: RouteRun, calling: Calling): Promise<RouteResult> {
  const { tracing } = run.parts;
  if (tracing === undefined || run.underway.header?.kind !== "message") return outcomeOf(run, calling);
  const span = tracing.start(`run ${run.shape.id}`, { attributes: { "antiphon.route": run.shape.id } });
  return during(span, () => tracing.within(span, () => outcomeOf(run, calling)));
}

/** Of a run that was begun, or that ended together with its thread. */
function ended({ underway, shape }: Failing, result: RouteResult, ms: number): void {
  const { parts, place } = underway;
  parts.emit("run.ended", { route: shape.id, queue: place.queue, outcome: wordOf(result), ms });
}

function wordOf(result: RouteResult): RunEnd {
  if (result.kind === "failed") return result.retry === undefined ? "dead" : "retried";
  if (result.kind !== "done") return result.kind;
  if (result === CANCELLED) return "cancelled";
  return result.isDiscarded === true ? "discarded" : "done";
}

async function outcomeOf(run: RouteRun, calling: Calling): Promise<RouteResult> {
  const { underway } = run;
  underway.run = run;
  try {
    const value = await presentRun.run(run, calling.call, run);
    const failure = await run.finished();
    if (failure !== undefined) return failed(run, failure.error);
    return judge(run, isOutcome(value) ? value : { "~outcome": "done", value }, calling.say);
  } catch (error) {
    await run.finished();
    return isOutcome(error) ? judge(run, error, calling.say) : failed(run, error);
  } finally {
    run.end();
    underway.run = undefined;
  }
}

const CANCELLED: RouteResult = { kind: "done", note: "cancelled" };

function stoppedResult(underway: Underway): RouteResult | undefined {
  if (underway.isCancelled) return CANCELLED;
  if (underway.stop === undefined) return undefined;
  return { kind: underway.stop === "fenced" ? "lost" : "interrupted" };
}

function judge(run: RouteRun, outcome: RunOutcome, say: Calling["say"]): RouteResult {
  if (run.underway.stop === "fenced") return { kind: "lost" };
  if (run.underway.isCancelled && outcome["~outcome"] !== "done") return CANCELLED;
  switch (outcome["~outcome"]) {
    case "done": {
      const problem = run.underway.header?.result === undefined ? undefined : resultProblem(outcome.value);
      if (problem !== undefined) return lastAttempt(run, problem);
      const said = say?.(run, outcome.value);
      if (said !== undefined) run.underway.effects.push(said);
      run.keepStore();
      return { kind: "done", note: "done", value: outcome.value };
    }
    case "discard":
      return { kind: "done", note: `discarded: ${outcome.reason}`, isDiscarded: true };
    case "fail":
      return failedForGood(run, shortened(String(outcome.reason)));
    case "retryLater": {
      const { delayMs, mode } = outcome;
      const again = run.attempt < run.shape.attempts;
      if (again) return { kind: "failed", reason: "the handler asked to be run later", retry: { delayMs, mode } };
      return lastAttempt(run, new Error("the handler asked to be run later, and it was its last attempt"));
    }
  }
}

const RESULT_BYTES_MAX = 256 * 1024;

/** Why what the handler returned cannot be kept for whoever awaits it. What JSON leaves out of it is left out. */
function resultProblem(value: unknown): AntiphonError | undefined {
  try {
    if (Buffer.byteLength(JSON.stringify(value) ?? "") <= RESULT_BYTES_MAX) return undefined;
    return new AntiphonError("VALUE_TOO_LARGE", `A result may have ${RESULT_BYTES_MAX} bytes.`);
  } catch (cause) {
    return new AntiphonError("VALUE_NOT_JSON", `The result: ${reasonOf(cause)}`, { cause });
  }
}

function failed(run: RouteRun, error: unknown): RouteResult {
  const { underway, abortedBy } = run;
  if (underway.stop === "fenced" || hasCode(error, "CLAIM_LOST") || hasCode(error, "FENCED")) return { kind: "lost" };
  if (underway.isCancelled) return CANCELLED;
  // Neither is a failure of the handler.
  if (underway.stop === "drain" || isAway(error)) return interrupted(run);
  if (abortedBy === undefined) return failure(run, error);
  const { timeoutMs, maxHeapMb = 0 } = run.shape;
  const detail = abortedBy.code === "RUN_HEAP" ? `more than ${maxHeapMb} MB` : `after ${timeoutMs} ms`;
  return failure(run, new AntiphonError(abortedBy.code, detail, { cause: error }));
}

/** The handler is not to blame for what Redis cannot do now. */
function isAway(error: unknown): boolean {
  return hasCode(error, "REDIS_UNAVAILABLE") || hasCode(error, "DURABILITY_UNMET");
}

function interrupted(run: RouteRun): RouteResult {
  run.parts.emit("run.interrupted", { route: run.shape.id, origin: run.underway.origin });
  return { kind: "interrupted" };
}

/** What the route's policy makes of an error: another attempt, or none. */
function failure(run: Failing, error: unknown): RouteResult {
  const { shape, attempt, parts, underway } = run;
  const { retry, isExhausted, problem } = againAfter(shape, { attempt, error }, parts.random);
  const which = { route: shape.id, origin: underway.origin };
  if (problem !== undefined) parts.emit("retry.unfit", { ...which, error: problem });
  if (retry === undefined) return lastAttempt(run, error);
  if (isExhausted) parts.emit("retry.exhausted", { ...which, attempt, everyMs: retry.delayMs });
  const errorId = tell(run, error, `again in ${retry.delayMs} ms`);
  return { kind: "failed", reason: reasonOf(error), retry, errorId };
}

function failedForGood(run: Failing, reason: string): RouteResult {
  return { kind: "failed", reason, errorId: tell(run, reason, "dead letter") };
}

function lastAttempt(run: Failing, error: unknown): RouteResult {
  return { kind: "failed", reason: reasonOf(error), errorId: tell(run, error, "dead letter") };
}

/** A run that ended with its thread: its time was over, or it took the thread down once too often. */
export function fallen(underway: Underway, shape: AnyRoute, { code, detail, afterMs }: Failure): RouteResult {
  const failing = { shape, attempt: underway.failures + 1, parts: underway.parts, underway };
  if (code === "RUN_CANCELLED") {
    underway.abort("cancel");
    return CANCELLED;
  }
  const isCrash = code === "RUN_CRASHED";
  const result = isCrash
    ? lastAttempt(failing, new AntiphonError("CRASH_LIMIT", detail))
    : failure(failing, new AntiphonError(code, detail));
  ended(failing, result, afterMs);
  return result;
}

/** What is needed to judge a failure: a run, or what is left of one that ended with its thread. */
type Failing = Pick<RouteRun, "shape" | "attempt" | "parts" | "underway">;

const HASH_CHARS = 12;

function keyHashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, HASH_CHARS);
}

function tell({ shape, attempt, parts, underway }: Failing, error: unknown, next: string): string {
  const errorId = newErrorId(parts.random);
  parts.tracing?.active()?.fail(error);
  const { origin, header, place, claim } = underway;
  const kind = header === undefined ? {} : { kind: header.kind };
  const key = claim.key === "" ? {} : { keyHash: keyHashOf(claim.key) };
  parts.emit("run.failed", {
    route: shape.id,
    origin,
    ...kind,
    queue: place.queue,
    ...key,
    attempt,
    errorId,
    error,
    next,
  });
  return errorId;
}
