// Between the server and the host: what was heard and is not stored yet, in order and bounded. IRC repeats nothing and can
// be refused nothing, so what finds no place here is lost, and told as a gap.

import type { Host, Inbound } from "../../sdk/adapter.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock, Random } from "../../runtime/clock.ts";

export interface InboxOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
  /** Another leads. */
  readonly fenced: () => void;
  /** The host has heard of a gap. */
  readonly gapTold: () => void;
  /** Makes the event of a gap. */
  readonly gap: (from: number, reason: string) => Inbound;
}

export const HELD_MAX = 1_000;
const BATCH_MAX = 100;
const AGAIN = { firstMs: 50, maxMs: 1_000 };

export class Inbox {
  readonly #options: InboxOptions;
  readonly #over = new AbortController();
  #held: Inbound[] = [];
  #storing: Promise<void> | undefined;
  /** Since when nothing finds a place. */
  #lostSince: number | undefined;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  push(...inbound: readonly Inbound[]): void {
    for (const one of inbound) {
      if (this.#over.signal.aborted) return;
      if (this.#held.length < HELD_MAX && this.#lostSince === undefined) this.#held.push(one);
      else this.#lostSince ??= one.event.at;
    }
    this.#storing ??= this.#store().finally(() => (this.#storing = undefined));
  }

  /** Resolves when everything is stored, or never will be. */
  async flushed(): Promise<void> {
    await this.#storing;
  }

  close(): void {
    this.#over.abort("closed");
  }

  /** What the host does not take now stays first in line. */
  async #store(): Promise<void> {
    const { host, clock, random } = this.#options;
    for (let failures = 0; this.#held.length > 0 && !this.#over.signal.aborted;) {
      const batch = this.#held.slice(0, BATCH_MAX);
      const answer = await host.intake(batch);
      if (answer === "fenced") return this.#options.fenced();
      if (answer !== "ok") {
        await clock.sleep(backoffMs(failures++, AGAIN, random), this.#over.signal);
        continue;
      }
      failures = 0;
      this.#held.splice(0, batch.length);
      if (batch.some(({ event }) => event.type === "gap")) this.#options.gapTold();
      this.#tellLoss();
    }
  }

  /** As soon as there is room again: behind everything that came before. */
  #tellLoss(): void {
    if (this.#lostSince === undefined || this.#held.length >= HELD_MAX) return;
    this.#held.push(
      this.#options.gap(this.#lostSince, "more was said than could be kept while it could not be stored"),
    );
    this.#lostSince = undefined;
  }
}
