// A Redis for the simulation: two keys per unit, the scripts of a Lease, replicas that lag, failovers, and clients whose
// connections delay, lose and break. A test compares it with the scripts on a real server; it is no second backend.

import { EventEmitter } from "node:events";
import type { RedisClient } from "../../services/redis/connect.ts";
import { loadScript } from "../../services/redis/scripts.ts";
import type { SimProcess, World } from "./sim-world.ts";

const LUA = new URL("../../services/leader/lua/", import.meta.url);
const shaOf = (name: string): string => loadScript(new URL(`${name}.lua`, LUA)).sha;
const SCRIPTS = new Map((["acquire", "extend", "release"] as const).map((name) => [shaOf(name), name]));

/** What one server knows of one unit. */
export interface Leased {
  token: string | undefined;
  expiresAt: number;
  epoch: number;
}

/** The scripts of services/leader/lua, on two values. `now`: the server's clock. */
export class LeaseRules {
  readonly kept: Leased;

  constructor(kept: Leased = { token: undefined, expiresAt: 0, epoch: 0 }) {
    this.kept = kept;
  }

  token(now: number): string | undefined {
    return this.kept.token !== undefined && this.kept.expiresAt > now ? this.kept.token : undefined;
  }

  acquire(token: string, ms: number, now: number): boolean {
    const current = this.token(now);
    if (current !== undefined && current !== token) return false;
    if (current === undefined) this.kept.epoch = Math.max(this.kept.epoch + 1, now);
    this.kept.token = token;
    this.kept.expiresAt = now + ms;
    return true;
  }

  extend(token: string, ms: number, now: number): boolean {
    if (this.token(now) !== token) return false;
    this.kept.expiresAt = now + ms;
    return true;
  }

  release(token: string, now: number): boolean {
    if (this.token(now) !== token) return false;
    this.kept.token = undefined;
    return true;
  }
}

interface Write {
  readonly at: number;
  readonly kept: Leased;
}

/** One primary with perhaps one replica. */
export class SimServer {
  readonly runId: string;
  readonly rules: LeaseRules;
  /** Was made the primary after it followed another. */
  readonly promoted: boolean;
  isDead = false;
  frozenUntil = 0;
  /** How far the replica is behind, ms; undefined without one. */
  lagMs: number | undefined;
  readonly #world: World;
  readonly #aheadMs: number;
  #writes: Write[] = [];

  constructor(world: World, options: { lagMs: number | undefined; kept?: Leased; promoted?: boolean; runId?: string }) {
    this.#world = world;
    this.lagMs = options.lagMs;
    this.promoted = options.promoted ?? false;
    this.rules = new LeaseRules(options.kept);
    this.runId = options.runId ?? `run${Math.floor(world.random() * 1e9)}`;
    this.#aheadMs = world.between(-100, 100);
  }

