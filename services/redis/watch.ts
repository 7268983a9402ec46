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
import { refusalOf } from "./refusals.ts";
import { type Peer, saidUnasked } from "./unasked.ts";

export type RedisState = "connecting" | "ready" | "away" | "unfit";

export interface WatchOptions {
  readonly client: RedisClient;
  /** Whether commands may wait for a connection for a short gap. */
  readonly patient: boolean;
  readonly checkFitness: boolean;
  readonly hasPassword: boolean;
  readonly tls: boolean;
  readonly onState: (state: RedisState, detail?: string) => void;
  readonly clock: Clock;
  readonly random: Random;
}

const TICK_MS = 250;
/** With `MISSED_TICKS` it bounds how long a command waits for a server that fell silent: 2 s. */
const PING_TICKS = 2;
/**
 * Silence is counted in ticks and not by the clock: when it was this process that stood still, one tick is all that
 * has passed, and the answers are read before the next. A connection that is closed without need costs a worker its claims.
 */
const MISSED_TICKS = 6;
const AGAIN_MS = 100;
/** A fit server is asked again now and then, for its configuration can change while it runs. */
const FIT_TICKS = 40;

export class Watch {
  readonly #options: WatchOptions;
  readonly #loop: Loop;
  #told = "";
  #state: RedisState = "connecting";
  #problem: string | undefined;
  #stopped = false;
  #closes = 0;
  #ticks = 0;
  /** Ticks since a question that is not answered yet. */
  #missed: number | undefined;
  #handshake: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  /** Connected, and not ready yet. */
  #peer: Peer | undefined;
  #explaining: Promise<void> | undefined;
  #detail = "";
  /** Resolves when the first try has come to an end. */
  readonly #tried = Promise.withResolvers<void>();

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#loop = new Loop({
      name: "redis watch",
      intervalMs: TICK_MS,
      tick: async () => this.#tick(),
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
    client.on("end", () => this.#ended());
    void this.#loop.start();
  }

  /** Why it cannot be used, once that is known; "" where there is no reason. */
  async problem(): Promise<{ readonly state: RedisState; readonly detail: string }> {
    const { clock } = this.#options;
    const late = new AbortController();
    // Commands fail before the connection is closed, and with it told why.
    if (this.#state === "connecting") await Promise.race([this.#tried.promise, clock.sleep(2 * TRY_MS, late.signal)]);
    late.abort();
    await this.#explaining;
    return { state: this.#state, detail: this.#detail };
  }

  /** Nothing is told from now on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#handshake);
    clearTimeout(this.#again);
    await this.#loop.stop();
  }

  /** A server can accept and then say nothing; ioredis would wait for it. */
  #connected(): void {
    const { client } = this.#options;
    if (client instanceof Cluster) return;
    const { remoteAddress: host, remotePort: port } = client.stream;
    const { host: named, port: namedPort } = client.options;
    this.#peer = { host: host ?? named ?? "", port: port ?? namedPort ?? 0 };
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
    this.#peer = undefined;
    this.#closes = 0;
    this.#ticks = 0;
    this.#waitForConnection(true);
    if (this.#options.checkFitness) this.#ask(this.#check());
    else this.#tell("ready");
  }

  #failed(error: Error): void {
    this.#problem = error.message;
  }

  #closed(): void {
    clearTimeout(this.#handshake);
    this.#missed = undefined;
    this.#closes++;
    // The first gap may be short: commands wait for the next try to connect. After that they fail at once.
    if (this.#closes > 1) this.#waitForConnection(false);
    const [problem, peer] = [this.#problem, this.#peer];
    this.#problem = undefined;
    this.#peer = undefined;
    // It hung up on us: that may be because of what it said before we asked.
    if (peer === undefined || this.#options.tls || isReply(problem)) this.#refused(problem, peer !== undefined);
    else this.#explaining ??= this.#explain(peer, problem).finally(() => (this.#explaining = undefined));
  }

  async #explain(peer: Peer, problem: string | undefined): Promise<void> {
    const said = await saidUnasked(peer);
    if (this.#options.client.status !== "ready") this.#refused(said ?? problem, true);
  }

  #refused(problem: string | undefined, wasConnected: boolean): void {
    const { hasPassword } = this.#options;
    const { state, detail } = refusalOf(problem, { hasPassword, wasConnected });
    this.#tell(state, detail);
  }

  /**
   * Nobody closed it: ioredis has given up. It does so for good when the word of a failover comes while it asks a Sentinel
   * for the primary.
   */
  #ended(): void {
    this.#closed();
    if (this.#stopped) return;
    const { client } = this.#options;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => {
      if (client.status === "end") client.connect().catch(() => {});
    }, AGAIN_MS);
    this.#again.unref();
  }

  #waitForConnection(wait: boolean): void {
    const { client, patient } = this.#options;
    client.options.enableOfflineQueue = wait && patient;
    // A single server's client refuses what waits when a try fails; a cluster's keeps it until told.
    if (!wait && client instanceof Cluster)
      (client as unknown as ClusterQueue).flushQueue(new Error("The cluster is away."));
  }

  #tick(): void {
    const { client, checkFitness } = this.#options;
    if (client.status !== "ready") return;
    if (this.#missed !== undefined) return this.#miss(this.#missed + 1);
    if (++this.#ticks % PING_TICKS !== 0) return;
    const isDue = this.#state === "unfit" || this.#ticks % FIT_TICKS === 0;
    if (checkFitness && isDue) this.#ask(this.#check());
    else if (client instanceof Redis) this.#ask(client.ping());
    else this.#ask(Promise.all(client.nodes("all").map((node) => node.ping())));
  }

  #ask(answer: Promise<unknown>): void {
    this.#missed = 0;
    const answered = (): void => {
      this.#missed = undefined;
    };
    // A refusal is an answer too. A timeout is none, and a connection that is closed tells so itself.
    answer.then(answered, (error: unknown) => {
      const isReply = error instanceof Error && error.name === "ReplyError";
      if (isReply || this.#options.client instanceof Cluster) answered();
    });
  }

  #miss(missed: number): void {
    const { client } = this.#options;
    this.#missed = missed;
    // The nodes of a cluster are given up one by one: see `socketTimeout`.
    if (missed < MISSED_TICKS || client instanceof Cluster) return;
    this.#problem ??= "It stopped answering.";
    client.disconnect(true);
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
    this.#detail = detail ?? "";
    if (state !== "connecting") this.#tried.resolve();
    const line = `${state} ${detail ?? ""}`;
    if (line === this.#told || this.#stopped) return;
    this.#told = line;
    this.#options.onState(state, detail);
  }
}

/** The server's own words explain themselves. */
function isReply(problem = ""): boolean {
  return /^[A-Z]{3,} /.test(problem);
}

/** Private in ioredis' types. */
interface ClusterQueue {
  flushQueue(error: Error): void;
}
