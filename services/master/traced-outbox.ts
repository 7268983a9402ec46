// An Action on its way out as a span: in the trace of the run that said it, linked to its attempt before this one.

import type { Claim } from "../broker/claims.ts";
import { claimedAtMs, enqueuedAtMs } from "../broker/delivery.ts";
import { publicId } from "../runtime/ids.ts";
import { setNewest } from "../runtime/newest.ts";
import type { Action } from "../sdk/action.ts";
import { type CarriedTrace, type Carrier, carrierOf } from "../telemetry/carrier.ts";
import { startAck, startProcess } from "../telemetry/queue-spans.ts";
import { during, type Span, type Tracing } from "../telemetry/tracing.ts";
import type { Verdict } from "./executor.ts";

/** As a worker stores it. */
export type StoredAction = Action & CarriedTrace;

/** Actions whose last attempt is remembered, for a link. */
const ATTEMPTS_MAX = 1_000;

/** What the adapter gets. */
export function withoutTrace(stored: StoredAction): Action {
  if (stored.traceparent === undefined) return stored;
  const { traceparent: _parent, tracestate: _state, traceLink: _link, ...action } = stored;
  return action as Action;
}

export class TracedOutbox {
  readonly #tracing: Tracing;
  readonly #queue: string;
  readonly #last = new Map<string, Carrier>();

  constructor(tracing: Tracing, queue: string) {
    this.#tracing = tracing;
    this.#queue = queue;
  }

  /** One attempt: what is known of the claim's envelope, and what comes of it. */
  async attempt(claim: Claim, stored: StoredAction, execute: () => Promise<Verdict>): Promise<Verdict> {
    const span = this.#start(claim, stored);
    return during(span, async () => {
      const verdict = await this.#tracing.within(span, execute);
      span.set({ "antiphon.outcome": verdict.kind });
      if ("error" in verdict) span.fail(verdict.error);
      setNewest(this.#last, [claim.id, span.carrier], ATTEMPTS_MAX);
      return verdict;
    });
  }

  /** Until its outcome is written. */
  ack(claim: Claim): Span | undefined {
    const parent = this.#last.get(claim.id);
    return parent && startAck(this.#tracing, this.#queue, { parent, id: publicId(claim.id) });
  }

  #start(claim: Claim, { traceparent, tracestate, traceLink, op }: StoredAction): Span {
    const carrier = carrierOf(traceparent, tracestate);
    return startProcess(this.#tracing, this.#queue, {
      trace: { ...carrier, ...(traceLink && { traceLink }) },
      previous: this.#last.get(claim.id),
      waitedMs: Math.max(0, claimedAtMs(claim.fence) - enqueuedAtMs(claim.id)),
      id: publicId(claim.id),
      attempt: claim.element.attempts + 1,
      action: op,
      ...(claim.body === null ? {} : { bodyBytes: claim.body.byteLength }),
    });
  }
}