  get now(): number {
    return Math.floor(this.#world.now + this.#aheadMs) + 1_700_000_000_000;
  }

  wrote(): void {
    this.#writes.push({ at: this.#world.now, kept: { ...this.rules.kept } });
    if (this.#writes.length > 50) this.#writes = this.#writes.slice(-25);
  }

  /** What the replica has by now: what was written `lagMs` ago. */
  get replicated(): Leased {
    const until = this.#world.now - (this.lagMs ?? 0);
    return {
      ...(this.#writes.findLast(({ at }) => at <= until)?.kept ?? { token: undefined, expiresAt: 0, epoch: 0 }),
    };
  }
}

export type Accepted = (epoch: string) => void;

/** The name under which clients find the primary, and what happens to it. */
export class SimRedis {
  server: SimServer;
  /** When clients can connect, true time. */
  reachableAt = 0;
  readonly clients = new Set<SimClient>();
  readonly world: World;

  constructor(world: World, lagMs: number | undefined) {
    this.world = world;
    this.server = new SimServer(world, { lagMs });
  }

  get isReachable(): boolean {
    return !this.server.isDead && this.world.now >= this.reachableAt && this.server.frozenUntil <= this.world.now;
  }

  freeze(ms: number): void {
    this.server.frozenUntil = this.world.now + ms;
    // Clients give up a server that is silent for so long.
    if (ms > 2_000) this.world.in(2_000, () => this.breakAll());
  }

  /** The primary dies; `ms` later the replica is the primary, without what had not reached it. */
  failOver(ms: number, lies = false): void {
    const { server } = this;
    const kept = server.lagMs === undefined ? server.rules.kept : server.replicated;
    server.isDead = true;
    this.reachableAt = this.world.now + ms;
    this.server = new SimServer(this.world, {
      lagMs: undefined,
      kept: { ...kept },
      promoted: !lies,
      ...(lies && { runId: server.runId }),
    });
    this.server.wrote();
    const lagMs = server.lagMs === undefined ? undefined : this.world.between(1, 60);
    this.world.in(ms + this.world.between(500, 3_000), () => (this.server.lagMs = lagMs));
    this.breakAll();
  }

  breakAll(): void {
    for (const client of this.clients) client.break();
  }

  publish(channel: string, message: string): void {
    for (const client of this.clients) client.hear(channel, message);
  }
}

/** What a Lease and a Leader ask of an ioredis client. */
export class SimClient extends EventEmitter {
  readonly #redis: SimRedis;
  readonly #process: SimProcess;
  readonly #channels = new Set<string>();
  readonly #waiting = new Set<(error: Error) => void>();
  #connection = 0;
  #isOpen = true;
  /** Nothing passes until then: neither end notices. */
  lostUntil = 0;

  constructor(redis: SimRedis, process: SimProcess) {
    super();
    this.setMaxListeners(0);
    this.#redis = redis;
    this.#process = process;
    redis.clients.add(this);
  }

  get asClient(): RedisClient {
    return this as unknown as RedisClient;
  }

  evalsha(sha: string, count: number, given: readonly (string | number)[]): Promise<number> {
    const token = String(given[count]);
    const ms = Number(given[count + 1]);
    return this.#ask((server) => {
      const { rules, now } = server;
      const name = SCRIPTS.get(sha);
      // redlock's own release after a failed acquire names no channel.
      if (name === "release" && count < 4) return 0;
      const done =
        name === "acquire"
          ? rules.acquire(token, ms, now)
          : name === "extend"
            ? rules.extend(token, ms, now)
            : rules.release(token, now);
      if (done) server.wrote();
      if (done && name === "release") this.#redis.publish(String(given[3]), token);
      return done ? count : 0;
    });
  }

  mget(): Promise<(string | null)[]> {
    return this.#ask(({ rules, now }) => [
      rules.token(now) ?? null,
      rules.kept.epoch === 0 ? null : String(rules.kept.epoch),
    ]);
  }

  pttl(): Promise<number> {
    return this.#ask(({ rules, now }) => (rules.token(now) === undefined ? -2 : rules.kept.expiresAt - now));
  }

  info(section: string): Promise<string> {
    return this.#ask(({ runId, lagMs, promoted }) => {
      if (section === "server") return `run_id:${runId}\r\n`;
      const replica = lagMs === undefined ? "" : "slave0:ip=::1,port=1,state=online,offset=1,lag=0\r\n";
      return `${replica}master_replid2:${(promoted ? "a" : "0").repeat(40)}\r\n`;
    });
  }

  wait(_replicas: number, ms: number): Promise<number> {
    return this.#ask(
      ({ lagMs }) => (lagMs !== undefined && lagMs <= ms ? 1 : 0),
      ({ lagMs }) => Math.min(lagMs ?? ms, ms),
    );
  }

  /** A write that is accepted from the present epoch alone. */
  async write(epoch: string, accepted: Accepted): Promise<void> {
    await this.#ask(({ rules }) => (String(rules.kept.epoch) === epoch ? accepted(epoch) : undefined));
  }

  /** As it would be without the fence. */
  async writeUnfenced(epoch: string, accepted: Accepted): Promise<void> {
    await this.#ask(() => accepted(epoch));
  }

  async subscribe(channel: string): Promise<number> {
    await this.#ask(() => this.#channels.add(channel));
    return 1;
  }

  hear(channel: string, message: string): void {
    const { world } = this.#redis;
    if (!this.#isOpen || !this.#channels.has(channel) || world.chance(0.1)) return;
    world.in(world.between(0.1, 5), () => this.emit("message", channel, message), this.#process);
  }

  break(): void {
    const { world } = this.#redis;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#connection++;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    world.in(
      world.between(0.1, 5),
      () => {
        this.emit("close");
        for (const reject of waiting) reject(new Error("Connection is closed."));
      },
      this.#process,
    );
    this.#reconnect();
  }

  #reconnect(): void {
    const { world } = this.#redis;
    world.in(
      world.between(20, 500),
      () => {
        if (!this.#redis.isReachable || this.lostUntil > world.now) return this.#reconnect();
        this.#isOpen = true;
        this.emit("ready");
      },
      this.#process,
    );
  }

  #ask<T>(answer: (server: SimServer) => T, thinkMs: (server: SimServer) => number = () => 0): Promise<T> {
    const { world } = this.#redis;
    if (!this.#isOpen)
      return Promise.reject(new Error("Stream isn't writeable and enableOfflineQueue options is false"));
    const { server } = this.#redis;
    const connection = this.#connection;
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      const stays = (): boolean => connection === this.#connection && this.lostUntil <= world.now;
      const arrive = (): void => {
        if (server.frozenUntil > world.now) return void world.in(server.frozenUntil - world.now, arrive);
        // What was sent before the connection broke may still arrive.
        if (server.isDead || this.lostUntil > world.now) return;
        world.in(thinkMs(server), () => {
          if (server.isDead) return;
          const value = answer(server);
          const back = (): void => {
            if (!stays()) return;
            this.#waiting.delete(reject);
            resolve(value);
          };
          world.in(this.#delayMs(), back, this.#process);
        });
      };
      world.in(this.#delayMs(), arrive);
    });
  }

  #delayMs(): number {
    const { world } = this.#redis;
    return world.chance(0.02) ? world.between(100, 3_000) : world.between(0.1, 3);
  }
}
