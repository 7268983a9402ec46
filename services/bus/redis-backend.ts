// Channels in Redis: a hash with epoch and last offset, a stream with the messages, 64 doorbells that all channels share.

import type { RedisClient } from "../redis/connect.ts";
import { bellOf, type Keys } from "../redis/keys.ts";
import { type Argument, loadScript, runScript, utf8 } from "../redis/scripts.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { randomId } from "../runtime/ids.ts";
import {
  type Backend,
  EVERYTHING_KEPT,
  type OnBell,
  type PublishCall,
  type Stored,
  type ToPublish,
} from "./backend.ts";
import { BusMessage } from "./message.ts";
import { type Head, NOWHERE, type Position } from "./position.ts";

const PUBLISH = loadScript(new URL("./lua/publish.lua", import.meta.url));
const ROTATE = loadScript(new URL("./lua/rotate.lua", import.meta.url));

const NO_CLOCK_OFFSET = 0;
const LF = 10;
/** So many are read at first; all that is read together is about so large. */
const LOOK = { messages: 32, bytes: 1024 * 1024 } as const;

export interface RedisBackendOptions {
  readonly commands: RedisClient;
  readonly subscriber: RedisClient;
  readonly keys: Keys;
  /** Each message has a place among all messages of the bus too. */
  readonly globalIndex?: boolean;
  /** Offsets of new channels begin at 1, as other programs' tests expect; such positions can come twice. */
  readonly idSeed?: "zero" | "time";
}

type Place = Omit<ToPublish, "payload">;

/** What messages of one call have in common is said once. */
class Places {
  readonly all: Place[];
  /** By channel: the newest place of it. */
  readonly #numbers = new Map<string, number>();

  constructor(first: readonly Place[]) {
    this.all = [...first];
  }

  /** The number of its place. */
  of({ channel, keep, seen }: ToPublish): number {
    const known = this.#numbers.get(channel);
    const place = known === undefined ? undefined : this.all[known];
    if (known !== undefined && place?.keep.messages === keep.messages && place.keep.ageMs === keep.ageMs) return known;
    this.#numbers.set(channel, this.all.length);
    return this.all.push({ channel, keep, seen }) - 1;
  }
}

type Entry = readonly [id: Buffer, fields: readonly Buffer[]];

export class RedisBackend implements Backend {
  readonly callsUnderway = 2;
  readonly unavailable = "REDIS_UNAVAILABLE";
  readonly #options: RedisBackendOptions;
  readonly #bells = new Map<string, Promise<unknown>>();
  /** How the names of all bells begin. */
  readonly #ours: Buffer;
  #onBell: OnBell | undefined;
  #onGap: (() => void) | undefined;

  constructor(options: RedisBackendOptions) {
    this.#options = options;
    this.#ours = Buffer.from(options.keys.busBells);
  }

