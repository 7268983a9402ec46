// A run that this worker has taken and not yet finished: which of its deliveries are answered, which are with a thread.
//
//   waiting ─▶ sent (a segment is in a slot) ─▶ answered … ─▶ over
//      ▲            │ thread or child died      │ the next delivery belongs elsewhere (quarantine)
//      └────────────┴───────────────────────────┘
//   orphaned: its claims are lost or handed back; what its slot still answers is ignored, but the slot is taken until then.

import type { Claim } from "../broker/claims.ts";
import { verdictOf } from "../broker/delivery.ts";
import { publicId } from "../runtime/ids.ts";
import type { NumberedClaim } from "./packing.ts";
import { endsRun, type Failure, holdsRun, type Settled } from "./protocol.ts";

const FAILURES_LOST_MAX = 3;
const CANCELLED: Failure = { code: "RUN_CANCELLED", detail: "", afterMs: 0 };

/** Who took the run, and hears what comes of it. */
export interface RunOwner {
  readonly queue: string;
  readonly wid: string;
  answered(answer: Answer): void;
  /** To the broker, uncounted. */
  handBack(claims: readonly Claim[]): void;
  over(run: ActiveRun): void;
}

/** What came of one delivery. */
export interface Answer {
  readonly claim: Claim;
  readonly settled: Settled;
  /** The deliveries of the run that end with this one, unstarted. */
  readonly dropped: readonly Claim[];
  /** How long it held its slot, and how much of that was not counted before; 0 when it had none. */
  readonly ranMs: number;
  readonly heldMs: number;
  /** Where the next delivery of the run waits until this outcome is written; then this is to be called. */
  readonly written?: () => void;
}

/** Where a run is: a thread or child. */
export interface Place {
  /** The delivery of this serial may begin. */
  go(serial: number): void;
}

export class ActiveRun {
  readonly owner: RunOwner;
  readonly #claims: Claim[];
  readonly #firstSerial: number;
  #answered = 0;
  #sent = 0;
  #orphaned = false;
  #failuresLost = 0;
  /** By main's monotonic clock: since when the present delivery holds a slot, and until when that is counted. NaN: it holds none. */
  #sinceMs = Number.NaN;
  #countedMs = Number.NaN;
  /** Serials of deliveries that somebody wants to end. */
  #cancelled: Set<number> | undefined;
  /** Where its segment went. */
  place: Place | undefined;
  /** The head has failed together with its thread; whoever runs it next only composes the failure. */
  failure: Failure | undefined;

  /** Serials `firstSerial` … `firstSerial + claims.length - 1` name its deliveries. */
  constructor(owner: RunOwner, claims: readonly Claim[], firstSerial: number) {
    this.owner = owner;
    this.#claims = [...claims];
    this.#firstSerial = firstSerial;
  }

  /** Of its first delivery: no other run here has it. */
  get serial(): number {
    return this.#firstSerial;
  }

  get isOver(): boolean {
    return this.#answered >= this.#claims.length;
  }

  get isOrphaned(): boolean {
    return this.#orphaned;
  }

  /** The first delivery that is not answered. */
  get head(): Claim | undefined {
    return this.#claims[this.#answered];
  }

  /** The delivery of this serial. */
  claimOf(serial: number): Claim | undefined {
    return this.#claims[serial - this.#firstSerial];
  }

  /** Whether all that was sent is answered, so that its slot is free. */
  get isIdle(): boolean {
    return this.#answered >= this.#sent;
  }

  /** Whether the head must run alone. The failure of a dead child is composed in a thread: its handler is not called. */
  get needsQuarantine(): boolean {
    if (this.failure !== undefined || this.head === undefined || this.isHeadCancelled) return false;
    return verdictOf(this.head.element.crashes) !== "run";
  }

