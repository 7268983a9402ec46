// Asks other processes of the bot, and looks into one of them as if it were this one. look-door.ts answers there.

import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { translate } from "../broker/connection.ts";
import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError, ERROR_TABLE, type ErrorCode } from "../runtime/errors.ts";
import { randomId } from "../runtime/ids.ts";
import type { ThreadRow } from "./inspection.ts";
import type { ProcessRow } from "./look-door.ts";
import { type Answered, type Asked, type LookConfig, type Seal, sealOf, type Word } from "./look-words.ts";
import type { ProfileWanted, SnapshotWanted } from "./looks.ts";

export interface FarLooksOptions {
  readonly config: LookConfig;
  readonly client: RedisClient;
  /** Opened at the first question. */
  readonly subscriber: () => RedisClient;
  readonly keys: Keys;
  readonly clock: Clock;
}

const WHO_MS = 1_500;
const PROCESSES_MAX = 500;
const ANSWER_MS = 20_000;
/** A large memory takes its time. */
const SNAPSHOT_MS = 200_000;
const ALONE = "The processes share no admin token with which they could ask each other: ask this one itself.";

type Question = Omit<Asked, "id" | "to" | "asker">;
type Heard = (word: Word<Answered>) => void;

export class FarLooks {
  readonly #options: FarLooksOptions;
  readonly #seal: Seal | undefined;
  readonly #asker = randomId();
  readonly #waiting = new Map<string, Heard>();
  #subscriber: RedisClient | undefined;
  #listening: Promise<unknown> | undefined;

  constructor(options: FarLooksOptions) {
    this.#options = options;
    this.#seal = sealOf(options.config);
  }

  /** Those that answer at once, by their names. */
  async processes(): Promise<ProcessRow[]> {
    if (this.#seal === undefined) return [];
    const found = new Map<string, ProcessRow>();
    const all = new AbortController();
    const id = randomId();
    let expected = Number.POSITIVE_INFINITY;
    this.#waiting.set(id, ({ head: { from, told } }) => {
      if (found.size < PROCESSES_MAX) found.set(from, told as ProcessRow);
      if (found.size >= expected) all.abort();
    });
    try {
      expected = await this.#send({ kind: "who", id, to: "" });
      if (found.size < expected) await this.#options.clock.sleep(WHO_MS, all.signal);
    } finally {
      this.#waiting.delete(id);
    }
    return [...found.values()].toSorted((a, b) => (a.process < b.process ? -1 : 1));
  }

  async threads(to: string): Promise<ThreadRow[]> {
    return (await this.#ask(to, { kind: "threads" }, ANSWER_MS)).head.told as ThreadRow[];
  }

  async profile(to: string, { thread, seconds, gone }: ProfileWanted): Promise<Readable> {
    const id = randomId();
    const leave = (): void => this.#leave(to, id);
    gone.addEventListener("abort", leave, { once: true });
    try {
      return await this.#file(to, { kind: "profile", thread, seconds }, { id, waitMs: seconds * 1000 + ANSWER_MS });
    } finally {
      gone.removeEventListener("abort", leave);
    }
  }

  snapshot(to: string, wanted: SnapshotWanted): Promise<Readable> {
    return this.#file(to, { kind: "snapshot", ...wanted }, { id: randomId(), waitMs: SNAPSHOT_MS });
  }

  async #file(to: string, question: Question, { id, waitMs }: { id: string; waitMs: number }): Promise<Readable> {
    await this.#ask(to, question, waitMs, id);
    const pieces = Readable.from(this.#pieces(to, id));
    const whole = pipeline(pieces, createGunzip(), () => {});
    // Nobody else listens before it is answered with.
    whole.on("error", () => {});
    return whole;
  }

  async *#pieces(to: string, file: string): AsyncGenerator<Buffer> {
    let isDone = false;
    try {
      while (!isDone) {
        const { head, bytes } = await this.#ask(to, { kind: "next", file }, SNAPSHOT_MS);
        isDone = (head.told as { readonly done: boolean }).done;
        if (!isDone && bytes !== undefined) yield bytes;
      }
    } finally {
      if (!isDone) this.#leave(to, file);
    }
  }

  #leave(to: string, file: string): void {
    this.#send({ kind: "leave", file, id: randomId(), to }).catch(() => {}); // it will forget by itself
  }

  // oxlint-disable-next-line max-params -- The last is for what has a name of its own.
  async #ask(to: string, question: Question, waitMs: number, id = randomId()): Promise<Word<Answered>> {
    const late = new AbortController();
    const { promise, resolve } = Promise.withResolvers<Word<Answered>>();
    this.#waiting.set(id, resolve);
    try {
      await this.#send({ ...question, id, to });
      const slept = this.#options.clock.sleep(waitMs, late.signal).then(() => undefined);
      const answer = await Promise.race([promise, slept]);
      if (answer === undefined) throw new AntiphonError("NOT_FOUND", `The process ${to} does not answer.`);
      const { error } = answer.head;
      if (error !== undefined) throw refusalOf(error, to);
      return answer;
    } finally {
      late.abort();
      this.#waiting.delete(id);
    }
  }

  /** @returns how many hear it */
  async #send(asked: Omit<Asked, "asker">): Promise<number> {
    if (this.#seal === undefined) throw new AntiphonError("NOT_FOUND", ALONE);
    const { client, keys } = this.#options;
    const sealed = await this.#seal.close({ head: { ...asked, asker: this.#asker } });
    try {
      await this.#listen(this.#seal);
      return Number(await client.spublish(keys.looks(), sealed));
    } catch (error) {
      throw translate(error);
    }
  }

  #listen(seal: Seal): Promise<unknown> {
    const subscriber = (this.#subscriber ??= this.#open(seal));
    this.#listening ??= subscriber.ssubscribe(this.#channel);
    this.#listening.catch(() => (this.#listening = undefined));
    return this.#listening;
  }

  #open(seal: Seal): RedisClient {
    const subscriber = this.#options.subscriber();
    // We do it ourselves, because ioredis leaves the failure of its own renewal unhandled, which ends the process.
    Object.assign(subscriber.options, { autoResubscribe: false });
    subscriber.on("ready", () => void subscriber.ssubscribe(this.#channel).catch(() => {}));
    subscriber.on("smessageBuffer", (_channel: Buffer, message: Buffer) => void this.#hear(seal, message));
    return subscriber;
  }

  get #channel(): string {
    return `${this.#options.keys.looks()}:${this.#asker}`;
  }

  async #hear(seal: Seal, message: Buffer): Promise<void> {
    const word = await seal.open<Answered>(message);
    if (word?.head.kind === "answer") this.#waiting.get(word.head.id)?.(word);
  }
}

function refusalOf({ code, detail }: NonNullable<Answered["error"]>, to: string): Error {
  return code in ERROR_TABLE ? new AntiphonError(code as ErrorCode, detail) : new Error(`${to}: ${detail}`);
}
