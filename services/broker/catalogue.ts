// What workers say of their routes, for people: kept in Redis, so that whoever has no handlers can show them. Nothing is decided
// by it. Whoever takes a route away leaves its description behind.

import { type BrokerContext, translate } from "./connection.ts";

export interface RouteNote {
  readonly kind: string;
  readonly help?: string;
  /** What makes it run, as people write it. */
  readonly on: string;
  readonly restrictTo?: readonly string[];
  readonly builtin: boolean;
  /** Absent: without end. */
  readonly attempts?: number;
  readonly timeoutMs: number;
  /** Where its deliveries wait, unless whoever enqueues them says otherwise. */
  readonly queue: string;
}

export async function writeCatalogue(context: BrokerContext, notes: ReadonlyMap<string, RouteNote>): Promise<void> {
  if (notes.size === 0) return;
  const { client, keys } = context;
  try {
    await client.hset(keys.catalogue(), ...[...notes].flatMap(([id, note]) => [id, JSON.stringify(note)]));
  } catch (error) {
    throw translate(error);
  }
}

/** Route id -> note, of those that a worker has described lately. */
export async function readCatalogue({ client, keys }: BrokerContext): Promise<ReadonlyMap<string, RouteNote>> {
  try {
    const fields = await client.hgetall(keys.catalogue());
    return new Map(
      Object.entries(fields).flatMap(([id, text]): [string, RouteNote][] => {
        const note = noteOf(text);
        return note === undefined ? [] : [[id, note]];
      }),
    );
  } catch (error) {
    throw translate(error);
  }
}

function noteOf(text: string): RouteNote | undefined {
  try {
    return JSON.parse(text) as RouteNote;
  } catch {
    return undefined; // a later release may say it otherwise
  }
}
