// Reads what a channel keeps: what follows a position, or the newest few. One round trip each; head and messages are of
// one moment.

import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { type BusMessage, NOWHERE, type Position } from "./position.ts";

export interface Source {
  readonly client: RedisClient;
  readonly keys: Keys;
}

export interface Backlog {
  /** False: what follows the position cannot be told any more (another epoch, trimmed, lost). Never a silent hole. */
  readonly recovered: boolean;
  /** Oldest first. */
  readonly messages: readonly BusMessage[];
  readonly head: Position;
}

/** The first `limit` messages after `after`; there are more if the last of them is not the head. */
export async function readAfter(
  source: Source,
  channel: string,
  o: { after: Position; limit: number },
): Promise<Backlog> {
  const { head, messages } = await read(source, channel, ["XRANGE", `${o.after.offset + 1}-0`, "+", o.limit]);
  const sameEpoch = head.epoch === o.after.epoch;
  if (sameEpoch && head.offset === o.after.offset) return { recovered: true, messages: [], head };
  const fromNowhere = o.after.epoch === "";
  const recovered = fromNowhere || (sameEpoch && messages[0]?.offset === o.after.offset + 1);
  return { recovered, messages: recovered ? messages : [], head };
}

/** The newest `limit` messages. */
export async function readRecent(source: Source, channel: string, limit: number): Promise<Backlog> {
  const { head, messages } = await read(source, channel, ["XREVRANGE", "+", "-", limit]);
  return { recovered: true, messages: messages.toReversed(), head };
}

type Range = readonly [command: "XRANGE" | "XREVRANGE", from: string, to: string, limit: number];
type Entry = readonly [id: Buffer, fields: readonly Buffer[]];

async function read(
  source: Source,
  channel: string,
  range: Range,
): Promise<{ head: Position; messages: BusMessage[] }> {
  const { client, keys } = source;
  const [command, from, to, limit] = range;
  const multi = client.multi();
  multi.callBuffer("HMGET", `${keys.bus()}:m:${channel}`, "e", "o");
  multi.callBuffer(command, `${keys.bus()}:s:${channel}`, from, to, "COUNT", limit);
  const replies = await multi.exec().catch((cause: unknown) => {
    throw new AntiphonError("REDIS_UNAVAILABLE", "", { cause });
  });
  const failure = replies === null ? new Error("MULTI was discarded") : replies.find(([error]) => error)?.[0];
  if (replies === null || failure) throw new AntiphonError("REDIS_UNAVAILABLE", "", { cause: failure });
  const [epoch, offset] = (replies[0]?.[1] ?? []) as (Buffer | null)[];
  if (!epoch || !offset) return { head: NOWHERE, messages: [] };
  const head = { epoch: epoch.toString(), offset: Number(offset) };
  const entries = (replies[1]?.[1] ?? []) as readonly Entry[];
  return { head, messages: entries.map((entry) => message(head.epoch, entry)) };
}

function message(epoch: string, [id, fields]: Entry): BusMessage {
  return { epoch, offset: Number.parseInt(id.toString("latin1"), 10), data: fields[1] ?? Buffer.alloc(0) };
}
