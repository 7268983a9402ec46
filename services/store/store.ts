// The handlers' own values: one hash per handler, JSON texts by field. Only settle writes them, so a run's writes are
// buffered here; the run reads its own.

import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import { AntiphonError } from "../runtime/errors.ts";

/** Field -> JSON text, or null where it was deleted. */
type Writes = Map<string, string | null>;

export class StoreReader {
  readonly #client: RedisClient;
  readonly #keys: Keys;

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** Throws REDIS_UNAVAILABLE. */
  async read(handler: string, field: string): Promise<string | null> {
    try {
      return await this.#client.hget(this.#keys.store(handler), field);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw new AntiphonError("REDIS_UNAVAILABLE", detail, { cause: error });
    }
  }
}

export interface StoreWrite {
  readonly handler: string;
  readonly field: string;
  readonly value: string | null;
}

/** The writes of one delivery: those of routes that succeeded, in order. */
export class DeliveryStore {
  readonly #reader: StoreReader;
  readonly #kept = new Map<string, Writes>();

  constructor(reader: StoreReader) {
    this.#reader = reader;
  }

  /** For one run of one route. Nothing of it remains unless it is kept. */
  open(handler: string): RunStore {
    const kept = this.#kept.get(handler);
    return new RunStore(async (field) => {
      const known = kept?.get(field);
      return known === undefined ? this.#reader.read(handler, field) : known;
    });
  }

  keep(handler: string, store: RunStore): void {
    const kept = this.#kept.get(handler) ?? new Map<string, string | null>();
    for (const [field, value] of store.writes) kept.set(field, value);
    if (kept.size > 0) this.#kept.set(handler, kept);
  }

  get writes(): StoreWrite[] {
    return [...this.#kept].flatMap(([handler, writes]) =>
      [...writes].map(([field, value]) => ({ handler, field, value })),
    );
  }
}

export class RunStore {
  readonly #below: (field: string) => Promise<string | null>;
  readonly #writes: Writes = new Map();

  constructor(below: (field: string) => Promise<string | null>) {
    this.#below = below;
  }

  async get(field: string): Promise<string | null> {
    const own = this.#writes.get(field);
    return own === undefined ? this.#below(field) : own;
  }

  set(field: string, value: string | null): void {
    this.#writes.set(field, value);
  }

  get writes(): ReadonlyMap<string, string | null> {
    return this.#writes;
  }
}
