// The channels that the bot is to be in, and whether it is: joins after connecting, and again after a kick or a refusal.

import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import type { Isupport } from "./isupport.ts";
import { formatLine, type Line } from "./line.ts";

export interface ChannelWish {
  readonly name: string;
  readonly key?: string;
}

/** What outlives a connection: channels entered and left by Actions. */
export interface Wishes {
  readonly configured: readonly ChannelWish[];
  readonly joined: Set<string>;
  readonly left: Set<string>;
}

export interface ChannelsOptions {
  readonly wishes: Wishes;
  readonly isupport: Isupport;
  readonly clock: Clock;
  readonly random: Random;
  /** A channel that does not let us in, and why. */
  readonly refused: (channel: string, why: string) => void;
}

interface Trouble {
  failures: number;
  againAt: number;
}

/** Full, invite-only, banned, wrong key … */
const REFUSALS: ReadonlySet<string> = new Set("403 405 437 471 473 474 475 476 477 489 520".split(" "));
const AGAIN = { firstMs: 5_000, maxMs: 300_000 };
const LINE_BYTES_MAX = 400;
const CHANNELS_MAX = 500;

export class Channels {
  readonly #options: ChannelsOptions;
  readonly #in = new Set<string>();
  readonly #trouble = new Map<string, Trouble>();

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  get joined(): ReadonlySet<string> {
    return this.#in;
  }

  isIn(channel: string): boolean {
    return this.#in.has(this.#fold(channel));
  }

  /** It should be in, and is not. */
  isAway(channel: string): boolean {
    const name = this.#fold(channel);
    return !this.#in.has(name) && this.#wished().some((wish) => this.#fold(wish.name) === name);
  }

  keyOf(channel: string): string | undefined {
    return this.#wished().find((wish) => this.#options.isupport.isSame(wish.name, channel))?.key;
  }

  /** Every channel that it is not in, in as few lines as may be; keyed ones first, because keys are counted off. */
  joinLines(): string[] {
    return joins(this.#wished().filter((wish) => this.isAway(wish.name)));
  }

  /** From now on, also after a change of leader. */
  enter(channel: string): void {
    const { wishes } = this.#options;
    const name = this.#fold(channel);
    wishes.left.delete(name);
    if (wishes.joined.size < CHANNELS_MAX) wishes.joined.add(name);
  }

  leave(channel: string): void {
    const name = this.#fold(channel);
    this.#options.wishes.joined.delete(name);
    this.#options.wishes.left.add(name);
  }

  /** It was not to be had. */
  withdraw(channel: string): void {
    this.#options.wishes.joined.delete(this.#fold(channel));
  }

  /** Lines that come; `isSelf`: it is about us that they tell. */
  heard(line: Line, isSelf: boolean): void {
    const { command, params } = line;
    if (command === "JOIN" && isSelf) {
      for (const name of (params[0] ?? "").split(",")) this.#entered(name);
    } else if (command === "PART" && isSelf) this.#in.delete(this.#fold(params[0] ?? ""));
    else if (command === "KICK" && isSelf) this.#putOut(params[0] ?? "", `kicked: ${params.at(-1) ?? ""}`);
    else if (REFUSALS.has(command) && this.isAway(params[1] ?? "")) this.#putOut(params[1] ?? "", params.at(-1) ?? "");
  }

  /** Joins whose time has come again. */
  due(): string[] {
    const now = this.#options.clock.monotonic();
    const late = this.#wished().filter((wish) => {
      const trouble = this.#trouble.get(this.#fold(wish.name));
      return this.isAway(wish.name) && trouble !== undefined && now >= trouble.againAt;
    });
    for (const { name } of late) this.#postpone(name);
    return joins(late);
  }

  #entered(channel: string): void {
    const name = this.#fold(channel);
    this.#in.add(name);
    this.#trouble.delete(name);
  }

  #putOut(channel: string, why: string): void {
    this.#in.delete(this.#fold(channel));
    this.#postpone(channel);
    this.#options.refused(channel, why);
  }

  #postpone(channel: string): void {
    const { clock, random } = this.#options;
    const name = this.#fold(channel);
    const failures = this.#trouble.get(name)?.failures ?? 0;
    const againAt = clock.monotonic() + backoffMs(failures, AGAIN, random);
    if (this.isAway(channel)) this.#trouble.set(name, { failures: failures + 1, againAt });
  }

  #wished(): ChannelWish[] {
    const { configured, joined, left } = this.#options.wishes;
    const names = new Set(configured.map((wish) => this.#fold(wish.name)));
    const more = [...joined].filter((name) => !names.has(name)).map((name) => ({ name }));
    return [...configured.filter((wish) => !left.has(this.#fold(wish.name))), ...more];
  }

  #fold(channel: string): string {
    return this.#options.isupport.fold(channel);
  }
}

function joins(wishes: readonly ChannelWish[]): string[] {
  const sorted = [...wishes].sort((one, other) => Number(other.key !== undefined) - Number(one.key !== undefined));
  const lines: { names: string[]; keys: string[]; bytes: number }[] = [];
  for (const { name, key } of sorted) {
    const bytes = Buffer.byteLength(`${name}${key ?? ""}`) + 2;
    const last = lines.at(-1);
    const line = last && last.bytes + bytes <= LINE_BYTES_MAX ? last : { names: [], keys: [], bytes: 0 };
    if (line !== last) lines.push(line);
    line.names.push(name);
    if (key !== undefined) line.keys.push(key);
    line.bytes += bytes;
  }
  return lines.map(({ names, keys }) =>
    formatLine("JOIN", keys.length === 0 ? [names.join(",")] : [names.join(","), keys.join(",")]),
  );
}
