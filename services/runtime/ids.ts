// Ids: random ones, and the written form of the broker's numbers.

import { randomBytes } from "node:crypto";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** At most 22 base62 characters hold 16 bytes; always exactly 22, so that ids sort and align. */
export function base62(bytes: Uint8Array): string {
  let value = BigInt(`0x${Buffer.from(bytes).toString("hex") || "0"}`);
  let text = "";
  for (let digit = 0; digit < 22; digit++) {
    text = BASE62[Number(value % 62n)] + text;
    value /= 62n;
  }
  return text;
}

/** 128 random bits as 22 base62 characters. */
export function randomId(): string {
  return base62(randomBytes(16));
}

const PAIRS = Array.from({ length: 36 ** 2 }, (_, pair) => pair.toString(36).padStart(2, "0"));
const FOUR_DIGITS = 36 ** 4;

function fourDigits(value: number): string {
  return `${PAIRS[Math.floor(value / PAIRS.length)]}${PAIRS[value % PAIRS.length]}`;
}

/** A delivery's number as people see it: base 36. In pieces: `toString(36)` of a large number takes twice as long. */
export function publicId(number: string | number): string {
  const value = Number(number);
  if (!(value >= FOUR_DIGITS)) return value.toString(36);
  const high = Math.floor(value / FOUR_DIGITS);
  const tail = fourDigits(value - high * FOUR_DIGITS);
  if (high < FOUR_DIGITS) return high.toString(36) + tail;
  const top = Math.floor(high / FOUR_DIGITS);
  return top.toString(36) + fourDigits(high - top * FOUR_DIGITS) + tail;
}

/** The reverse of `publicId`; undefined when the text cannot be an id. */
export function deliveryNumber(id: string): string | undefined {
  if (!/^[0-9a-z]{1,11}$/.test(id)) return undefined;
  const number = Number.parseInt(id, 36);
  return Number.isSafeInteger(number) ? String(number) : undefined;
}
