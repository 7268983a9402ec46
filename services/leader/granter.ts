// Which server grants the Leases: whether it is still the one that did before, and whether its replicas know what it granted.
//
// A server that takes over after a failover, or comes back from its file, may lack the Lease of a leader that still believes
// in it. So for as long as such a leader may act nobody takes a Lease there which is absent: neither who knew the former
// server, nor who comes new to one that was made the primary at some time.
// Not promised: anything about a primary that is cut off together with its leader; `min-replicas-to-write` bounds that.

import type { RedisClient } from "../redis/connect.ts";
import { runIdOf, type Server, serverOf, sessionOf } from "../redis/server.ts";
import type { Clock } from "../runtime/clock.ts";

export interface GranterOptions {
  /** Opened for the purpose "lease". */
  readonly client: RedisClient;
  /** Any key of the bot: in a cluster it tells which server. */
  readonly key: string;
  /** How long a Lease lasts. */
  readonly leaseMs: number;
  readonly clock: Clock;
}

const granters = new WeakMap<RedisClient, Granter>();

/** The one of this connection. */
export function granterOf(options: GranterOptions): Granter {
  const known = granters.get(options.client) ?? new Granter(options);
  granters.set(options.client, known);
  return known;
}

export class Granter {
  readonly #options: GranterOptions;
  /** Of the server that answered last; undefined before the first answer. */
  #runId: string | undefined;
  /** Of the connection when that was asked. */
  #session: string | undefined;
  /** When a connection was lost last, by the monotonic clock; tries that failed are none. */
  #lostAt: number | undefined;
  #isOpen = true;
  #quietUntil = 0;
  #server: Server | undefined;
  #servers = 0;

  constructor(options: GranterOptions) {
    this.#options = options;
    options.client.on("ready", () => (this.#isOpen = true));
    options.client.on("close", () => {
      if (this.#isOpen) this.#lostAt = options.clock.monotonic();
      this.#isOpen = false;
    });
  }

  /** Changes whenever the connection is another one: what was known about the server has to be looked at again. */
  get session(): string {
    return this.#server === undefined ? "" : `${this.#servers} ${sessionOf(this.#server)}`;
  }

  /** How much longer no absent Lease may be taken here. Throws when the server does not say who it is. */
  async quietMs(): Promise<number> {
    const { clock, leaseMs } = this.#options;
    const server = await this.#ask();
    if (this.session !== this.#session) {
      const session = this.session;
      const runId = await orWhereRefused(runIdOf(server), "");
      const isOther = this.#runId !== undefined && (runId !== this.#runId || runId === "");
      const isNew = this.#runId === undefined && (await wasReplica(server));
      if (isOther) this.#quietUntil = (this.#lostAt ?? clock.monotonic()) + leaseMs;
      if (isNew) this.#quietUntil = clock.monotonic() + leaseMs;
      this.#runId = runId;
      this.#session = session;
    }
    return Math.max(0, this.#quietUntil - clock.monotonic());
  }

  /** Whether a replica has everything that this connection wrote, where there is one that follows. */
  async isReplicated(waitMs: number): Promise<boolean> {
    const server = await this.#ask();
    const info = await orWhereRefused(server.info("replication"), "");
    if (!/^slave\d+:.*state=online/m.test(info)) return true;
    return (await server.wait(1, waitMs)) > 0;
  }

  async #ask(): Promise<Server> {
    const { client, key } = this.#options;
    const server = await serverOf(client, key);
    if (server !== this.#server) this.#servers++;
    this.#server = server;
    return server;
  }
}

/** Whether it was made the primary since it was started. */
async function wasReplica(server: Server): Promise<boolean> {
  const info = await orWhereRefused(server.info("replication"), "");
  return /^master_replid2:(?!0{40}\r?$)/m.test(info);
}

/** A user may lack the right to ask. */
async function orWhereRefused(asked: Promise<string>, instead: string): Promise<string> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Error && /^(ERR|NOPERM)\b/.test(error.message)) return instead;
    throw error;
  }
}
