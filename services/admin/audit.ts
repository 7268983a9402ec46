// The audit log: who changed what, when, and what came of it. A stream of bounded length and age, and a channel of the bus.
//
//   begin ─▶ open ─▶ end ─▶ told       A change is open before it is made; where that cannot be written it must not be made.
//              └─▶ given up ─▶ told    Whoever made it is silent for a quarter of an hour: told as `unknown`, by the next one
//                                      who writes or reads.

import { RETENTION } from "../bus/backend.ts";
import type { RedisClient } from "../redis/connect.ts";
import { bellOf, type Keys } from "../redis/keys.ts";
import { type Argument, loadScript, type Reply, runScript, type Script, text, utf8 } from "../redis/scripts.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { randomId } from "../runtime/ids.ts";

/** How the caller was identified. */
export type AuditWay = "token" | "login" | "proxy" | "dev" | "cli";

/** Before it is made. */
export interface Change {
  readonly who: string;
  readonly role: string;
  readonly way: AuditWay;
  /** E.g. `queue.pause`. */
  readonly action: string;
  /** What it is about, and in short, without secrets, what was asked. */
  readonly target: string;
  /** An address, or the machine of a command. */
  readonly from: string;
}

export interface Told {
  /** `unknown`: whoever made the change has not told what came of it, as when its process died. */
  readonly outcome: "done" | "refused" | "failed" | "unknown";
  /** Of an answer; 0 where there is none. */
  readonly status: number;
}

export interface Entry extends Change, Told {
  /** Grows with time; entries after or before it are found by it. */
  readonly id: string;
  /** When it was asked for, by the clock of Redis; ISO 8601. */
  readonly at: string;
}

/** A change that is being made. */
export interface OpenChange extends Change {
  readonly atMs: number;
  /** As it stands in Redis. */
  readonly stored: string;
}

export interface AuditOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly length: number;
  readonly days: number;
  /** Added to the server's clock, ms; for tests. */
  readonly clockOffsetMs?: () => number;
}

export interface Page {
  readonly items: readonly Entry[];
  /** Of the next page. */
  readonly cursor?: string;
}

export const AUDIT_CHANNEL = "/admin/audit";
const OPEN = loadScript(new URL("./lua/audit-open.lua", import.meta.url));
const CLOSE = loadScript(new URL("./lua/audit-close.lua", import.meta.url));
const DAY_MS = 86_400_000;
const OPEN_MAX = 1_000;
const GIVE_UP_MS = 15 * 60_000;
const CHANNEL_KEEPS = 300;
const ID = /^\d{1,15}-\d{1,15}$/;

export class Audit {
  readonly #options: AuditOptions;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Throws REDIS_UNAVAILABLE, and whatever else Redis refuses with: then the change must not be made. */
  async begin(change: Change): Promise<OpenChange> {
    const stored = JSON.stringify({ ...change, n: randomId() });
    const [at, late] = (await this.#run(OPEN, [stored, OPEN_MAX, GIVE_UP_MS])) as Reply[];
    await this.#giveUp((late as Reply[]).map(utf8));
    return { ...change, atMs: Number(text(at)), stored };
  }

  /** @returns the entry's id */
  async end(change: OpenChange, told: Told): Promise<string> {
    return this.#close(change, told, false);
  }

  /** A change that is made by telling it, or was made just now. */
  async record(change: Change, told: Told = { outcome: "done", status: 200 }): Promise<string> {
    return this.end(await this.begin(change), told);
  }

  /** Newest first. `before`: the cursor of the page before. Throws REQUEST_INVALID for a cursor that is none. */
  async list({ limit, before }: { readonly limit: number; readonly before?: string }): Promise<Page> {
    if (before !== undefined && !ID.test(before)) throw new AntiphonError("REQUEST_INVALID", "The cursor is none.");
    const { client, keys, days } = this.#options;
    try {
      const nowMs = await this.#sweep();
      const from = before === undefined ? "+" : `(${before}`;
      const oldest = String(Math.max(0, nowMs - days * DAY_MS));
      const rows = await client.xrevrange(keys.audit(), from, oldest, "COUNT", limit);
      const items = rows.map(([id, [, json = "{}"]]) => ({ id, ...(JSON.parse(json) as Omit<Entry, "id">) }));
      const last = items.at(-1)?.id;
      return items.length < limit || last === undefined ? { items } : { items, cursor: last };
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** @returns the server's time, ms */
  async #sweep(): Promise<number> {
    const { client, keys } = this.#options;
    const [seconds, micros] = await client.time();
    const nowMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) + this.#offsetMs;
    const until = nowMs - GIVE_UP_MS;
    await this.#giveUp(await client.zrangebyscore(`${keys.audit()}:open`, "-inf", until, "WITHSCORES", "LIMIT", 0, 10));
    return nowMs;
  }

  /** Each followed by when it was begun. */
  async #giveUp(late: readonly string[]): Promise<void> {
    for (let at = 0; at + 1 < late.length; at += 2) {
      const [stored = "{}", score = "0"] = late.slice(at, at + 2);
      const change = { ...(JSON.parse(stored) as Change), atMs: Number(score), stored };
      await this.#close(change, { outcome: "unknown", status: 0 }, true);
    }
  }

  async #close(change: OpenChange, told: Told, onlyIfOpen: boolean): Promise<string> {
    const { keys, length, days } = this.#options;
    const { who, role, way, action, target, from, atMs, stored } = change;
    const at = new Date(atMs).toISOString();
    const entry = JSON.stringify({ at, who, role, way, action, target, ...told, from });
    const bell = keys.busBell(bellOf(AUDIT_CHANNEL));
    const channel = [AUDIT_CHANNEL, bell, CHANNEL_KEEPS, RETENTION.ageMs, randomId(), "", 0];
    const args = [stored, onlyIfOpen ? 1 : 0, entry, length, days * DAY_MS, ...channel];
    return utf8(await this.#run(CLOSE, args));
  }

  get #offsetMs(): number {
    return this.#options.clockOffsetMs?.() ?? 0;
  }

  async #run(script: Script, args: readonly Argument[]): Promise<Reply> {
    const { client, keys } = this.#options;
    try {
      return await runScript(client, { script, keys: [keys.audit()], args: [this.#offsetMs, ...args] });
    } catch (error) {
      throw unavailable(error);
    }
  }
}

function unavailable(error: unknown): AntiphonError {
  if (error instanceof AntiphonError) return error;
  const isFull = error instanceof Error && error.message.startsWith("FULL ");
  return new AntiphonError(isFull ? "TOO_MANY_REQUESTS" : "REDIS_UNAVAILABLE", "", { cause: error });
}
