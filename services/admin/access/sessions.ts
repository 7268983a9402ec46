// Who has logged in: a random cookie whose digest is in Redis, so that any pod knows it and a logout counts everywhere.
//
// What Redis holds neither is a cookie nor helps to guess a token: it proves that the token with which somebody logged in is
// still the one of that name. So a session ends when its token is changed or taken away.

import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { AdminToken } from "../../config/access.ts";
import type { RedisClient } from "../../redis/connect.ts";
import type { Keys } from "../../redis/keys.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AntiphonError } from "../../runtime/errors.ts";
import type { Tokens } from "./tokens.ts";

export interface SessionsOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly tokens: Tokens;
  readonly clock: Pick<Clock, "now">;
}

/** Without a request in between. */
export const IDLE_MS = 12 * 3_600_000;
const LIFE_MS = 7 * 24 * 3_600_000;
const ID = /^[A-Za-z0-9_-]{43}$/;

export class Sessions {
  readonly #options: SessionsOptions;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** The id for the cookie. Throws REDIS_UNAVAILABLE. */
  async begin(token: AdminToken): Promise<string> {
    const { client, clock } = this.#options;
    const id = randomBytes(32).toString("base64url");
    const key = this.#key(id);
    const stored = { name: token.name, proof: proofOf(id, token), since: String(clock.now()) };
    await done(client.multi().hset(key, stored).pexpire(key, IDLE_MS).exec());
    return id;
  }

  /** Whose it is. Throws REDIS_UNAVAILABLE: then nobody knows. */
  async of(id: string): Promise<AdminToken | undefined> {
    if (!ID.test(id)) return undefined;
    const { client, tokens, clock } = this.#options;
    const key = this.#key(id);
    const [[, stored] = []] = await done(client.multi().hgetall(key).pexpire(key, IDLE_MS).exec());
    const { name = "", proof = "", since = "" } = (stored ?? {}) as Partial<Record<string, string>>;
    const token = name === "" ? undefined : await tokens.named(name);
    if (token === undefined || !isSame(proof, proofOf(id, token))) return undefined;
    return clock.now() - Number(since) < LIFE_MS ? token : undefined;
  }

  async end(id: string): Promise<void> {
    if (ID.test(id)) await this.#options.client.del(this.#key(id)).catch(unavailable);
  }

  #key(id: string): string {
    return this.#options.keys.adminSession(createHash("sha256").update(id).digest("base64url"));
  }
}

/** What a page sends with each change, besides the cookie, which a browser adds by itself. */
export function csrfOf(id: string): string {
  return createHmac("sha256", id).update("csrf").digest("base64url");
}

function proofOf(id: string, { name, secret }: AdminToken): string {
  return createHmac("sha256", id).update(`${name}\n${secret}`).digest("base64url");
}

export function isSame(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

type Replies = [error: Error | null, result: unknown][];

async function done(answer: Promise<Replies | null>): Promise<Replies> {
  const replies = await answer.catch(unavailable);
  const failure = replies === null ? new Error("MULTI was discarded") : replies.find(([error]) => error)?.[0];
  return replies === null || failure ? unavailable(failure) : replies;
}

function unavailable(cause: unknown): never {
  throw new AntiphonError("REDIS_UNAVAILABLE", "", { cause });
}
