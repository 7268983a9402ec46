// A steady load from outside: webhooks through the NodePort, half of them under keys, and jobs. Whoever gets no 202 is
// counted, and says the same again under the same id until it is accepted: so that nothing accepted is unknown.

import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import type { Queue } from "../../../services/queue/queue.ts";

export interface Sent {
  readonly id: string;
  /** "" for none. */
  readonly key: string;
}

/** An answer that is no 202, or none. */
export interface Failure {
  readonly at: number;
  readonly what: string;
}

export interface LoadOptions {
  readonly url: string;
  readonly queue: Queue;
  readonly hooksPerSecond: number;
  readonly jobsPerSecond: number;
  /** How long a job runs at most. */
  readonly jobMs: number;
}

interface Answered {
  readonly at: number;
  readonly ms: number;
}

/** So many that the runs of a key, one after another, keep up. */
const KEYS = 100;
const TICK_MS = 20;
const ANSWER_MS = 10_000;
const AGAIN_MS = 100;
const GIVE_UP_MS = 120_000;
const CONNECTIONS = 64;

export class Load {
  /** Webhooks in the order in which they were accepted. */
  readonly hooks: Sent[] = [];
  readonly jobs: Sent[] = [];
  readonly failures: Failure[] = [];
  /** What could not be got rid of at all. */
  readonly unsent: string[] = [];
  readonly #options: LoadOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: "fifo" });
  readonly #answered: Answered[] = [];
  readonly #tails = new Map<string, Promise<void>>();
  readonly #since = Date.now();
  /** Sets these apart from the events of earlier loads. */
  readonly #mark = this.#since.toString(36).slice(-5);
  readonly #timer: NodeJS.Timeout;
  #begun = { hooks: 0, jobs: 0 };

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  get seconds(): number {
    return (Date.now() - this.#since) / 1000;
  }

  /** How long it took to answer webhooks in this time, ms. */
  answerMs(from: number, to = Date.now()): number[] {
    return this.#answered.filter(({ at }) => at >= from && at < to).map(({ ms }) => ms);
  }

  /** Nothing new is begun. Resolves when everything that was begun is accepted. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#tails.values());
    this.#agent.destroy();
  }

  #tick(): void {
    const { hooksPerSecond, jobsPerSecond } = this.#options;
    const due = { hooks: this.seconds * hooksPerSecond, jobs: this.seconds * jobsPerSecond };
    while (this.#begun.hooks < Math.floor(due.hooks)) this.#hook(++this.#begun.hooks);
    while (this.#begun.jobs < Math.floor(due.jobs)) this.#job(++this.#begun.jobs);
  }

  #hook(number: number): void {
    const key = number % 2 === 0 ? `${this.#mark}-key${number % (2 * KEYS)}` : "";
    const sent = { id: `${this.#mark}-hook-${number}`, key };
    const uid = randomUUID();
    this.#chain(key === "" ? sent.id : key, () => this.#until(sent, this.hooks, () => this.#post(sent, uid)));
  }

  #job(number: number): void {
    const { queue, jobMs } = this.#options;
    const sent = { id: `${this.#mark}-job-${number}`, key: "" };
    const input = { event: sent.id, ms: Math.floor(Math.random() * jobMs) };
    const enqueue = (): Promise<unknown> => queue.enqueue("e2e.work", input, { unique: { id: sent.id } });
    this.#chain(sent.id, () => this.#until(sent, this.jobs, enqueue));
  }

  /** One after another under a key. */
  #chain(name: string, act: () => Promise<void>): void {
    const tail = (this.#tails.get(name) ?? Promise.resolve()).then(act).then(() => {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    });
    this.#tails.set(name, tail);
  }

  async #until(sent: Sent, list: Sent[], act: () => Promise<unknown>): Promise<void> {
    const from = Date.now();
    while (Date.now() - from < GIVE_UP_MS) {
      try {
        await act();
        list.push(sent);
        return;
      } catch (error) {
        this.failures.push({ at: Date.now(), what: `${sent.id}: ${(error as Error).message}` });
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    this.unsent.push(sent.id);
  }

  async #post({ id, key }: Sent, uid: string): Promise<void> {
    const at = Date.now();
    const status = await post(`${this.#options.url}/e2e?key=${key}`, {
      agent: this.#agent,
      headers: { "idempotency-key": uid },
      body: JSON.stringify({ event: id, key }),
    });
    this.#answered.push({ at, ms: Date.now() - at });
    if (status !== 202) throw new Error(`status ${status}`);
  }
}

interface Posting {
  readonly agent?: Agent;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Resolves with the status. */
export function post(url: string, { agent, headers = {}, body }: Posting): Promise<number> {
  return new Promise((resolve, reject) => {
    const all = { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)), ...headers };
    const asked = request(url, { method: "POST", agent, headers: all, timeout: ANSWER_MS });
    asked.once("timeout", () => asked.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
    asked.once("error", reject);
    asked.once("response", (answer) => {
      answer.once("error", reject);
      answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
    });
    asked.end(body);
  });
}
