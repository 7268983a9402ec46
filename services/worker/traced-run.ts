// A delivery's run as a span: in the trace of its enqueue, linked to its attempt before.

import { enqueuedAtMs, claimedAtMs } from "../broker/delivery.ts";
import { type Effect, readEffect } from "../broker/effects.ts";
import { publicId } from "../runtime/ids.ts";
import { type Carrier, carrierOf } from "../telemetry/carrier.ts";
import { startProcess } from "../telemetry/queue-spans.ts";
import type { Span, Tracing } from "../telemetry/tracing.ts";
import type { Settled } from "./protocol.ts";
import type { Underway } from "./underway.ts";

/** Where the origin remembers the span of its last attempt that failed. */
const NOTE = "trace";
const AGAIN: ReadonlySet<Settled["kind"]> = new Set<Settled["kind"]>(["block", "skip", "moved", "crash"]);

/** `run` answers whatever happens. */
export async function tracedRun(tracing: Tracing, underway: Underway, run: () => Promise<Settled>): Promise<Settled> {
  const previous = underway.failures > 0 ? await previousOf(underway) : undefined;
  const span = startSpan(tracing, underway, previous);
  const settled = await tracing.within(span, run);
  span.set({ "antiphon.outcome": settled.kind });
  span.end();
  if (!span.isSampled) return settled;
  return { ...settled, effects: effectsOf(settled, span), trace: span.carrier };
}

function startSpan(tracing: Tracing, underway: Underway, previous: Carrier | undefined): Span {
  const { header, claim, origin, place, failures } = underway;
  return startProcess(tracing, place.queue, {
    trace: header ?? {},
    previous,
    waitedMs: Math.max(0, claimedAtMs(claim.fence) - enqueuedAtMs(claim.id)),
    id: publicId(claim.id),
    origin,
    kind: header?.kind ?? "job",
    route: header?.route,
    attempt: failures + 1,
    client: place.wid,
    ...(claim.body === null ? {} : { bodyBytes: claim.body.byteLength }),
  });
}

/** Nobody waits for a link: where Redis does not answer at once, there is none. */
async function previousOf({ parts, place, origin }: Underway): Promise<Carrier | undefined> {
  const noted = await readEffect(parts.broker, place.queue, { origin, id: NOTE }).catch(() => null);
  return carrierOf(noted);
}

/** The note comes first: of what moves, the last effect is what goes on. */
function effectsOf({ kind, effects }: Settled, { carrier }: Span): readonly Effect[] {
  if (!AGAIN.has(kind)) return effects;
  return [{ kind: "note", id: "", field: NOTE, value: carrier.traceparent }, ...effects];
}
