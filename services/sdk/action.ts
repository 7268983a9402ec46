// What can be done in chat, as data, and the ids that make a repeated run harmless.

import { hash } from "node:crypto";

interface Common {
  /** 22 base62 characters; also the *ref* by which it can be edited later. */
  readonly id: string;
  /** `irc/libera`, `web`: the part of the room's name before the colon. */
  readonly unit: string;
  /** The service's own id of the room. */
  readonly room: string;
  readonly thread?: string;
  /** What to do when a crash left it unclear whether the service has it: say it again (the default) or not. */
  readonly inDoubt?: "retry" | "drop";
  /** It is not done later than so many ms after it was asked for (default: a day), nor after `notAfter`, ms since 1970. */
  readonly ttl?: number;
  readonly notAfter?: number;
}

/** `messageId` is the service's; where an Action names a `ref`, the sender resolves it to one. */
export type Action = Common &
  (
    | {
        readonly op: "send";
        readonly text: string;
        /** Only this person (an id of the service) is to see it. */
        readonly to?: string;
      }
    | { readonly op: "edit"; readonly ref: string; readonly messageId?: string; readonly text: string }
    | { readonly op: "react"; readonly ref?: string; readonly messageId?: string; readonly emoji: string }
    | { readonly op: "topic"; readonly text: string }
    | { readonly op: "join" | "leave" }
  );

/** What a run may do a second time by mistake; a reply is a send. */
export type Operation = Action["op"] | "enqueue" | "emit" | "publish";

export interface EffectSource {
  /** Origin id of the delivery: retries, reschedules and the new run of a dead letter keep it. */
  readonly origin: string;
  readonly route: string;
  readonly operation: Operation;
  /** A room, a ref, the name of a job or an event, a channel of the bus. */
  readonly target: string;
  readonly content: string;
  /** The author's own id; it replaces content and occurrence. */
  readonly id?: string;
}

/** Equal for the same effect in every attempt of a run, different for everything else. */
export function effectId(source: EffectSource, occurrence = 0): string {
  const { origin, route, operation, target, content, id } = source;
  const tail = id === undefined ? ["content", content, occurrence] : ["id", id];
  return base62(hash("sha256", JSON.stringify([origin, route, operation, target, ...tail]), "buffer"));
}

/** One per run and route: counts equal effects, so that saying "ok" twice says it twice and a retry says neither again. */
export class Occurrences {
  readonly #seen = new Map<string, number>();

  /** The id of the next effect like this one. */
  next(source: EffectSource): string {
    const first = effectId(source);
    if (source.id !== undefined) return first;
    const occurrence = this.#seen.get(first) ?? 0;
    this.#seen.set(first, occurrence + 1);
    return occurrence === 0 ? first : effectId(source, occurrence);
  }
}

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The first 128 bits of a digest: 22 characters fit Discord's nonce, Matrix' transaction id and the others. */
function base62(digest: Buffer): string {
  let value = (digest.readBigUInt64BE(0) << 64n) | digest.readBigUInt64BE(8);
  let text = "";
  for (let digit = 0; digit < 22; digit++) {
    text = DIGITS[Number(value % 62n)] + text;
    value /= 62n;
  }
  return text;
}
