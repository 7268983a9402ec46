// From what came of the routes of a delivery to the one Settlement of it.
//
//   all done ─▶ done        one route, failed, attempts left ─▶ block or skip        failed for good ─▶ dead
//   some of several failed, attempts left ─▶ moved: done, and one child of the same origin runs only those again

import { encodeEnvelope, type EnvelopeHeader } from "../broker/delivery.ts";
import type { Effect } from "../broker/effects.ts";
import { effectId } from "../sdk/action.ts";
import type { AnyRoute } from "../sdk/routes.ts";
import { type CarriedTrace, traceIdOf } from "../telemetry/carrier.ts";
import type { Span } from "../telemetry/tracing.ts";
import type { Settled } from "./protocol.ts";
import type { Retry, RouteResult } from "./results.ts";
import type { Underway } from "./underway.ts";

export interface RouteVerdict {
  readonly route: AnyRoute;
  readonly result: RouteResult;
}

/** Effects with more in them are written before the settle, so that large bodies pass neither Lua nor main. */
const SETTLE_BYTES_MAX = 2048;
const RESULT_CHARS_MAX = 500;

/** `payload` is the delivery's own, for a child that runs the failed routes again. */
export async function settle(
  underway: Underway,
  verdicts: readonly RouteVerdict[],
  payload: Uint8Array,
): Promise<Settled> {
  const stopped = verdicts.find(({ result }) => result.kind === "lost" || result.kind === "interrupted");
  if (stopped !== undefined) return stoppedSettled(underway, stopped.result.kind as "lost" | "interrupted");
  if (underway.isCancelled) return cancelled(underway, verdicts);
  const again = verdicts.filter(isRetried);
  const dead = verdicts.filter(({ result }) => result.kind === "failed" && result.retry === undefined);
  const reason = dead.map(({ route, result }) => `${route.id}: ${noteOf(result)}`).join("; ");
  for (const { route } of dead) {
    underway.parts.emit("run.dead", { route: route.id, queue: underway.place.queue, origin: underway.origin, reason });
  }
  const [only] = again;
  if (only !== undefined && verdicts.length === 1) return retried(underway, only, verdicts);
  if (only !== undefined) underway.effects.push(childOf(underway, again, payload));
  if (dead.length > 0) return finished(underway, { kind: "dead", error: reason }, verdicts);
  return finished(underway, { kind: only === undefined ? "done" : "moved" }, verdicts);
}

/** What its routes did before they heard of it stays done; none of them runs again. */
function cancelled(underway: Underway, verdicts: readonly RouteVerdict[]): Promise<Settled> {
  for (const { route } of verdicts) underway.parts.emit("run.cancelled", { route: route.id, origin: underway.origin });
  return finished(underway, { kind: "done", outcome: "cancelled" }, verdicts);
}

/** To the dead letters at once: another run would end the same way. */
export function buried(underway: Underway, reason: string): Promise<Settled> {
  const route = underway.header?.route ?? String(underway.claim.element.route);
  underway.parts.emit("run.dead", { route, queue: underway.place.queue, origin: underway.origin, reason });
  return finished(underway, { kind: "dead", error: reason }, []);
}

/** Neither run nor failed. */
export function dropped(underway: Underway, outcome: "expired" | "cancelled"): Promise<Settled> {
  const route = underway.header?.route ?? "";
  underway.parts.emit(`run.${outcome}`, { route, origin: underway.origin });
  return finished(underway, { kind: "done", outcome }, []);
}

export function stoppedSettled(underway: Underway, kind: "lost" | "interrupted"): Settled {
  return { serial: underway.claim.serial, kind, origin: underway.origin, effects: [], history: "" };
}

type Retried = RouteVerdict & {
  readonly result: { readonly kind: "failed"; readonly reason: string; readonly retry: Retry };
};

function isRetried(verdict: RouteVerdict): verdict is Retried {
  return verdict.result.kind === "failed" && verdict.result.retry !== undefined;
}

function retried(underway: Underway, { result }: Retried, verdicts: readonly RouteVerdict[]): Promise<Settled> {
  const { delayMs, mode } = result.retry;
  // Without a key there is nothing to hold up.
  const kind = underway.claim.key === "" ? "skip" : mode;
  return finished(underway, { kind, delayMs, error: result.reason }, verdicts);
}

/** Same key, same origin: what the failed routes had said already is not said again. */
function childOf(underway: Underway, again: readonly Retried[], payload: Uint8Array): Effect {
  const { claim, parts, origin, failures } = underway;
  const only = again.map(({ route }) => route.id);
  const header = {
    v: 1,
    kind: "message",
    origin,
    key: claim.key,
    only,
    tries: failures + 1,
    ...underway.causedBy,
    ...traceOf(underway.header),
  } as const;
  const id = effectId({ origin, route: only.join(), operation: "enqueue", target: "again", content: String(failures) });
  const route = only.length === 1 ? (parts.numbers.get(only[0] ?? "") ?? 0) : 0;
  const delayMs = Math.max(...again.map(({ result }) => result.retry.delayMs));
  const delivery = {
    route,
    class: claim.element.class,
    key: claim.key,
    delayMs,
    envelope: encodeEnvelope(header, payload),
  };
  return { kind: "child", id, queue: underway.place.queue, delivery };
}

