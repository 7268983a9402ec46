// What this worker believes it holds of one queue: taken, and neither settled nor handed back as far as Redis has answered.

import { setImmediate } from "node:timers/promises";
import type { Claim } from "../broker/claims.ts";

export class Holdings {
  readonly #known = new Map<string, Claim>();
  /** Of claims whose outcome is on its way to Redis and lets the next delivery of their run begin. */
  readonly #held = new Map<Claim, () => void>();
  /** While Redis is asked: claims that were known when that began. */
  #leaving: Set<string> | undefined;

  get size(): number {
    return this.#known.size;
  }

  get all(): Claim[] {
    return [...this.#known.values()];
  }

  add(claims: readonly Claim[]): void {
    for (const claim of claims) this.#known.set(claim.id, claim);
  }

  /** `written` is called when the outcome of this claim is in Redis. */
  hold(claim: Claim, written: () => void): void {
    this.#held.set(claim, written);
  }

  left(gone: readonly Claim[]): void {
    for (const claim of gone) {
      if (this.#known.get(claim.id) === claim) this.#known.delete(claim.id);
      this.#leaving?.add(identity(claim));
      this.#held.get(claim)?.();
      this.#held.delete(claim);
    }
  }

  clear(): void {
    this.#known.clear();
    this.#held.clear();
  }

  /** A take whose reply was lost left claims that nobody here knows of. */
  async unknown(held: () => Promise<readonly Claim[]>): Promise<readonly Claim[]> {
    this.#leaving = new Set();
    try {
      const all = await held();
      await setImmediate(); // replies that came before this one have been accepted by now
      return all.filter(
        (claim) => this.#known.get(claim.id)?.fence !== claim.fence && !this.#leaving?.has(identity(claim)),
      );
    } finally {
      this.#leaving = undefined;
    }
  }
}

function identity(claim: Claim): string {
  return `${claim.fence} ${claim.id}`;
}
