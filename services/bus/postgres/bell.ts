// Doorbells: 64 per bus and schema, each a channel of NOTIFY. `bus_publish_1` in schema.sql writes what they say.

import { createHash } from "node:crypto";
import { bellOf } from "../../redis/keys.ts";
import { BusMessage } from "../message.ts";
import type { Position } from "../position.ts";

export interface Rung {
  readonly channel: string;
  readonly position: Position;
  /** Left out where it is too large for a notification. */
  readonly message: BusMessage | undefined;
}

const PREFIX_DIGITS = 16;

/** Names of doorbells: without anything that would have to be quoted, and short enough for a name in Postgres. */
export class Bells {
  readonly #prefix: string;

  constructor(schema: string, namespace: string) {
    const hash = createHash("sha256").update(`${schema} ${namespace}`).digest("hex");
    this.#prefix = `antiphon_${hash.slice(0, PREFIX_DIGITS)}`;
  }

  of(channel: string): string {
    return `${this.#prefix}_${bellOf(channel)}`;
  }
}

/** `<offset>|<epoch>|<channel> LF [message in Base64]`; undefined for what anybody else said. */
export function readBell(text: string): Rung | undefined {
  const end = text.lastIndexOf("\n");
  const match = /^(\d{1,16})\|([^|]+)\|(.+)$/s.exec(text.slice(0, end));
  if (end === -1 || match === null) return undefined;
  const position = { offset: Number(match[1]), epoch: match[2] ?? "" };
  const payload = text.slice(end + 1);
  const message = payload === "" ? undefined : new BusMessage(position, Buffer.from(payload, "base64"));
  return { channel: match[3] ?? "", position, message };
}
