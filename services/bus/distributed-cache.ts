// A map that every process has a copy of. Changes are bus messages, applied in the channel's order, one's own too, so all
// copies become equal. Not promised: that a change is seen at once elsewhere, nor that anything is kept: it is a cache.

import type { Clock } from "../runtime/clock.ts";
import { systemClock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { setNewest } from "../runtime/newest.ts";
import { jsonProblems } from "../sdk/json.ts";
import type { Heard } from "./local.ts";
import type { MessageBus } from "./message-bus.ts";

export interface DistributedCacheOptions {
  readonly bus: MessageBus;
  /** Caches of one name share their entries. */
  readonly name: string;
  /** Entries of another version are never seen, e.g. of the release before. */
  readonly appVersion?: string;
  /** How long an entry is there; left out: until it is replaced, deleted or crowded out. */
  readonly ttlMs?: number;
  /** The entries that were set longest ago give way. Default: 1000. */
  readonly entriesMax?: number;
  /** Of several tenants. */
  readonly site?: string;
  readonly clock?: Clock;
}

/** What is told to all copies. */
type Change =
  | { readonly op: "set"; readonly key: string; readonly value: unknown; readonly at: number }
  | { readonly op: "delete"; readonly key: string }
  | { readonly op: "clear" };

type Told = Change & { readonly version?: string };

interface Entry {
  readonly value: unknown;
  readonly until: number;
}

const ENTRIES_MAX = 1000;
/** Nobody on the web reads it: the name is reserved. */
const CHANNEL = "/distributed_hash/";
const APPLIED_MS = 5_000;

export class DistributedCache {
  /** From the one that was set longest ago. */
  readonly #entries = new Map<string, Entry>();
  readonly #options: DistributedCacheOptions;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, () => void>();
  #appliedId = 0;
  #listener: ((message: Heard) => void) | undefined;

  constructor(options: DistributedCacheOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Takes over what the others have, as far as the channel keeps it, and follows their changes. */
  async start(): Promise<void> {
    const { bus } = this.#options;
    const onGap = (): void => this.#entries.clear();
    this.#listener = await bus.subscribe(this.#channel, (message) => this.#hear(message), {
      ...this.#site,
      last: 0,
      onGap,
    });
  }

  stop(): void {
    if (this.#listener !== undefined) this.#options.bus.unsubscribe(this.#channel, this.#listener, this.#site);
    this.#listener = undefined;
    this.#entries.clear();
  }

  get(key: string): unknown {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (this.#clock.now() < entry.until) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Resolves when this copy has it too. @throws VALUE_NOT_JSON, REDIS_UNAVAILABLE: then nothing has changed here */
  async set(key: string, value: unknown): Promise<void> {
    const problems = jsonProblems("value", value);
    if (problems.length > 0) throw new AntiphonError("VALUE_NOT_JSON", problems.join("; "));
    await this.#tell({ op: "set", key, value, at: this.#clock.now() });
  }

  async delete(key: string): Promise<void> {
    await this.#tell({ op: "delete", key });
  }

  async clear(): Promise<void> {
    await this.#tell({ op: "clear" });
  }

  get #channel(): string {
    return `${CHANNEL}${this.#options.name}`;
  }

  get #site(): { site?: string } {
    const { site } = this.#options;
    return site === undefined ? {} : { site };
  }

  async #tell(change: Change): Promise<void> {
    const { bus, appVersion: version } = this.#options;
    const told: Told = { ...change, ...(version !== undefined && { version }) };
    const published = await bus.publish(this.#channel, told, { ...this.#site, queueInMemory: false });
    if (published.status !== "stored" || this.#listener === undefined) return;
    if (published.offset > this.#appliedId) await this.#applied(published.offset);
  }

  /** Our own change comes back in its place among all others. */
  async #applied(id: number): Promise<void> {
    const done = new AbortController();
    this.#waiting.set(id, () => done.abort());
    await this.#clock.sleep(APPLIED_MS, done.signal);
    this.#waiting.delete(id);
  }

  #hear({ id, data }: Heard): void {
    this.#appliedId = id;
    const change = data as Told;
    if (change.version === this.#options.appVersion) this.#apply(change);
    this.#waiting.get(id)?.();
  }

  #apply(change: Change): void {
    if (change.op === "clear") return this.#entries.clear();
    if (change.op === "delete") return void this.#entries.delete(change.key);
    const { ttlMs = Number.POSITIVE_INFINITY, entriesMax = ENTRIES_MAX } = this.#options;
    setNewest(this.#entries, [change.key, { value: change.value, until: change.at + ttlMs }], entriesMax);
  }
}
