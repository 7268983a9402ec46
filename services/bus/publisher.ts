// Writes messages to the backend, in order: what is published meanwhile goes together in the next call, which is made ready
// while the one before is under way. While the server is away they wait in memory, a limited number of them, and are told
// to be buffered.

import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { randomId } from "../runtime/ids.ts";
import { setNewest } from "../runtime/newest.ts";
import type { Backend, Retention } from "./backend.ts";
import type { Position } from "./position.ts";

/** `buffered`: the server is away; it is written when the server is back, unless this process ends before. */
export type Published = ({ readonly status: "stored" } & Position) | { readonly status: "buffered" };

export interface PublishRequest {
  readonly channel: string;
  readonly payload: Buffer;
  readonly keep: Retention;
  /** False: fails while the server is away, and is then perhaps written. */
  readonly buffer: boolean;
}

export interface PublisherOptions {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly random: Random;
  /** What waits at most. */
  readonly limits: { readonly messages: number; readonly bytes: number };
  /** Highest offset of the channel that this process knows of. */
  readonly seen: (channel: string) => number;
}

interface Waiting extends PublishRequest {
  readonly done: PromiseWithResolvers<Published>;
}

interface Call {
  readonly number: number;
  readonly messages: readonly Waiting[];
  /** While it is under way. */
  told?: Promise<Told> | undefined;
}

type Told = { readonly answers: readonly (Position | Error)[] } | { readonly error: unknown };

const CALL = { messages: 128, bytes: 1024 * 1024 } as const;
const CHANNELS_MAX = 1000;
const RETRY = { firstMs: 50, maxMs: 2_000 };

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #id = randomId();
  readonly #stopping = new AbortController();
  /** In their order, those of the calls first. */
  #queue: Waiting[] = [];
  #bytes = 0;
  /** Not answered yet, in their order. */
  readonly #calls: Call[] = [];
  #number = 0;
  #failures = 0;
  #running: Promise<void> | undefined;
  /** Of the channels published on last. */
  readonly #highest = new Map<string, number>();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** How many messages wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** The server was away at the last try. */
  get isAway(): boolean {
    return this.#failures > 0;
  }

  /** @throws the code of `backend.unavailable` when too much waits, or it is not to wait; VALUE_TOO_LARGE when it can never be stored */
  publish(request: PublishRequest): Promise<Published> {
    const { messages, bytes } = this.#options.limits;
    const isFull = this.#queue.length >= messages || this.#bytes + request.payload.byteLength > bytes;
    if (this.#stopping.signal.aborted) return this.#refuse("This process is stopping.");
    if (this.isAway && (isFull || !request.buffer)) return this.#refuse("");
    const waiting = { ...request, done: Promise.withResolvers<Published>() };
    this.#queue.push(waiting);
    this.#bytes += request.payload.byteLength;
    if (this.isAway) waiting.done.resolve({ status: "buffered" });
    this.#running ??= this.#run();
    return waiting.done.promise;
  }

  /** Writes what waits, until the deadline. What is left is lost, as its publishers were told. */
  async stop(deadlineMs: number): Promise<void> {
    const { clock } = this.#options;
    const late = new AbortController();
    if (this.#running) await Promise.race([this.#running, clock.sleep(deadlineMs, late.signal)]);
    late.abort();
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    // What is published in the same turn of the event loop goes in one call.
    await Promise.resolve();
    while (this.#queue.length > 0 && !this.#stopping.signal.aborted) await this.#advance();
    for (const { done } of this.#queue.splice(0)) done.reject(this.#unavailable("This process is stopping."));
    this.#running = undefined;
  }

  /** Until the first call is answered, or has failed and was waited for. */
  async #advance(): Promise<void> {
    const [first] = this.#underway();
    const told = await first?.told;
    if (first === undefined || told === undefined) return;
    if ("answers" in told) return this.#written(first, told.answers);
    // They come again in their order, each under its number, the later ones when the first is written.
    await Promise.all(this.#calls.map((call) => call.told));
    for (const call of this.#calls) call.told = undefined;
    if (this.#stopping.signal.aborted) return;
    this.#failed(told.error);
    await this.#options.clock.sleep(backoffMs(this.#failures - 1, RETRY, this.#options.random), this.#stopping.signal);
  }

  /** Sends what may be under way. */
  #underway(): readonly Call[] {
    const most = this.isAway ? 1 : this.#options.backend.callsUnderway;
    while (this.#calls.length < most) {
      const messages = this.#next();
      if (messages.length === 0) break;
      this.#calls.push({ number: ++this.#number, messages });
    }
    for (const [index, call] of this.#calls.slice(0, most).entries()) call.told ??= this.#send(call, index > 0);
    return this.#calls;
  }

  #next(): Waiting[] {
    const from = this.#calls.reduce((sum, { messages }) => sum + messages.length, 0);
    let bytes = 0;
    let to = from;
    while (to < this.#queue.length && to - from < CALL.messages) {
      bytes += this.#queue[to]?.payload.byteLength ?? 0;
      if (bytes > CALL.bytes && to > from) break;
      to++;
    }
    return this.#queue.slice(from, to);
  }

  /** Always under the same number: one that is repeated is written once. */
  async #send({ number, messages }: Call, follows: boolean): Promise<Told> {
    const told = messages.map(({ channel, payload, keep }) => ({ channel, payload, keep, seen: this.#seen(channel) }));
    try {
      return {
        answers: await this.#options.backend.publish({ publisher: this.#id, number, follows, messages: told }),
      };
    } catch (error) {
      return { error };
    }
  }

  #written({ messages }: Call, answers: readonly (Position | Error)[]): void {
    this.#failures = 0;
    this.#calls.shift();
    this.#queue.splice(0, messages.length);
    for (const [index, message] of messages.entries()) this.#answer(message, answers[index]);
  }

  #answer({ channel, payload, done }: Waiting, answer: Position | Error | undefined): void {
    this.#bytes -= payload.byteLength;
    if (answer === undefined || answer instanceof Error) {
      const detail = `${channel}: ${answer?.message ?? "no answer"}`;
      done.reject(new AntiphonError("PUBLISH_FAILED", detail, { cause: answer }));
      return;
    }
    setNewest(this.#highest, [channel, answer.offset], CHANNELS_MAX);
    done.resolve({ status: "stored", ...answer });
  }

  /** Whoever waits is told; who does not want to wait is sent away, though it may be written. */
  #failed(error: unknown): void {
    this.#failures++;
    for (const { buffer, done } of this.#queue) {
      if (buffer) done.resolve({ status: "buffered" });
      else done.reject(error);
    }
  }

  #seen(channel: string): number {
    return Math.max(this.#highest.get(channel) ?? 0, this.#options.seen(channel));
  }

  #unavailable(detail: string): AntiphonError {
    return new AntiphonError(this.#options.backend.unavailable, detail);
  }

  #refuse(detail: string): Promise<never> {
    return Promise.reject(this.#unavailable(detail));
  }
}
