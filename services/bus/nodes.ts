// How the bus stands in every process that has work with it: each writes a snapshot into Redis every few seconds, which
// expires; whoever looks reads those that are there. Processes whose bus nobody uses write nothing.

import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript, runScript, text } from "../redis/scripts.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { randomId } from "../runtime/ids.ts";
import { Loop } from "../runtime/loop.ts";
import type { Part } from "../runtime/part.ts";
import { processName } from "../runtime/process-name.ts";
import { VERSION } from "../runtime/version.ts";
import { type Diagnostics, diagnose, type Looking } from "./diagnostics.ts";
import { REVOKED } from "./revocations.ts";

const TELL = loadScript(new URL("./lua/tell.lua", import.meta.url));
const TELL_MS = 5_000;
/** Longer than a pause after failures. */
const KEEP_MS = 20_000;
const CHANNELS_MAX = 20;
const NODES_MAX = 100;
const NO_CLOCK_OFFSET = 0;

export interface BusContext {
  readonly client: RedisClient;
  readonly keys: Keys;
}

export interface BusNode extends Diagnostics {
  /** Of this process; random. */
  readonly id: string;
  /** `<pod or machine>:<process id>` */
  readonly pod: string;
  readonly version: string;
  /** By the server's clock. */
  readonly at: string;
}

export interface NodeReportOptions extends BusContext, Looking {
  readonly clock: Clock;
  readonly random: Random;
  readonly everyMs?: number;
}

/** Tells of this process. It also learns what the server's clock says, by which lag is measured. */
export class NodeReport implements Part {
  readonly name = "bus report";
  readonly #options: NodeReportOptions;
  readonly #id = randomId();
  readonly #loop: Loop;
  #published = 0;

  constructor(options: NodeReportOptions) {
    this.#options = options;
    const { clock, random, everyMs = TELL_MS } = options;
    const tick = (): Promise<void> => this.#tick();
    // That the server is away is told by its connection.
    this.#loop = new Loop({ name: this.name, intervalMs: everyMs, tick, onError: () => {}, clock, random });
  }

  async start(): Promise<void> {
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  async #tick(): Promise<void> {
    const { client, keys, clock, bus } = this.#options;
    if (!this.#isUsed()) return;
    this.#published = bus.published;
    const askedAt = clock.now();
    const args = [NO_CLOCK_OFFSET, this.#id, JSON.stringify(this.#snapshot()), KEEP_MS];
    const reply = await runScript(client, { script: TELL, keys: [keys.bus()], args });
    bus.lag.compare(Number(text(reply)) / 1000, { askedAt, answeredAt: clock.now() });
  }

  /** By anybody: the one channel that every process reads for itself does not count. */
  #isUsed(): boolean {
    const { bus, door } = this.#options;
    const { feeds, publisher, published } = bus;
    const isRead = feeds.size > (feeds.has(REVOKED) ? 1 : 0) || door.limits.connections > 0;
    return isRead || published !== this.#published || publisher.waiting > 0;
  }

  #snapshot(): Omit<BusNode, "at"> {
    const about = { id: this.#id, pod: processName(), version: VERSION };
    return { ...about, ...diagnose(this.#options, CHANNELS_MAX) };
  }
}

export interface BusNodes {
  /** Those that told last come first. */
  readonly nodes: readonly BusNode[];
  /** How many there are, told here or not. */
  readonly total: number;
}

export async function busNodes({ client, keys }: BusContext, limit = NODES_MAX): Promise<BusNodes> {
  const index = `${keys.bus()}:n`;
  const [total, newest] = await Promise.all([
    client.zcard(index),
    client.zrevrange(index, 0, Math.min(limit, NODES_MAX) - 1, "WITHSCORES"),
  ]);
  const ids = newest.filter((_, at) => at % 2 === 0);
  if (ids.length === 0) return { nodes: [], total };
  const told = await client.mget(ids.map((id) => `${index}:${id}`));
  const nodes = told.flatMap((json, at): BusNode[] => {
    if (json === null) return [];
    const snapshot = JSON.parse(json) as Omit<BusNode, "at">;
    return [{ ...snapshot, at: new Date(Number(newest[2 * at + 1])).toISOString() }];
  });
  return { nodes, total };
}
