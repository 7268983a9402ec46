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

/** A delivery's number as people see it: base 36. */
export function publicId(number: string): string {
  return Number(number).toString(36);
}

/** The reverse of `publicId`; undefined when the text cannot be an id. */
export function deliveryNumber(id: string): string | undefined {
  if (!/^[0-9a-z]{1,11}$/.test(id)) return undefined;
  const number = Number.parseInt(id, 36);
  return Number.isSafeInteger(number) ? String(number) : undefined;
}
