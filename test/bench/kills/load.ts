// Jobs at a steady rate, each let go a while after it began, and who runs what at any moment.

import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { Producer } from "../../../services/broker/producer.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import type { Held, Tally } from "../flood/tally.ts";

const ROUTE = "kills.hold";
/** The default of ANTIPHON_NAMESPACE. */
const NAMESPACE = "antiphon";
const QUEUE = "default";
const PER_SECOND = 200;
const RUN_MS = 100;
const TICK_MS = 10;
const LIMITS = { deliveries: 1_000_000, bytes: 2 ** 30 };

interface Began {
  readonly pid: number;
  readonly at: number;
}

/** A job whose process was killed while it ran. */
interface Interrupted {
  readonly pids: readonly number[];
  /** When it began in another process. */
  againAt: number | undefined;
}

export class Load {
  readonly #tally: Tally;
  readonly #client: RedisClient;
  readonly #running = new Map<string, Began>();
  readonly #interrupted = new Map<string, Interrupted>();
  readonly #begun = new Set<string>();
  #route = 0;
  #producer: Producer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #sent = 0;
  #stopped = false;
  #read = 0;

  constructor(url: string, tally: Tally) {
    this.#tally = tally;
    this.#client = openRedis({ url, name: "bench-load", purpose: "commands", onState: () => {} });
  }

  async start(): Promise<void> {
    const broker = { client: this.#client, keys: new Keys(NAMESPACE, 0) };
    this.#route = (await registerRoutes(broker, [ROUTE])).get(ROUTE) ?? 0;
    this.#producer = new Producer({ ...broker, limits: LIMITS, random: Math.random });
    this.#startedAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Jobs that these processes run, and that would go on; whoever kills them says so at once. */
  interrupt(pids: readonly number[]): string[] {
    this.#look();
    const numbers = [...this.#running].filter(([, { pid }]) => pids.includes(pid)).map(([number]) => number);
    for (const number of numbers) this.#interrupted.set(number, { pids, againAt: undefined });
    return numbers;
  }

  /** When an interrupted job began in another process. */
  againAt(number: string): number | undefined {
    this.#look();
    return this.#interrupted.get(number)?.againAt;
  }

  /** Enqueues nothing more. @returns how many jobs have never begun, once that does not change any more */
  async end(timeoutMs: number): Promise<number> {
    this.#stopped = true;
    const never = (): number => this.#sent - this.#begun.size;
    const late = performance.now() + timeoutMs;
    while (never() > 0 && performance.now() < late) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    return never();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await closeRedis(this.#client);
  }

  #tick(): void {
    const now = performance.now();
    const due = ((now - this.#startedAt) / 1000) * PER_SECOND;
    while (!this.#stopped && this.#sent < due) this.#send(String(++this.#sent));
    this.#look();
    for (const [number, { at }] of this.#running) {
      const interrupted = this.#interrupted.get(number);
      if (now - at < RUN_MS || (interrupted !== undefined && interrupted.againAt === undefined)) continue;
      this.#tally.letGo(number);
      this.#running.delete(number);
    }
  }

  #send(number: string): void {
    const envelope = encodeEnvelope({ v: 1, kind: "job", route: ROUTE }, JSON.stringify({ number }));
    void this.#producer?.enqueue(QUEUE, { route: this.#route, envelope });
  }

  #look(): void {
    for (; this.#read < this.#tally.held.length; this.#read++) {
      const { number, pid, at } = this.#tally.held[this.#read] as Held;
      const interrupted = this.#interrupted.get(number);
      if (interrupted !== undefined && !interrupted.pids.includes(pid)) interrupted.againAt ??= at;
      this.#running.set(number, { pid, at });
      this.#begun.add(number);
    }
  }
}
