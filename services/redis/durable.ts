// How far an acknowledgement reaches: waits until what the server has answered is also on a replica, or on its disk.
//
// A write of its own goes before each question, over a connection of its own: so the answer covers everything that the
// server answered before, whoever wrote it (a repeat that was a duplicate, too), and nobody else waits behind the question.
// One question serves all who asked in the meantime.
//
// Not promised: that what cannot be proven is lost. It is accepted, and a repeat under the same id is a duplicate.

import { Redis } from "ioredis";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { AntiphonError, hasCode } from "../runtime/errors.ts";
import { type RedisClient, siblingOf } from "./connect.ts";
import { syncWay } from "./fsync.ts";
import { runIdOf, serverOf, sessionOf } from "./server.ts";

/** What an acknowledgement waits for: Redis' reply, one replica, or the append-only file synced to disk. */
export type Durability = "default" | "replica" | "fsync";
type Level = Exclude<Durability, "default">;

/** Less than a connection may be silent: see watch.ts. */
const WAIT_MS = 1000;
const PROOF_MS = 2000;
/** The write that goes first. Gone by itself, when nobody asks any more. */
const MARK_MS = 60_000;
const RETRY = { firstMs: 100, maxMs: 1000 };

export interface ProofCall {
  readonly level: Durability;
  /** Written first; in a cluster it lies where that lies which is to be proven. */
  readonly key: string;
}

const proofs = new WeakMap<RedisClient, Proofs>();

/**
 * Resolves when everything that `client` has been answered is as durable as that. Bounded. Throws DURABILITY_UNMET, or
 * DURABILITY_UNSUPPORTED where the server will never be able to.
 */
export async function prove(client: RedisClient, { level, key }: ProofCall): Promise<void> {
  if (level === "default") return;
  let own = proofs.get(client);
  if (own === undefined) proofs.set(client, (own = new Proofs(client, key)));
  await own.of(level);
}

export interface CheckOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly stopping: AbortSignal;
}

/**
 * Asks until there is an answer whether the server can do that at all. Throws DURABILITY_UNSUPPORTED; a replica that is
 * away may come back, so that is no reason.
 */
export async function checkDurability(client: RedisClient, call: ProofCall, options: CheckOptions): Promise<void> {
  if (call.level !== "fsync") return;
  const { clock, random, stopping } = options;
  for (let attempt = 0; !stopping.aborted; attempt++) {
    try {
      await syncWay(await serverOf(client, call.key));
      return;
    } catch (error) {
      if (hasCode(error, "DURABILITY_UNSUPPORTED")) throw error;
    }
    await clock.sleep(backoffMs(attempt, RETRY, random));
  }
}

interface Waiting {
  readonly level: Level;
  /** Of the server that answered, and which session of the connection that was. */
  readonly server: Redis | undefined;
  readonly session: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Questions about what one client wrote, one at a time. */
class Proofs {
  readonly #client: RedisClient;
  readonly #key: string;
  #waiting: Waiting[] = [];
  #isAsking = false;
  /** The one that the client wrote to, where there is but one or it is known already. */
  #server: Redis | undefined;

  constructor(client: RedisClient, key: string) {
    this.#client = client;
    this.#key = key;
    if (client instanceof Redis) this.#server = client;
  }

  of(level: Level): Promise<void> {
    const server = this.#server;
    const session = server === undefined ? 0 : sessionOf(server);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ level, server, session, resolve, reject });
      if (!this.#isAsking) void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    // What is asked for in one tick is asked at once.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      await Promise.all(
        (["replica", "fsync"] as const).map(async (level) => {
          const asked = batch.filter((waiting) => waiting.level === level);
          if (asked.length > 0) await this.#answer(level, asked);
        }),
      );
    }
    this.#isAsking = false;
  }

  async #answer(level: Level, asked: readonly Waiting[]): Promise<void> {
    try {
      const written = await serverOf(this.#client, this.#key);
      this.#server = written;
      const session = sessionOf(written);
      const runId = await runIdOf(written);
      await this.#prove(level, runId);
      const isSame = sessionOf(written) === session;
      for (const waiting of asked) {
        const wasThere = waiting.server === undefined || (waiting.server === written && waiting.session === session);
        if (isSame && wasThere) waiting.resolve();
        else waiting.reject(unmet("The server changed meanwhile."));
      }
    } catch (error) {
      const known = error instanceof AntiphonError ? error : unmet(String(error), error);
      for (const { reject } of asked) reject(known);
    }
  }

  async #prove(level: Level, runId: string): Promise<void> {
    const server = await serverOf(siblingOf(this.#client, "proof"), this.#key);
    if ((await runIdOf(server)) !== runId) throw unmet("The server changed meanwhile.");
    const session = sessionOf(server);
    const end = performance.now() + PROOF_MS;
    while (!(await askOnce(server, level, this.#key))) {
      if (performance.now() >= end) throw unmet(REASONS[level]);
    }
    if (sessionOf(server) !== session) throw unmet("The connection was lost meanwhile.");
  }
}

const REASONS: Readonly<Record<Level, string>> = {
  replica: `No replica has it within ${PROOF_MS} ms.`,
  fsync: `It is not synced to disk within ${PROOF_MS} ms.`,
};

function unmet(detail: string, cause?: unknown): AntiphonError {
  return new AntiphonError("DURABILITY_UNMET", detail, cause === undefined ? {} : { cause });
}

async function askOnce(server: Redis, level: Level, key: string): Promise<boolean> {
  const way = level === "replica" ? "wait" : await syncWay(server);
  const mark = server.set(key, "", "PX", MARK_MS);
  // Each reply comes after the sync: the mark's does, too.
  if (way === "reply") return (await mark) === "OK";
  const question = way === "wait" ? server.call("WAIT", 1, WAIT_MS) : server.call("WAITAOF", 1, 0, WAIT_MS);
  const [, answer] = await Promise.all([mark, question]);
  return Number(Array.isArray(answer) ? answer[0] : answer) >= 1;
}
