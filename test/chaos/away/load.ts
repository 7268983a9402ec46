// A steady stream of webhooks, in order under each key: whoever gets no 202 sends the same again until it is accepted.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const KEYS = 10;
/** Of each key. */
const PAUSE_MS = 400;
const AGAIN_MS = 100;
const ANSWER_MS = 10_000;
const RUN_MS_MAX = 200;

export class AwayLoad {
  /** Per key, in the order in which they were accepted. */
  readonly accepted = new Map<string, string[]>();
  /** Answers that are neither 202 nor 503. */
  readonly strange: string[] = [];
  /** 503: not now. */
  refused = 0;
  readonly #urls: readonly string[];
  readonly #ending = new AbortController();
  readonly #senders: readonly Promise<void>[];

  /** Begins at once. `name` tells its keys from those of other loads. */
  constructor(name: string, urls: readonly string[]) {
    this.#urls = urls;
    this.#senders = Array.from({ length: KEYS }, (_, key) => this.#send(`${name}${key}`));
  }

  get count(): number {
    return [...this.accepted.values()].reduce((sum, ids) => sum + ids.length, 0);
  }

  /** Resolves when everything that was begun is accepted. */
  async end(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#senders);
  }

  async #send(key: string): Promise<void> {
    const ids: string[] = [];
    this.accepted.set(key, ids);
    while (!this.#ending.signal.aborted) {
      const id = `${key}-${ids.length}`;
      await this.#sendUntilAccepted(key, id);
      ids.push(id);
      await sleep(PAUSE_MS * (0.5 + Math.random()), undefined, { signal: this.#ending.signal }).catch(() => {});
    }
  }

  async #sendUntilAccepted(key: string, id: string): Promise<void> {
    const uid = randomUUID();
    const body = JSON.stringify({ id, key, ms: Math.floor(Math.random() * RUN_MS_MAX) });
    for (;;) {
      const url = this.#urls[Math.floor(Math.random() * this.#urls.length)] ?? "";
      const status = await fetch(`${url}/away?key=${key}`, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": uid },
        body,
        signal: AbortSignal.timeout(ANSWER_MS),
      }).then(
        async (answer) => {
          await answer.arrayBuffer();
          return answer.status;
        },
        (error: unknown) => String(error),
      );
      if (status === 202) return;
      if (status === 503) this.refused++;
      else this.strange.push(String(status));
      await sleep(AGAIN_MS);
    }
  }
}
