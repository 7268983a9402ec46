// Takes a purge of dead letters back: they are kept for a few minutes, with their bodies and what their origins remembered, and
// put back on demand. Who waited for one of them has gone on meanwhile: that is not taken back.

import { publicId } from "../runtime/ids.ts";
import { loadScript, runScriptWith } from "../redis/scripts.ts";
import { placeBody, readBody, tokenOf } from "./bodies.ts";
import { type BrokerContext, translate, withOffset } from "./connection.ts";
import type { DeadLetter } from "./dead.ts";
import { encodeElement } from "./delivery.ts";

const RESTORE = loadScript(new URL("./lua/dead-restore.lua", import.meta.url));
const KEPT_SECONDS = 600;
/** Beyond either a purge cannot be taken back. */
const LETTERS_MAX = 500;
const BYTES_MAX = 4 * 1024 * 1024;
const AT_ONCE = 25;

interface Kept {
  readonly number: string;
  readonly id: string;
  readonly queue: string;
  readonly at: number;
  readonly element: string;
  readonly reason: string;
  readonly key: string;
  /** base64 */
  readonly body: string;
  readonly memory: Readonly<Record<string, string>>;
}

/** Before they are purged. Answers whether they can be put back, by `token`. */
export async function keepLetters(
  context: BrokerContext,
  letters: readonly DeadLetter[],
  token: string,
): Promise<boolean> {
  if (letters.length > LETTERS_MAX) return false;
  try {
    const kept: Kept[] = [];
    let bytes = 0;
    for (let at = 0; at < letters.length; at += AT_ONCE) {
      const some = await Promise.all(letters.slice(at, at + AT_ONCE).map((letter) => keptOf(context, letter)));
      for (const one of some.flat()) {
        kept.push(one);
        bytes += one.body.length;
      }
      if (bytes > BYTES_MAX) return false;
    }
    await context.client.set(context.keys.undo(token), JSON.stringify(kept), "EX", KEPT_SECONDS);
    return true;
  } catch (error) {
    throw translate(error);
  }
}

/** Answers how many are there again; undefined when nothing is kept under this token, or no more. */
export async function restoreLetters(context: BrokerContext, token: string): Promise<number | undefined> {
  try {
    const text = await context.client.getdel(context.keys.undo(token));
    if (text === null) return undefined;
    const kept = JSON.parse(text) as Kept[];
    let count = 0;
    for (let at = 0; at < kept.length; at += AT_ONCE) {
      const restored = await Promise.all(kept.slice(at, at + AT_ONCE).map((one) => restore(context, one)));
      count += restored.filter(Boolean).length;
    }
    return count;
  } catch (error) {
    throw translate(error);
  }
}

/** None whose body is gone: it was purged by somebody else. */
async function keptOf(context: BrokerContext, letter: DeadLetter): Promise<Kept[]> {
  const { number, id, queue, at, element, reason, key } = letter;
  const prefix = context.keys.queue(queue);
  const [stored, memory] = await Promise.all([
    context.client.hgetBuffer(`${prefix}:j`, number),
    context.client.hgetall(`${prefix}:e:${id}`),
  ]);
  if (stored === null) return [];
  const apart = tokenOf(stored);
  const body = apart === "" ? stored : await readBody(context, queue, apart);
  if (body === null) return [];
  return [
    { number, id, queue, at, element: encodeElement(element), reason, key, body: body.toString("base64"), memory },
  ];
}

async function restore(context: BrokerContext, kept: Kept): Promise<boolean> {
  const { number, id, queue, at, element, reason, key, memory } = kept;
  const prefix = context.keys.queue(queue);
  const { argument, apart } = placeBody(context, prefix, Buffer.from(kept.body, "base64"));
  const isOther = publicId(number) === id ? "" : "1";
  const args = [number, id, isOther, at, element, reason, key, argument, ...Object.entries(memory).flat()];
  const call = withOffset(context, { script: RESTORE, keys: [prefix], args });
  return Number(await runScriptWith(context.client, apart ? [apart] : [], call)) === 1;
}
