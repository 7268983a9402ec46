// How pods that were told to go went: their exit code, and what they had in hand.

import { setTimeout as pause } from "node:timers/promises";
import type { Pod } from "./pods.ts";
import type { Store } from "./redis.ts";

/** One line for each that did not end by itself with 0. */
export function badExits(pods: readonly Pod[]): string[] {
  return pods
    .filter(({ component, exitCode }) => ["master", "worker"].includes(component) && exitCode !== 0)
    .map(({ name, exitCode, object }) => `${name} ended with ${exitCode ?? "no code"} (${object.status.phase})`);
}

const LOOK_MS = 150;

/** What each worker has claimed, asked of Redis several times a second. */
export class Holdings {
  readonly #store: Store;
  readonly #seen = new Map<string, { readonly at: number; readonly claimed: number }[]>();
  #stopped = false;
  #looking: Promise<void>;

  constructor(store: Store) {
    this.#store = store;
    this.#looking = this.#look();
  }

  /** Of a pod at that moment, by the last look before it. */
  at(pod: string, moment: number): number | undefined {
    return this.#seen.get(pod)?.findLast(({ at }) => at <= moment)?.claimed;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#looking;
  }

  async #look(): Promise<void> {
    while (!this.#stopped) {
      const at = Date.now();
      const workers = await this.#store.queue.workers.list().catch(() => []);
      for (const { pod, claimed } of workers) {
        const seen = this.#seen.get(pod) ?? [];
        this.#seen.set(pod, seen);
        if (seen.at(-1)?.claimed !== claimed) seen.push({ at, claimed });
      }
      await pause(LOOK_MS);
    }
  }
}
