// Sees from outside that a worker died: its connection is gone. Then its claims come back at once instead of by time.
//
// Nobody is reaped for an outage: after one all connections are new ones. Until the living had time to register again only
// those are taken for dead whom this reaper itself saw connected since then. A master that was there all along knows that
// there was no outage, so as a new leader it waits for nothing.
//
// Not promised: that it always sees it. Where the server does not tell, workers are reaped by time.

import type { BrokerContext } from "../broker/connection.ts";
import { reapClosed } from "../broker/reap.ts";
import { queueNames, type RegisteredWorker, registeredWorkers } from "../broker/registered.ts";
import type { Tenure } from "../leader/duty.ts";
import { connectedOf, shownName, workerConnection } from "../redis/clients.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { hasCode } from "../runtime/errors.ts";
import { Loop } from "../runtime/loop.ts";
import type { Emit } from "../telemetry/events.ts";

export interface ReaperOptions {
  readonly broker: BrokerContext;
  readonly tenure: Tenure;
  /** Since when this process has been connected to Redis without a break, by the monotonic clock; undefined: it is not. */
  readonly thereSince?: () => number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

const LOOK_MS = 300;
/** For a worker that only lost its connection: it is back and registered within this time. */
const RECONNECT_MS = 700;
/** The living get as long as a claim lasts to register again. */
const OUTAGE_MS = 5_000;

export class Reaper {
  readonly #options: ReaperOptions;
  readonly #loop: Loop;
  /** Who was seen without a connection, and since when. */
  readonly #missing = new Map<string, number>();
  /** Who was seen connected since the last outage. */
  #seen = new Set<string>();
  #quietUntil: number;
  #blind = false;

  constructor(options: ReaperOptions) {
    this.#options = options;
    this.#quietUntil = options.thereSince === undefined ? options.clock.monotonic() + OUTAGE_MS : 0;
    this.#loop = new Loop({
      name: "reaper",
      intervalMs: () => this.#pauseMs(),
      tick: () => this.#tick(),
      onError: (error) => this.#failed(error),
      clock: options.clock,
      random: options.random,
    });
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Redis was away: whose connection is gone now is not dead for that. */
  outage(): void {
    this.#quietUntil = this.#options.clock.monotonic() + OUTAGE_MS;
    this.#missing.clear();
    this.#seen.clear();
  }

  async #tick(): Promise<void> {
    const { broker, tenure, clock } = this.#options;
    if (!tenure.held() || this.#blind) return;
    const queues = (await queueNames(broker)).filter((name) => !name.startsWith("outbox/"));
    // On a Cluster a worker has no single connection, and none to tell.
    const workers = (await registeredWorkers(broker, queues)).filter((worker) => worker.clientId !== "");
    const ids = [...new Set(workers.map((worker) => worker.clientId))];
    const connected = await connectedOf(broker.client, ids);
    if (!connected) {
      this.#blind = true;
      return;
    }
    this.#see(workers, connected);
    const isQuiet = this.#isQuiet(clock.monotonic());
    const mayJudge = (worker: RegisteredWorker): boolean => !isQuiet || this.#seen.has(nameOf(worker));
    const gone = workers.filter((worker) => !connected.has(worker.clientId) && mayJudge(worker));
    this.#forgetOthers(gone);
    for (const worker of gone) await this.#consider(worker);
  }

  /** Counted from the end of the last outage, however long it was. */
  #isQuiet(now: number): boolean {
    const { thereSince } = this.#options;
    const since = thereSince === undefined ? 0 : thereSince();
    return since === undefined || now < Math.max(this.#quietUntil, since + OUTAGE_MS);
  }

  /** By name too: a server that was started again numbers its connections from 1, so the number may be another's. */
  #see(workers: readonly RegisteredWorker[], connected: ReadonlyMap<string, string>): void {
    const isHere = (worker: RegisteredWorker): boolean =>
      connected.get(worker.clientId) === shownName(workerConnection(worker.info.split(" ")[1] ?? ""));
    const seen = workers.filter((worker) => isHere(worker) || this.#seen.has(nameOf(worker)));
    this.#seen = new Set(seen.map((worker) => nameOf(worker)));
  }

  async #consider(worker: RegisteredWorker): Promise<void> {
    const { broker, tenure, clock, emit } = this.#options;
    const now = clock.monotonic();
    const since = this.#missing.get(nameOf(worker)) ?? now;
    this.#missing.set(nameOf(worker), since);
    if (now - since < RECONNECT_MS) return;
    const deliveries = await reapClosed(broker, worker, { epoch: tenure.epoch });
    this.#missing.delete(nameOf(worker));
    if (deliveries !== null) emit("claims.reaped", { queue: worker.queue, from: worker.wid, deliveries });
  }

  #forgetOthers(gone: readonly RegisteredWorker[]): void {
    const names = new Set(gone.map((worker) => nameOf(worker)));
    for (const name of this.#missing.keys()) if (!names.has(name)) this.#missing.delete(name);
  }

  #failed(error: unknown): void {
    this.outage();
    if (!hasCode(error, "FENCED")) this.#options.emit("loop.failed", { loop: "reaper", error });
  }

  /** Who is missing is looked at again right when the time to reconnect is over. */
  #pauseMs(): number {
    const now = this.#options.clock.monotonic();
    let pauseMs = LOOK_MS;
    for (const since of this.#missing.values()) pauseMs = Math.min(pauseMs, Math.max(since + RECONNECT_MS - now, 5));
    return pauseMs;
  }
}

/** A worker that registers again under a new connection is another one here. */
function nameOf(worker: RegisteredWorker): string {
  return `${worker.queue} ${worker.wid} ${worker.info}`;
}
