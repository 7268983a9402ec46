// The statements, each with its parameters. What is over its time, or was trimmed and not deleted yet, is not seen.

import type { Statement, Value } from "./database.ts";

/** bigint comes as text. */
export interface Row {
  readonly name: string;
  readonly epoch: string;
  readonly first_offset: string;
  readonly last_offset: string;
  /** null: the channel has no message that was asked for. */
  readonly message_offset: string | null;
  readonly payload: Buffer | null;
}

const HEAD = "c.name, c.epoch, c.first_offset, c.last_offset";
const ALIVE = "c.namespace = $1 AND c.ends_at > clock_timestamp()";
const KEPT = "m.channel_id = c.id AND m.message_offset >= c.kept_from";

export const PUBLISH: Statement = {
  name: "antiphon-bus-publish",
  text: "SELECT * FROM antiphon.bus_publish_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
};

export const HEADS: Statement = {
  name: "antiphon-bus-heads",
  text: `SELECT ${HEAD} FROM antiphon.bus_channels c WHERE ${ALIVE} AND c.name = ANY($2)`,
};

export const ROTATE: Statement = {
  name: "antiphon-bus-rotate",
  text:
    "UPDATE antiphon.bus_channels c SET epoch = $5, last_offset = n.base, first_offset = n.base + 1 " +
    "FROM (SELECT greatest($4::bigint, antiphon.bus_now_us()) AS base) n " +
    `WHERE ${ALIVE} AND c.name = $2 AND c.epoch = $3 AND c.last_offset < $4::bigint`,
};

const AFTER = reading("after", `${KEPT} AND m.message_offset > $4 ORDER BY m.message_offset`);
const RECENT = reading("recent", `${KEPT} ORDER BY m.message_offset DESC`);

function reading(name: string, which: string): Statement {
  const messages = `SELECT m.message_offset, m.payload FROM antiphon.bus_messages m WHERE ${which} LIMIT $3`;
  const text =
    `SELECT ${HEAD}, m.message_offset, m.payload FROM antiphon.bus_channels c LEFT JOIN LATERAL (${messages}) m ON true ` +
    `WHERE ${ALIVE} AND c.name = $2 ORDER BY m.message_offset`;
  return { name: `antiphon-bus-${name}`, text };
}

/** The first `limit` messages with a higher offset. */
export function readAfter(
  namespace: string,
  { channel, offset, limit }: { readonly channel: string; readonly offset: number; readonly limit: number },
): [Statement, Value[]] {
  return [AFTER, [namespace, channel, limit, offset]];
}

/** The newest, oldest first. */
export function readRecent(
  namespace: string,
  { channel, limit }: { readonly channel: string; readonly limit: number },
): [Statement, Value[]] {
  return [RECENT, [namespace, channel, limit]];
}