  /** Serials of what is sent and not answered. */
  get pending(): number[] {
    return Array.from(
      { length: this.#sent - this.#answered },
      (_, index) => this.#firstSerial + this.#answered + index,
    );
  }

  /** Marks the delivery of this number, if it is here and not answered: it is done unless it comes to an outcome before. */
  cancel(id: string): boolean {
    const index = this.#orphaned ? -1 : this.#claims.findIndex((claim, at) => at >= this.#answered && claim.id === id);
    if (index < 0) return false;
    this.#cancelled ??= new Set();
    this.#cancelled.add(this.#firstSerial + index);
    return true;
  }

  isCancelled(serial: number): boolean {
    return this.#cancelled?.has(serial) === true;
  }

  get isHeadCancelled(): boolean {
    return this.isCancelled(this.#firstSerial + this.#answered);
  }

  /** Serials of what is sent, not answered and cancelled. */
  get pendingCancels(): number[] {
    return this.#cancelled === undefined ? [] : this.pending.filter((serial) => this.isCancelled(serial));
  }

  /** The next deliveries that may go to one place together, marked as sent. */
  takeSegment(): NumberedClaim[] {
    const from = this.#answered;
    if (this.isHeadCancelled) this.failure ??= CANCELLED;
    let to = from + 1;
    if (!this.needsQuarantine) {
      while (to < this.#claims.length && verdictOf(this.#claims[to]?.element.crashes ?? 0) === "run") to++;
    }
    this.#sent = to;
    return this.#claims.slice(from, to).map((claim, index) => ({ serial: this.#firstSerial + from + index, claim }));
  }

  /** It has a slot from now on. */
  begin(atMs: number): void {
    this.#sinceMs = atMs;
    this.#countedMs = atMs;
  }

  /** How long it held its slot since it was asked last. */
  heldMs(atMs: number): number {
    const ms = atMs - this.#countedMs;
    this.#countedMs = atMs;
    return ms > 0 ? ms : 0;
  }

  /** One delivery was answered, now if it ran. Afterwards the run is over, idle, or goes on where it is. */
  answer(settled: Settled, atMs = Number.NaN): void {
    const claim = this.head;
    if (claim === undefined || settled.serial !== this.#firstSerial + this.#answered) {
      throw new Error(`delivery ${settled.serial} was answered out of turn`);
    }
    this.failure = undefined;
    this.#answered++;
    const dropped = endsRun(settled.kind) ? this.#claims.splice(this.#answered) : [];
    this.#sent = Math.min(this.#sent, this.#claims.length);
    const next = settled.serial + 1;
    const ranMs = Math.max(0, atMs - this.#sinceMs) || 0;
    const heldMs = this.heldMs(atMs);
    this.begin(this.isIdle ? Number.NaN : atMs);
    const place = holdsRun(settled) && !this.isIdle ? this.place : undefined;
    const answer = { claim, settled, dropped, ranMs, heldMs };
    if (!this.#orphaned) this.owner.answered(place ? { ...answer, written: () => place.go(next) } : answer);
    if (this.isOver && !this.#orphaned) this.owner.over(this);
  }

  /** Its thread is gone: what was sent and not answered is to be sent again. */
  recall(): void {
    this.#sent = this.#answered;
    this.begin(Number.NaN);
    if (this.failure !== undefined) this.#failuresLost++;
    if (this.isHeadCancelled) this.failure ??= CANCELLED;
  }

  /** Threads keep dying before they could compose the failure: settles the head as a crash without them. */
  get isHopeless(): boolean {
    return this.#failuresLost >= FAILURES_LOST_MAX;
  }

  giveUp(): void {
    if (this.isHeadCancelled) this.#answerUnrun({ kind: "done" });
    else this.#answerUnrun({ kind: "crash", error: this.failure?.detail ?? "" });
  }

  /** Not here and not now: the head waits in the broker, its key with it, and nothing is counted. */
  putOff(delayMs: number): void {
    this.#answerUnrun({ kind: "park", delayMs });
  }

  #answerUnrun(end: Pick<Settled, "kind" | "error" | "delayMs">): void {
    const { head } = this;
    if (head === undefined) return;
    const serial = this.#firstSerial + this.#answered;
    this.answer({ serial, ...end, origin: publicId(head.id), effects: [], history: "" });
  }

  /** Hands back every delivery after the one with this serial; all of them when nothing has started. */
  handBackAfter(serial: number | undefined): void {
    if (this.#orphaned) return;
    const keep = serial === undefined ? this.#answered : serial - this.#firstSerial + 1;
    const returned = this.#claims.slice(Math.max(keep, this.#answered));
    if (returned.length > 0) this.owner.handBack(returned);
    if (keep <= this.#answered) return this.orphan();
    this.#claims.length = Math.min(this.#claims.length, keep);
    this.#sent = Math.min(this.#sent, keep);
  }

  /** Its claims are lost or handed back. The slot stays taken until what was sent is answered. */
  orphan(): void {
    if (this.#orphaned) return;
    this.#orphaned = true;
    this.#claims.length = Math.max(this.#sent, this.#answered);
    this.owner.over(this);
  }
}
