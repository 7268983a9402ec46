// A delivery that this thread runs now: where it came from, what was read of it, what is to be written with its settle.

import type { Asker } from "../store/groups.ts";
import type { EnvelopeHeader } from "../broker/delivery.ts";
import type { Effect } from "../broker/effects.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { publicId } from "../runtime/ids.ts";
import { DeliveryStore, type StoreWrite } from "../store/store.ts";
import type { Patience } from "./patience.ts";
import type { AbortReason, ThreadClaim } from "./protocol.ts";
import type { RouteRun } from "./route-run.ts";
import type { ThreadParts } from "./thread-parts.ts";
import { EffectWriter } from "./writer.ts";

export interface Place {
  readonly queue: string;
  readonly wid: string;
  readonly slot: number;
  /** When its run came to this thread, by the thread's clock. */
  readonly cameAtMs: number;
}

export class Underway {
  readonly parts: ThreadParts;
  readonly place: Place;
  readonly claim: ThreadClaim;
  readonly startedAtMs: number;
  /** Written with the settle. */
  readonly effects: Effect[] = [];
  #header: EnvelopeHeader | undefined;
  #origin: string | undefined;
  #by: Asker | undefined;
  #stop: "drain" | "fenced" | undefined;
  #isCancelled = false;
  #run: RouteRun | undefined;
  // Made on demand: most deliveries need few of these, and there are very many deliveries.
  #patience: Patience | undefined;
  #writer: EffectWriter | undefined;
  #store: DeliveryStore | undefined;

  constructor(parts: ThreadParts, place: Place, claim: ThreadClaim) {
    this.parts = parts;
    this.place = place;
    this.claim = claim;
    this.startedAtMs = parts.clock.now();
  }

  /** Behind other deliveries of its run. */
  get waitedMs(): number {
    return Math.max(0, this.startedAtMs - this.place.cameAtMs);
  }

  get patience(): Patience {
    const { clock, random } = this.parts;
    this.#patience ??= { clock, random, isStopped: () => this.isAborted };
    return this.#patience;
  }

  get writer(): EffectWriter {
    const { broker } = this.parts;
    const { queue, wid } = this.place;
    const { patience, claim } = this;
    const origin = (): string => this.origin;
    this.#writer ??= new EffectWriter({ broker, patience, queue, wid, claim, origin });
    return this.#writer;
  }

  /** Effects of its runs, those that are still to be written with the settle included. */
  get effectCount(): number {
    return (this.#writer?.count ?? 0) + this.effects.length + this.storeWrites.length;
  }

  get store(): DeliveryStore {
    this.#store ??= new DeliveryStore(this.parts.stores);
    return this.#store;
  }

  get storeWrites(): readonly StoreWrite[] {
    return this.#store?.writes ?? [];
  }

  /** Public id of what the sender was told. Retries, reschedules and the new run of a dead letter keep it. */
  get origin(): string {
    this.#origin ??= this.#header?.origin ?? publicId(this.claim.id);
    return this.#origin;
  }

  /** How the envelopes of what it causes name that person. */
  get causedBy(): Pick<EnvelopeHeader, "by" | "admin"> {
    if (this.#by === undefined) return {};
    return this.#by.admin === true ? { by: this.#by.id, admin: true } : { by: this.#by.id };
  }

  get header(): EnvelopeHeader | undefined {
    return this.#header;
  }

  set header(header: EnvelopeHeader) {
    this.#header = header;
    this.#origin = header.origin;
    if (header.by !== undefined) this.#by = { id: header.by, ...(header.admin === true ? { admin: true } : {}) };
  }

  /** Who caused it; what it causes itself is theirs too. */
  get by(): Asker | undefined {
    return this.#by;
  }

  set by(person: Asker) {
    this.#by = person;
  }

  /** Failures before this run. */
  get failures(): number {
    return this.claim.element.attempts + (this.#header?.tries ?? 0);
  }

  /** Why nothing of this delivery may start any more. */
  get stop(): "drain" | "fenced" | undefined {
    return this.#writer?.isLost === true ? "fenced" : this.#stop;
  }

  /** Somebody does not want it any more. */
  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  get isAborted(): boolean {
    return this.#stop !== undefined || this.#isCancelled || this.#run?.abortedBy !== undefined;
  }

  set run(run: RouteRun | undefined) {
    this.#run = run;
  }

  abort(reason: AbortReason): void {
    if (reason === "cancel") this.#isCancelled = true;
    if (reason === "drain" || reason === "fenced") this.#stop ??= reason;
    this.#run?.abort(ABORTS[reason]());
  }
}

const ABORTS: Readonly<Record<AbortReason, () => AntiphonError>> = {
  timeout: () => new AntiphonError("RUN_TIMEOUT", ""),
  heap: () => new AntiphonError("RUN_HEAP", ""),
  cancel: () => new AntiphonError("RUN_CANCELLED", ""),
  drain: () => new AntiphonError("RUN_INTERRUPTED", "The process stops."),
  fenced: () => new AntiphonError("CLAIM_LOST", ""),
};
