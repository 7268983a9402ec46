// Dead letters: deliveries that failed for good. They keep body and reason until they are run again or purged.

import { deliveryNumber, publicId } from "../runtime/ids.ts";
import { loadScript } from "../redis/scripts.ts";
import { tokenOf } from "./bodies.ts";
import { type BrokerContext, callBroker, translate } from "./connection.ts";
import { decodeElement, decodeEnvelope, type Element, type EnvelopeHeader } from "./delivery.ts";

const RETRY = loadScript(new URL("./lua/dead-retry.lua", import.meta.url));
const PURGE = loadScript(new URL("./lua/dead-purge.lua", import.meta.url));
/** An envelope's header is not longer: of a large body only so much is read. */
const HEADER_BYTES_MAX = 32_768;

export interface DeadLetter {
  /** Decimal. */
  readonly number: string;
  /** The public id that the sender was told. */
  readonly id: string;
  readonly queue: string;
  readonly element: Element;
  /** Ordering key; "" when there is none. */
  readonly key: string;
  readonly reason: string;
  /** ms since 1970, by the server's clock. */
  readonly at: number;
  /** Undefined when the envelope cannot be read. */
  readonly header: EnvelopeHeader | undefined;
}

/** The newest first; at most `limit`, after skipping `offset`. */
export async function deadLetters(
  context: BrokerContext,
  queue: string,
  page: { readonly limit: number; readonly offset?: number },
): Promise<DeadLetter[]> {
  const prefix = context.keys.queue(queue);
  const { limit, offset = 0 } = page;
  try {
    const pairs = await context.client.zrevrange(`${prefix}:x`, offset, offset + limit - 1, "WITHSCORES");
    return await lettersOf(context, queue, timesOf(pairs));
  } catch (error) {
    throw translate(error);
  }
}

/** How many dead letters a queue keeps, and for how long. */
export interface DeadRetention {
  readonly length: number;
  readonly ageMs: number;
}

/** Those of the `limit` oldest that are over the retention. */
export async function outlivedDead(
  context: BrokerContext,
  queue: string,
  { length, ageMs, limit }: DeadRetention & { readonly limit: number },
): Promise<DeadLetter[]> {
  const prefix = context.keys.queue(queue);
  try {
    const [count, pairs, [seconds]] = await Promise.all([
      context.client.zcard(`${prefix}:x`),
      context.client.zrange(`${prefix}:x`, "0", String(limit - 1), "WITHSCORES"),
      context.client.time(),
    ]);
    const beforeMs = Number(seconds) * 1000 + (context.clockOffsetMs?.() ?? 0) - ageMs;
    const oldest = timesOf(pairs);
    const outlived = [...oldest].filter(([, at], index) => index < count - length || at < beforeMs);
    return await lettersOf(context, queue, new Map(outlived));
  } catch (error) {
    throw translate(error);
  }
}

/** The dead letter with this public id, in any of the queues. */
export async function findDeadLetter(
  context: BrokerContext,
  queues: readonly string[],
  id: string,
): Promise<DeadLetter | undefined> {
  for (const queue of queues) {
    const prefix = context.keys.queue(queue);
    const number = (await context.client.hget(`${prefix}:o`, id)) ?? deliveryNumber(id);
    if (number === undefined) return undefined;
    const at = await context.client.zscore(`${prefix}:x`, number);
    if (at === null) continue;
    return (await lettersOf(context, queue, new Map([[number, Number(at)]])))[0];
  }
  return undefined;
}

/** Answers how many will run again; those that are none any more are left out. */
export async function retryDead(
  context: BrokerContext,
  queue: string,
  letters: readonly DeadLetter[],
): Promise<number> {
  const args = letters.map((letter) => letter.number);
  return Number(await callBroker(context, { script: RETRY, keys: [context.keys.queue(queue)], args }));
}

/** Answers how many are gone. */
export async function purgeDead(
  context: BrokerContext,
  queue: string,
  letters: readonly DeadLetter[],
): Promise<number> {
  const args = letters.flatMap((letter) => [letter.number, letter.id]);
  return Number(await callBroker(context, { script: PURGE, keys: [context.keys.queue(queue)], args }));
}

/** Number -> time, of what WITHSCORES answers. */
function timesOf(pairs: readonly string[]): Map<string, number> {
  return new Map(pairs.flatMap((number, at) => (at % 2 === 0 ? [[number, Number(pairs[at + 1])] as const] : [])));
}

async function lettersOf(
  context: BrokerContext,
  queue: string,
  times: ReadonlyMap<string, number>,
): Promise<DeadLetter[]> {
  if (times.size === 0) return [];
  const prefix = context.keys.queue(queue);
  const numbers = [...times.keys()];
  const [letters, bodies] = await Promise.all([
    context.client.hmget(`${prefix}:xe`, ...numbers),
    context.client.hmgetBuffer(`${prefix}:j`, ...numbers),
  ]);
  const found = numbers.map(async (number, index): Promise<DeadLetter[]> => {
    const letter = letters[index];
    if (letter === null || letter === undefined) return [];
    const [elementText = "", reason = "", ...key] = letter.split("\0");
    const header = await headerOf(context, prefix, bodies[index] ?? null);
    const id = header?.origin ?? publicId(number);
    const at = times.get(number) ?? 0;
    return [{ number, id, queue, element: decodeElement(elementText), key: key.join("\0"), reason, at, header }];
  });
  return (await Promise.all(found)).flat();
}

async function headerOf(
  context: BrokerContext,
  prefix: string,
  stored: Buffer | null,
): Promise<EnvelopeHeader | undefined> {
  if (stored === null) return undefined;
  const token = tokenOf(stored);
  const bytes =
    token === "" ? stored : await context.client.getrangeBuffer(context.keys.body(prefix, token), 0, HEADER_BYTES_MAX);
  try {
    return decodeEnvelope(bytes).header;
  } catch {
    return undefined; // not one of ours, or an Action: its reason still tells
  }
}
