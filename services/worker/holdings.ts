// What this worker believes it holds of one queue: taken, and neither settled nor handed back as far as Redis has answered.

import { setImmediate } from "node:timers/promises";
import type { Claim } from "../broker/claims.ts";

/** By the end of the id. A Map would keep what it once held for long: see runtime/table.ts. */
const BUCKETS = 100;

export class Holdings {
  readonly #known: Claim[][] = Array.from({ length: BUCKETS }, () => []);
  #size = 0;
  /** Of claims whose outcome is on its way to Redis and lets the next delivery of their run begin. */
  #held = new Map<Claim, () => void>();
  /** While Redis is asked: claims that were known when that began. */
  #leaving: Set<string> | undefined;

  get size(): number {
    return this.#size;
  }

  get all(): Claim[] {
    return this.#known.flat();
  }

  add(claims: readonly Claim[]): void {
    for (const claim of claims) {
      const bucket = this.#bucketOf(claim.id);
      const at = bucket.findIndex(({ id }) => id === claim.id);
      if (at >= 0) bucket[at] = claim;
      else {
        bucket.push(claim);
        this.#size++;
      }
    }
  }

  /** `written` is called when the outcome of this claim is in Redis. */
  hold(claim: Claim, written: () => void): void {
    this.#held.set(claim, written);
  }

  left(gone: readonly Claim[]): void {
    for (const claim of gone) {
      const bucket = this.#bucketOf(claim.id);
      const at = bucket.indexOf(claim);
      if (at >= 0) {
        bucket.splice(at, 1);
        this.#size--;
      }
      this.#leaving?.add(identity(claim));
      this.#tellWritten(claim);
    }
  }

  clear(): void {
    for (const bucket of this.#known) bucket.length = 0;
    this.#size = 0;
    this.#held = new Map();
  }

  #bucketOf(id: string): Claim[] {
    return this.#known[Number(id.slice(-2))] as Claim[];
  }

  #isKnown({ id, fence }: Claim): boolean {
    return this.#bucketOf(id).some((known) => known.id === id && known.fence === fence);
  }

  #tellWritten(claim: Claim): void {
    const written = this.#held.get(claim);
    if (written === undefined) return;
    this.#held.delete(claim);
    if (this.#held.size === 0) this.#held = new Map();
    written();
  }

  /** A take whose reply was lost left claims that nobody here knows of. */
  async unknown(held: () => Promise<readonly Claim[]>): Promise<readonly Claim[]> {
    this.#leaving = new Set();
    try {
      const all = await held();
      await setImmediate(); // replies that came before this one have been accepted by now
      return all.filter((claim) => !this.#isKnown(claim) && !this.#leaving?.has(identity(claim)));
    } finally {
      this.#leaving = undefined;
    }
  }
}

function identity(claim: Claim): string {
  return `${claim.fence} ${claim.id}`;
}