  async start(on: { readonly bell: OnBell; readonly gap: () => void }): Promise<void> {
    this.#onBell = on.bell;
    this.#onGap = on.gap;
    // We do it ourselves, because ioredis leaves the failure of its own renewal unhandled, which ends the process.
    Object.assign(this.#options.subscriber.options, { autoResubscribe: false });
    this.#options.subscriber.on("smessageBuffer", this.#onRung);
    this.#options.subscriber.on("ready", this.#onReady);
  }

  async stop(): Promise<void> {
    this.#options.subscriber.off("smessageBuffer", this.#onRung);
    this.#options.subscriber.off("ready", this.#onReady);
  }

  get hears(): boolean {
    return this.#options.subscriber.status === "ready";
  }

  async listen(channel: string): Promise<void> {
    const bell = this.#options.keys.busBell(bellOf(channel));
    let listening = this.#bells.get(bell);
    if (listening === undefined) {
      listening = this.#options.subscriber.ssubscribe(bell);
      this.#bells.set(bell, listening);
      listening.catch(() => this.#bells.delete(bell));
    }
    await listening.catch(unavailable);
  }

  /** On one connection a later `ssubscribe` of the same bell wins. */
  async listenOnly(channels: () => Iterable<string>): Promise<void> {
    for (const bell of this.#bells.keys()) {
      if (this.#isWanted(bell, channels())) continue;
      this.#bells.delete(bell);
      await this.#options.subscriber.sunsubscribe(bell);
    }
  }

  #isWanted(bell: string, channels: Iterable<string>): boolean {
    for (const channel of channels) if (this.#options.keys.busBell(bellOf(channel)) === bell) return true;
    return false;
  }

  async publish({ publisher, number, follows = false, messages }: PublishCall): Promise<(Position | Error)[]> {
    const { commands, keys, globalIndex = false } = this.#options;
    const epoch = randomId();
    const places = new Places(globalIndex ? [EVERYTHING_KEPT] : []);
    const told: Argument[] = [];
    for (const message of messages) told.push(places.of(message), message.payload);
    const before = follows ? number - 1 : 0;
    const args = [NO_CLOCK_OFFSET, publisher, number, before, globalIndex ? 1 : 0, places.all.length];
    const described = places.all.flatMap((place) => this.#arguments(place, epoch));
    const all = [...args, ...described, ...told];
    const reply = await runScript(commands, { script: PUBLISH, keys: [keys.bus()], args: all }).catch(unavailable);
    return utf8(reply).split("\n").map(readAnswer);
  }

  #arguments({ channel, keep, seen }: Place, epoch: string): Argument[] {
    const bell = this.#options.keys.busBell(bellOf(channel));
    const least = seen === 0 && this.#options.idSeed === "zero" ? -1 : seen;
    return [channel, bell, keep.messages, keep.ageMs, epoch, "", least];
  }

  /** A look at the first of them tells how many more are worth reading: the largest 300 would be 20 MB. */
  async after(channel: string, offset: number, limit: number): Promise<Stored> {
    const read = (from: number, count: number): Promise<Stored> =>
      this.#read(channel, ["XRANGE", `${from + 1}-0`, "+"], count);
    const some = await read(offset, Math.min(limit, LOOK.messages));
    const last = some.messages.at(-1)?.offset ?? 0;
    const rest = Math.min(limit, roomFor(some.messages)) - some.messages.length;
    if (some.messages.length < LOOK.messages || rest <= 0 || last >= some.head.offset) return some;
    const more = await read(last, rest);
    const follows = more.head.epoch === some.head.epoch && more.messages[0]?.offset === last + 1;
    return follows ? { head: more.head, messages: [...some.messages, ...more.messages] } : some;
  }

  async recent(channel: string, limit: number): Promise<Stored> {
    const { head, messages } = await this.#read(channel, ["XREVRANGE", "+", "-"], limit);
    return { head, messages: messages.toReversed() };
  }

  async heads(channels: readonly string[]): Promise<Head[]> {
    const { commands, keys } = this.#options;
    const asks = channels.map((channel) => commands.hmget(`${keys.bus()}:m:${channel}`, "e", "o", "f"));
    const heads = (await Promise.all(asks).catch(unavailable)).map(readHead);
    // A channel without a hash may still have a stream.
    const unknown = channels.filter((_, index) => heads[index] === NOWHERE);
    if (unknown.length === 0) return heads;
    const found = await Promise.all(unknown.map(async (channel) => [channel, (await this.recent(channel, 1)).head]));
    const mended = new Map(found as [string, Head][]);
    return heads.map((head, index) => mended.get(channels[index] ?? "") ?? head);
  }

  async rotate(channel: string, seen: Position): Promise<void> {
    const { commands, keys } = this.#options;
    const args = [NO_CLOCK_OFFSET, channel, seen.epoch, seen.offset, randomId()];
    await runScript(commands, { script: ROTATE, keys: [keys.bus()], args }).catch(unavailable);
  }

  /** Head and messages are of one moment. */
  async #read(channel: string, [command, from, to]: readonly [string, string, string], limit: number): Promise<Stored> {
    const { commands, keys } = this.#options;
    const multi = commands.multi();
    multi.callBuffer("HMGET", `${keys.bus()}:m:${channel}`, "e", "o", "f");
    multi.callBuffer(command, `${keys.bus()}:s:${channel}`, from, to, "COUNT", limit);
    const replies = await multi.exec().catch(unavailable);
    const failure = replies === null ? new Error("MULTI was discarded") : replies.find(([error]) => error)?.[0];
    if (replies === null || failure) return unavailable(failure);
    const head = readHead((replies[0]?.[1] ?? []) as (Buffer | null)[]);
    const entries = (replies[1]?.[1] ?? []) as readonly Entry[];
    if (head !== NOWHERE) return { head, messages: entries.map((entry) => readEntry(head.epoch, entry)) };
    if (entries.length === 0) return { head, messages: [] };
    // The hash was lost alone: what is kept belongs to an epoch that nobody knows.
    await this.rotate(channel, NOWHERE);
    return this.#read(channel, [command, from, to], limit);
  }

  /** Others may listen on the same connection. */
  readonly #onRung = (bell: Buffer, rung: Buffer): void => {
    if (!bell.subarray(0, this.#ours.length).equals(this.#ours)) return;
    try {
      this.#hear(rung);
    } catch {
      // Nobody knows what it was to tell: what is stored does.
      this.#onGap?.();
    }
  };

  #hear(rung: Buffer): void {
    const end = rung.indexOf(LF);
    const head = rung.toString("utf8", 0, end);
    const first = head.indexOf("|");
    const second = head.indexOf("|", first + 1);
    const third = head.indexOf("|", second + 1);
    const position = { offset: Number(head.slice(0, first)), epoch: head.slice(first + 1, second) };
    // A copy: what was received with it would stay in memory as long as it is kept.
    const payload = Buffer.from(rung.subarray(end + 1));
    const message = new BusMessage(position, payload, Number(head.slice(second + 1, third)));
    this.#onBell?.(head.slice(third + 1), position, message);
  }

  /** The subscriber is back: messages may have passed meanwhile. */
  readonly #onReady = (): void => {
    this.#bells.clear();
    this.#onGap?.();
  };
}

/** How many of such messages are worth reading together. */
function roomFor(messages: readonly BusMessage[]): number {
  const bytes = messages.reduce((sum, { data }) => sum + data.byteLength, 0);
  return Math.floor((LOOK.bytes * messages.length) / Math.max(1, bytes));
}

/** Fields: d, the message, and t, when it was stored. */
function readEntry(epoch: string, [id, [, payload, , storedAt]]: Entry): BusMessage {
  const offset = Number.parseInt(id.toString("latin1"), 10);
  const at = storedAt === undefined ? undefined : Number(storedAt.toString("latin1"));
  return new BusMessage({ epoch, offset }, payload ?? Buffer.alloc(0), at);
}

function readHead([epoch, offset, first]: readonly (Buffer | string | null | undefined)[]): Head {
  if (!epoch || !offset) return NOWHERE;
  return { epoch: String(epoch), offset: Number(offset), first: first ? Number(first) : undefined };
}

function readAnswer(answer: string): Position | Error {
  if (answer.startsWith("!")) return new Error(answer.slice(1));
  const [offset, epoch = ""] = answer.split("|");
  return { epoch, offset: Number(offset) };
}

function unavailable(cause: unknown): never {
  throw new AntiphonError("REDIS_UNAVAILABLE", "", { cause });
}
