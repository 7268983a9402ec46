// One of the HTTP thread's connections to Redis, which knows whether a request may be taken at all.

import { closeRedis, openRedis, type Purpose, type RedisClient, type RedisState } from "../redis/connect.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Part } from "../runtime/part.ts";

export interface HttpConnectionOptions {
  readonly url: string;
  readonly name: string;
  readonly purpose: Purpose;
  readonly clock: Clock;
  readonly random: Random;
  /** Each time that Redis is there and fit again. */
  readonly onReady?: () => void;
}

/** A shorter gap is waited for; in a longer one senders hear at once that they must come again. */
const GAP_MS = 500;
/** The same for the first contact, which takes longer. */
const FIRST_GAP_MS = 3_000;

export class HttpConnection implements Part {
  readonly name: string;
  readonly client: RedisClient;
  readonly #clock: Clock;
  readonly #onReady: (() => void) | undefined;
  #state: RedisState = "connecting";
  #detail = "";
  #awaySince: number | undefined;
  #gapMs = FIRST_GAP_MS;

  /** Connects in the background. */
  constructor({ name, clock, onReady, ...rest }: HttpConnectionOptions) {
    this.name = name;
    this.#clock = clock;
    this.#onReady = onReady;
    this.#awaySince = clock.monotonic();
    // Main tells of its own connection's states, and this one's are in /readyz: nothing is logged here.
    const onState = (state: RedisState, detail = ""): void => this.#heard(state, detail);
    this.client = openRedis({ ...rest, name: `http-${name}`, clock, onState });
  }

  /** The state's word first. */
  get state(): string {
    return this.#detail === "" ? this.#state : `${this.#state}: ${this.#detail}`;
  }

  /** Throws REDIS_UNAVAILABLE or REDIS_UNFIT when nothing can be promised now. */
  check(): void {
    if (this.#state === "unfit") throw new AntiphonError("REDIS_UNFIT", this.#detail);
    const since = this.#awaySince;
    if (since === undefined || this.#clock.monotonic() - since < this.#gapMs) return;
    throw new AntiphonError("REDIS_UNAVAILABLE", this.#detail);
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await closeRedis(this.client);
  }

  #heard(state: RedisState, detail: string): void {
    this.#state = state;
    this.#detail = detail;
    if (state === "ready") {
      this.#awaySince = undefined;
      this.#gapMs = GAP_MS;
      this.#onReady?.();
    } else this.#awaySince ??= this.#clock.monotonic();
  }
}
