// The main thread's two connections to Redis: one for commands, one for bells. Nobody else in this thread opens any.

import { workerConnection } from "../redis/clients.ts";
import { closeRedis, openRedis, type RedisClient, type RedisState } from "../redis/connect.ts";
import { checkDurability, type ProofCall } from "../redis/durable.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Part } from "../runtime/part.ts";
import type { Emit } from "../telemetry/events.ts";
import { Bells } from "./bells.ts";
import type { Pulse } from "./pulse.ts";

export interface ConnectionsOptions {
  readonly url: string;
  readonly pod: string;
  readonly pulse: Pulse;
  /** What the server must be able to prove. */
  readonly durability?: ProofCall;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
}

export class Connections implements Part {
  readonly name = "connections";
  readonly commands: RedisClient;
  readonly bells: Bells;
  readonly #subscriber: RedisClient;
  readonly #options: ConnectionsOptions;
  readonly #onReady: (() => void)[] = [];
  #isFit = false;

  /** Connects in the background: a Redis that is away is waited for, not complained about. */
  constructor(options: ConnectionsOptions) {
    const { url, pod, emit, pulse, clock, random } = options;
    this.#options = options;
    const open = (purpose: "commands" | "subscriber", onState: (state: RedisState) => void): RedisClient =>
      openRedis({
        url,
        purpose,
        name: purpose === "commands" ? workerConnection(pod) : `worker-${purpose}:${pod}`,
        clock,
        random,
        onState: (state, detail) => {
          emit("redis.state", { connection: purpose, state, ...(detail === undefined ? {} : { detail }) });
          onState(state);
        },
      });
    this.commands = open("commands", (state) => {
      pulse.redis(state, clock.now());
      this.#isFit = state === "ready";
      if (this.#isFit) for (const listener of this.#onReady) listener();
    });
    this.#subscriber = open("subscriber", () => {});
    this.bells = new Bells(this.#subscriber);
  }

  /** Whether a command sent now would reach a server. */
  get isThere(): boolean {
    return this.commands.status === "ready";
  }

  /** Each time that Redis is there and fit again. */
  onReady(listener: () => void): void {
    this.#onReady.push(listener);
  }

  /**
   * Resolves at the first contact with a fit server; rejects when the worker is stopped before, and when that server can
   * never prove the durability that is asked for.
   */
  async fit(signal: AbortSignal): Promise<void> {
    if (!this.#isFit) {
      await new Promise<void>((resolve, reject) => {
        this.onReady(resolve);
        signal.addEventListener("abort", () => reject(new Error("stopped before Redis was there")), { once: true });
      });
    }
    const { durability, clock, random } = this.#options;
    if (durability !== undefined) await checkDurability(this.commands, durability, { clock, random, stopping: signal });
  }

  /** CLIENT ID, by which the master sees that this worker is gone; "" where there is no single connection. */
  async clientId(): Promise<string> {
    return "nodes" in this.commands ? "" : String(await this.commands.client("ID"));
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await Promise.all([closeRedis(this.commands), closeRedis(this.#subscriber)]);
  }
}
