// Which queues a worker serves and how often each comes first: what ANTIPHON_QUEUES and ANTIPHON_TAGS say. Pure.

import { CHAT, kindOf, servedAs } from "../broker/served.ts";
import type { Config } from "../config/config.ts";

export type WorkKind = ReturnType<typeof kindOf>;
export { kindOf };

/** A worker that serves every queue has joined these before it looks for others. */
const ALWAYS = [CHAT, "default"];

export class QueueChoice {
  readonly #queues: Config["queues"];
  readonly #tags: Config["tags"];

  constructor({ queues, tags }: Pick<Config, "queues" | "tags">) {
    this.#queues = queues;
    this.#tags = tags;
  }

  /** Undefined: it is not served here. A tagged delivery lies in `<queue>+<tag>`. */
  weightOf(queue: string): number | undefined {
    return servedAs({ queues: this.#queues, tags: this.#tags }, queue)?.weight;
  }

  /** Those to be served from the start, whether they exist or not. */
  get known(): string[] {
    const named = this.#queues.map(({ queue }) => queue).filter((queue) => queue !== "*");
    const bases = this.#isOpen ? [...new Set([...ALWAYS, ...named])] : named;
    const all = bases.flatMap((base) => [base, ...this.#tags.only.map((tag) => `${base}+${tag}`)]);
    return all.filter((queue) => this.weightOf(queue) !== undefined);
  }

  /** Whether there may be others. */
  get isOpen(): boolean {
    return this.#isOpen || this.#tags.all;
  }

  /** What the threads of this worker are for. */
  get kinds(): ReadonlySet<WorkKind> {
    const kinds = new Set(this.known.map(kindOf));
    if (this.#isOpen || (this.#tags.all && this.#queues.some(({ queue }) => kindOf(queue) === "work")))
      kinds.add("work");
    return kinds;
  }

  get #isOpen(): boolean {
    return this.#queues.some(({ queue }) => queue === "*");
  }
}