/** Another attempt belongs to the trace of the first one. */
function traceOf({ traceparent, tracestate, traceLink }: Partial<EnvelopeHeader> = {}): CarriedTrace {
  if (traceparent === undefined) return {};
  return { traceparent, ...(tracestate !== undefined && { tracestate }), ...(traceLink && { traceLink }) };
}

type Ending = Pick<Settled, "kind" | "delayMs" | "error">;
/** `outcome`: what people read in the history, where the kind does not say it. */
type End = Ending & { readonly outcome?: "expired" | "cancelled" };

async function finished(underway: Underway, end: End, verdicts: readonly RouteVerdict[]): Promise<Settled> {
  const stores = underway.storeWrites.map((write): Effect => ({ kind: "store", id: "", ...write }));
  const history = historyOf(underway, end, verdicts);
  const result = resultOf(underway, end, verdicts);
  if (result !== undefined) underway.effects.push(result);
  const effects: Effect[] = [];
  try {
    for (const [index, effect] of [...stores, ...underway.effects].entries()) {
      const isMoved = end.kind === "moved" && index === stores.length + underway.effects.length - 1;
      if (isMoved || bytesOf(effect) <= SETTLE_BYTES_MAX) effects.push(compact(effect));
      else await underway.writer.write(effect);
    }
  } catch {
    return stoppedSettled(underway, underway.stop === "fenced" ? "lost" : "interrupted");
  }
  const { origin, claim } = underway;
  const { outcome: _, ...ending } = end;
  return { serial: claim.serial, ...ending, origin, effects, history };
}

/** For whoever awaits it; asked for where it was enqueued. */
function resultOf(underway: Underway, end: End, verdicts: readonly RouteVerdict[]): Effect | undefined {
  const ttlMs = underway.header?.result;
  const isOver = end.kind === "done" || end.kind === "dead";
  if (ttlMs === undefined || !isOver) return undefined;
  const result = verdicts[0]?.result;
  const error = end.error ?? end.outcome ?? (result?.kind === "done" && result.isDiscarded ? result.note : undefined);
  const value = result?.kind === "done" ? result.value : undefined;
  const text = JSON.stringify(error === undefined ? { ok: true, value } : { ok: false, error });
  return { kind: "result", id: "", origin: underway.origin, value: text, ttlMs };
}

/** On its way to main a buffer is copied with the whole chunk of memory behind it: small ones share a large one. */
function compact(effect: Effect): Effect {
  if (effect.kind === "publish") return { ...effect, payload: effect.payload.toString() };
  if (effect.kind !== "child" || typeof effect.delivery.envelope === "string") return effect;
  const envelope = Buffer.from(new Uint8Array(effect.delivery.envelope).buffer);
  return { ...effect, delivery: { ...effect.delivery, envelope } };
}

function bytesOf(effect: Effect): number {
  if (effect.kind === "child") return Buffer.byteLength(effect.delivery.envelope);
  if (effect.kind === "publish") return Buffer.byteLength(effect.payload);
  if (effect.kind === "result") return Buffer.byteLength(effect.value);
  return effect.kind === "store" ? Buffer.byteLength(effect.value ?? "") : 0;
}

/** One line of JSON for people: what ran, how long, what came of it. When and where is known to the script that writes it. */
function historyOf(underway: Underway, end: End, verdicts: readonly RouteVerdict[]): string {
  // A Message that nobody asked anything is no work.
  if (verdicts.length === 0 && end.kind === "done" && end.outcome === undefined) return "";
  const { origin, parts, failures, startedAtMs, header, effectCount: effects } = underway;
  const now = parts.clock.now();
  const value = verdicts.length === 1 && verdicts[0]?.result.kind === "done" ? verdicts[0].result.value : undefined;
  const notes = verdicts.map(({ result }) => noteOf(result));
  return JSON.stringify({
    id: origin,
    kind: header?.kind,
    routes: verdicts.length > 0 ? verdicts.map(({ route }) => route.id) : named(header),
    outcome: end.outcome ?? end.kind,
    ...(notes.every((note) => note === "done") ? {} : { notes }),
    attempt: failures + 1,
    ...traceIn(parts.tracing?.active()),
    ms: now - startedAtMs,
    ...(effects === 0 ? {} : { effects }),
    ...(end.error === undefined ? {} : { error: end.error }),
    ...(typeof value === "string" ? { result: value.slice(0, RESULT_CHARS_MAX) } : {}),
  });
}

function traceIn(span: Span | undefined): { readonly trace?: string } {
  return span === undefined ? NO_TRACE : { trace: traceIdOf(span.carrier) };
}

const NO_TRACE = {};

function named(header: EnvelopeHeader | undefined): readonly string[] {
  return header?.route === undefined ? [] : [header.route];
}

function noteOf(result: RouteResult): string {
  if (result.kind === "done") return result.note;
  return result.kind === "failed" ? result.reason : result.kind;
}
