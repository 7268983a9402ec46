// Watches one connection: notices a server that fell silent, tells its state, checks again whether the server is fit.
//
//   connecting ─▶ ready ◀─▶ unfit          ready: connected, and fit where that is checked
//        └─▶ away ◀─┴─────────┘            unfit: somebody must change the server or REDIS_URL; tried again until then

import { Cluster, Redis } from "ioredis";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { RedisClient } from "./connect.ts";
import { checkServer } from "./fitness.ts";
import { TRY_MS } from "./options.ts";

export type RedisState = "connecting" | "ready" | "away" | "unfit";

export interface WatchOptions {
  readonly client: RedisClient;
  /** Whether commands may wait for a connection for a short gap. */
  readonly patient: boolean;
  readonly checkFitness: boolean;
  readonly onState: (state: RedisState, detail?: string) => void;
  readonly clock: Clock;
  readonly random: Random;
}

const PING_MS = 1000;
/** A fit server is asked again after so many pings, for its configuration can change while it runs. */
const FIT_PINGS = 10;

export class Watch {
  readonly #options: WatchOptions;
  readonly #loop: Loop;
  #told = "";
  #state: RedisState = "connecting";
  #problem: string | undefined;
  #stopped = false;
  #closes = 0;
  #pings = 0;
  #handshake: NodeJS.Timeout | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#loop = new Loop({
      name: "redis watch",
      intervalMs: PING_MS,
      tick: () => this.#tick(),
      // A ping that fails is no news: the silent connection is closed, and that is told.
      onError: () => {},
      clock: options.clock,
      random: options.random,
    });
  }

  start(): void {
    const { client } = this.#options;
    this.#tell("connecting");
    client.on("connect", () => this.#connected());
    client.on("ready", () => this.#ready());
    client.on("error", (error: Error) => this.#failed(error));
    client.on("close", () => this.#closed());
    client.on("end", () => this.#closed());
    void this.#loop.start();
  }

  /** Nothing is told from now on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#handshake);
    await this.#loop.stop();
  }

  /** A server can accept and then say nothing; ioredis would wait for it. */
  #connected(): void {
    const { client } = this.#options;
    if (client instanceof Cluster) return;
    clearTimeout(this.#handshake);
    this.#handshake = setTimeout(() => {
      if (client.status !== "connect") return;
      this.#problem ??= `It accepted the connection and was not ready within ${TRY_MS} ms. Is it loading its data?`;
      client.disconnect(true);
    }, TRY_MS);
    this.#handshake.unref();
  }

  #ready(): void {
    clearTimeout(this.#handshake);
    this.#problem = undefined;
    this.#closes = 0;
    this.#pings = 0;
    this.#waitForConnection(true);
    if (!this.#options.checkFitness) return this.#tell("ready");
    // A server that does not answer this closes the connection, and that is told.
    this.#check().catch(() => {});
  }

  #failed(error: Error): void {
    this.#problem = error.message;
  }

  #closed(): void {
    clearTimeout(this.#handshake);
    this.#closes++;
    // The first gap may be short: commands wait for the next try to connect. After that they fail at once.
    if (this.#closes > 1) this.#waitForConnection(false);
    const problem = this.#problem;
    this.#problem = undefined;
    const refused = problem !== undefined && /^(WRONGPASS|NOAUTH|NOPERM)\b/.test(problem);
    if (refused) this.#tell("unfit", `It refused the user or password (${problem}). Remedy: correct REDIS_URL.`);
    else this.#tell("away", problem ?? "The connection was closed.");
  }

  #waitForConnection(wait: boolean): void {
    const { client, patient } = this.#options;
    client.options.enableOfflineQueue = wait && patient;
    // A single server's client refuses what waits when a try fails; a cluster's keeps it until told.
    if (!wait && client instanceof Cluster)
      (client as unknown as ClusterQueue).flushQueue(new Error("The cluster is away."));
  }

  async #tick(): Promise<void> {
    const { client, checkFitness } = this.#options;
    if (client.status !== "ready") return;
    const due = this.#state === "unfit" || this.#pings++ % FIT_PINGS === FIT_PINGS - 1;
    if (checkFitness && due) return await this.#check();
    // ioredis closes a connection that owes an answer for too long: the ping makes every silent server owe one.
    if (client instanceof Redis) await client.ping();
    else await Promise.all(client.nodes("all").map((node) => node.ping()));
  }

  async #check(): Promise<void> {
    const { client } = this.#options;
    const fitness = await checkServer(client);
    if (client.status !== "ready") return;
    if (fitness.ok) this.#tell("ready", fitness.server);
    else this.#tell("unfit", fitness.detail);
  }

  #tell(state: RedisState, detail?: string): void {
    this.#state = state;
    const line = `${state} ${detail ?? ""}`;
    if (line === this.#told || this.#stopped) return;
    this.#told = line;
    this.#options.onState(state, detail);
  }
}

/** Private in ioredis' types. */
interface ClusterQueue {
  flushQueue(error: Error): void;
}
