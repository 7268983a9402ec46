// Writes the effects that a run awaits, in the order in which they were asked for, while the run owns its claim.

import type { ClaimRef } from "../broker/claims.ts";
import { type BrokerContext, proven } from "../broker/connection.ts";
import { type Effect, writeEffects } from "../broker/effects.ts";
import { AntiphonError, hasCode } from "../runtime/errors.ts";
import { type Patience, untilAnswered } from "./patience.ts";

export interface WriterOptions {
  readonly broker: BrokerContext;
  readonly patience: Patience;
  readonly queue: string;
  readonly wid: string;
  readonly claim: ClaimRef;
  /** Public id. */
  readonly origin: () => string;
}

interface Waiting {
  readonly effect: Effect;
  readonly resolve: (ref: string) => void;
  readonly reject: (error: unknown) => void;
}

/** So that no script keeps Redis busy. */
const BATCH_MAX = 64;
/** Of one delivery in one attempt. What it enqueues counts against no queue's limit, so this bounds what a run can pile up. */
export const EFFECTS_MAX = 10_000;

export class EffectWriter {
  readonly #options: WriterOptions;
  readonly #waiting: Waiting[] = [];
  #isWriting = false;
  #refusal: unknown;
  #count = 0;
  /** Written or not. */
  #asked = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Whether a script said that the claim is not ours any more. From then on nothing is written. */
  get isLost(): boolean {
    return this.#refusal !== undefined;
  }

  hasRoomFor(effects: number): boolean {
    return this.#asked + effects <= EFFECTS_MAX;
  }

  /** How many effects are durable; progress is none. */
  get count(): number {
    return this.#count;
  }

  /** Resolves with the effect's ref once it is durable. What is asked for in one tick is one round trip. */
  write(effect: Effect): Promise<string> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    if (effect.kind !== "note") {
      if (!this.hasRoomFor(1)) return Promise.reject(tooMany());
      this.#asked++;
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ effect, resolve, reject });
      if (this.#isWriting) return;
      this.#isWriting = true;
      queueMicrotask(() => void this.#flush());
    });
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH_MAX);
      try {
        const refs = await this.#send(batch.map(({ effect }) => effect));
        for (const [index, waiting] of batch.entries()) this.#written(waiting, refs[index] ?? "");
      } catch (error) {
        if (hasCode(error, "CLAIM_LOST") || hasCode(error, "FENCED")) this.#lose(error);
        for (const { reject } of batch) reject(this.#refusal ?? error);
      }
    }
    this.#isWriting = false;
  }

  /** An enqueue may have to be more durable than Redis' reply says. Nothing else waits for that. */
  #written({ effect, resolve, reject }: Waiting, ref: string): void {
    const { broker, patience } = this.#options;
    if (effect.kind !== "note") this.#count++;
    const level = effect.kind === "child" ? (effect.delivery.durability ?? broker.durability) : undefined;
    if (level === undefined || level === "default") return resolve(ref);
    let isRepeat = false;
    const proof = untilAnswered(patience, async () => {
      // The server that has it may have been replaced by one that does not.
      if (isRepeat) await this.#send([effect]);
      isRepeat = true;
      await proven(broker, level);
    });
    proof.then(() => resolve(ref), reject);
  }

  /** A repeat is harmless, because effects have ids. */
  #send(effects: readonly Effect[]): Promise<string[]> {
    const { broker, patience, queue, wid, claim, origin } = this.#options;
    const call = { queue, wid, claim, origin: origin(), effects };
    return untilAnswered(patience, () => writeEffects(broker, call));
  }

  #lose(cause: unknown): void {
    this.#refusal = new AntiphonError("CLAIM_LOST", "", { cause });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#refusal);
  }
}

export function tooMany(): AntiphonError {
  return new AntiphonError("TOO_MANY_EFFECTS", `A run may have ${EFFECTS_MAX}.`);
}
