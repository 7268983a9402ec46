// Pauses: what an operator holds back in a queue. Nothing new of it is claimed, what runs runs on, nothing is lost.

import { loadScript } from "../redis/scripts.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { type BrokerContext, callBroker, translate } from "./connection.ts";

const RESUME = loadScript(new URL("./lua/resume.lua", import.meta.url));
/** Every take of the queue reads all of them. */
const PAUSES_MAX = 1000;

/** The whole queue, the deliveries of one route (by its number), or one ordering key. */
export type Paused =
  | { readonly kind: "queue" }
  | { readonly kind: "route"; readonly route: number }
  | { readonly kind: "key"; readonly key: string };

/** Throws TOO_MANY_PAUSES beyond 1,000 in one queue. */
export async function pause(context: BrokerContext, queue: string, what: Paused): Promise<void> {
  const pauses = `${context.keys.queue(queue)}:pauses`;
  try {
    if ((await context.client.hlen(pauses)) >= PAUSES_MAX) {
      throw new AntiphonError("TOO_MANY_PAUSES", `${queue} has ${PAUSES_MAX}. Pause the queue or a route instead.`);
    }
    const [seconds] = await context.client.time();
    await context.client.hset(pauses, fieldOf(what), Number(seconds) * 1000);
  } catch (error) {
    throw translate(error);
  }
}

/** What was held back can be claimed when this resolves, unless another pause holds it. */
export async function resume(context: BrokerContext, queue: string, what: Paused): Promise<void> {
  const keys = [context.keys.queue(queue)];
  for (let passed = 0; passed >= 0;) {
    passed = Number(await callBroker(context, { script: RESUME, keys, args: [fieldOf(what), passed] }));
  }
}

/** The oldest first. */
export async function pausesOf(
  context: BrokerContext,
  queue: string,
): Promise<(Paused & { readonly sinceMs: number })[]> {
  try {
    const fields = await context.client.hgetall(`${context.keys.queue(queue)}:pauses`);
    const pauses = Object.entries(fields).map(([field, since]) => ({ ...pausedOf(field), sinceMs: Number(since) }));
    return pauses.sort((a, b) => a.sinceMs - b.sinceMs);
  } catch (error) {
    throw translate(error);
  }
}

function fieldOf(what: Paused): string {
  if (what.kind === "queue") return "queue";
  return what.kind === "route" ? `r${what.route}` : `k${what.key}`;
}

function pausedOf(field: string): Paused {
  if (field === "queue") return { kind: "queue" };
  return field.startsWith("r")
    ? { kind: "route", route: Number(field.slice(1)) }
    : { kind: "key", key: field.slice(1) };
}
