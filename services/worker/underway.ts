// A delivery that this thread runs now: where it came from, what was read of it, what shall be written with its settle.

import type { EnvelopeHeader } from "../broker/delivery.ts";
import type { Effect } from "../broker/effects.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { publicId } from "../runtime/ids.ts";
import { DeliveryStore } from "../store/store.ts";
import type { Patience } from "./patience.ts";
import type { AbortReason, ThreadClaim } from "./protocol.ts";
import type { RouteRun } from "./route-run.ts";
import type { ThreadParts } from "./thread-parts.ts";
import { EffectWriter } from "./writer.ts";

export interface Place {
  readonly queue: string;
  readonly wid: string;
  readonly slot: number;
}

export class Underway {
  readonly parts: ThreadParts;
  readonly place: Place;
  readonly claim: ThreadClaim;
  readonly startedAtMs: number;
  readonly patience: Patience;
  readonly writer: EffectWriter;
  readonly store: DeliveryStore;
  /** Written with the settle. */
  readonly effects: Effect[] = [];
  #header: EnvelopeHeader | undefined;
  #by: string | undefined;
  #stop: Exclude<AbortReason, "timeout"> | undefined;
  #run: RouteRun | undefined;

  constructor(parts: ThreadParts, place: Place, claim: ThreadClaim) {
    const { broker, clock, random, stores } = parts;
    const { queue, wid } = place;
    this.parts = parts;
    this.place = place;
    this.claim = claim;
    this.startedAtMs = clock.now();
    this.patience = { clock, random, isStopped: () => this.isAborted };
    this.store = new DeliveryStore(stores);
    const origin = (): string => this.origin;
    this.writer = new EffectWriter({ broker, patience: this.patience, queue, wid, claim, origin });
  }

  /** Public id of what the sender was told. Retries, reschedules and the new run of a dead letter keep it. */
  get origin(): string {
    return this.#header?.origin ?? publicId(this.claim.id);
  }

  get header(): EnvelopeHeader | undefined {
    return this.#header;
  }

  set header(header: EnvelopeHeader) {
    this.#header = header;
  }

  /** Who caused it; what it causes itself is theirs too. */
  get by(): string | undefined {
    return this.#by ?? this.#header?.by;
  }

  set by(person: string) {
    this.#by = person;
  }

  /** Failures before this run. */
  get failures(): number {
    return this.claim.element.attempts + (this.#header?.tries ?? 0);
  }

  /** Why nothing of this delivery may start any more. */
  get stop(): "drain" | "fenced" | undefined {
    return this.writer.isLost ? "fenced" : this.#stop;
  }

  get isAborted(): boolean {
    return this.#stop !== undefined || this.#run?.abortedBy !== undefined;
  }

  set run(run: RouteRun | undefined) {
    this.#run = run;
  }

  abort(reason: AbortReason): void {
    if (reason !== "timeout") this.#stop ??= reason;
    this.#run?.abort(ABORTS[reason]());
  }
}

const ABORTS: Readonly<Record<AbortReason, () => AntiphonError>> = {
  timeout: () => new AntiphonError("RUN_TIMEOUT", ""),
  drain: () => new AntiphonError("RUN_INTERRUPTED", "The process stops."),
  fenced: () => new AntiphonError("CLAIM_LOST", ""),
};
