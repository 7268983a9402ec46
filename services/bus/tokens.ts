// Signed channel tokens: a page gets one from the application that renders it, and may read the channels that it names,
// whoever looks at it. Not promised: that a token can be taken back before it expires; so let it be short.

import { createHmac, timingSafeEqual } from "node:crypto";
import { AntiphonError } from "../runtime/errors.ts";

export interface TokenOptions {
  readonly secret: string;
  /** Names, or beginnings of names with `*` at their end. */
  readonly channels: readonly string[];
  /** Wall clock, ms. */
  readonly expiresAt: number;
  /** Of several tenants. */
  readonly site?: string;
}

/** What a token says that was found to be genuine. */
export interface ChannelToken {
  readonly channels: readonly string[];
  readonly site: string | undefined;
}

interface Said {
  readonly c: readonly string[];
  readonly e: number;
  readonly s?: string;
}

const CHARS_MAX = 4096;

export function signChannels({ secret, channels, expiresAt, site }: TokenOptions): string {
  const said: Said = { c: channels, e: expiresAt, ...(site !== undefined && { s: site }) };
  const body = Buffer.from(JSON.stringify(said)).toString("base64url");
  const token = `${body}.${signature(body, secret)}`;
  if (token.length <= CHARS_MAX) return token;
  throw new AntiphonError("VALUE_TOO_LARGE", "The token names too many channels.");
}

/** Throws UNAUTHORIZED for one that is forged, damaged or too old. */
export function readToken(token: string, { secret, nowMs }: { secret: string; nowMs: number }): ChannelToken {
  const [body = "", signed = ""] = token.length > CHARS_MAX ? [] : token.split(".");
  const [given, right] = [Buffer.from(signed), Buffer.from(signature(body, secret))];
  if (given.length !== right.length || !timingSafeEqual(given, right)) {
    throw new AntiphonError("UNAUTHORIZED", "The channel token is not genuine.");
  }
  const { c, e, s } = JSON.parse(Buffer.from(body, "base64url").toString("utf8")) as Said;
  if (nowMs >= e) throw new AntiphonError("UNAUTHORIZED", "The channel token has expired.");
  return { channels: c, site: s };
}

export function covers(token: ChannelToken, channel: string): boolean {
  return token.channels.some((name) => (name.endsWith("*") ? channel.startsWith(name.slice(0, -1)) : channel === name));
}

function signature(body: string, secret: string): string {
  return createHmac("sha256", secret).update(body).digest("base64url");
}
