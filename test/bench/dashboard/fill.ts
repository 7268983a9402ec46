// Fills the queues of a bot: what waits, with and without keys, what is due later, what is dead.

import { encodeEnvelope, type Envelope, type PriorityClass } from "../../../services/broker/delivery.ts";
import { Producer } from "../../../services/broker/producer.ts";
import { readRoutes } from "../../../services/broker/routes.ts";
import type { RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";

export interface Amount {
  readonly waiting: number;
  readonly dead: number;
  readonly delayed: number;
}

/** How much of everything each has. The worker serves none of them, so that they stay as they are. */
const SHARES: Readonly<Record<string, number>> = {
  default: 0.4,
  mail: 0.2,
  deploys: 0.1,
  payments: 0.1,
  reports: 0.1,
  imports: 0.05,
  webhooks: 0.05,
};
export const FULLEST = "default";
const ROUTES = ["mail.send", "deploy.ship", "pay.capture", "report.build"];
const TAGS = ["eu", "us", "vip"];
/** Every other one has a key; so many of them in each queue, so that some keys have much and most have little. */
const KEYS = 5_000;
const BODY_BYTES = 200;
const AT_ONCE = 5_000;
const HOUR_MS = 3_600_000;
const LIMITS = { deliveries: 100_000_000, bytes: 1 << 30 };

interface Filling {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly producer: Producer;
  readonly routes: readonly { readonly id: string; readonly number: number }[];
}

/** @returns one job that waits in the fullest queue */
export async function fill(client: RedisClient, amount: Amount): Promise<string> {
  const keys = new Keys("antiphon", 0);
  const context = { client, keys, durability: "default" } as const;
  const known = [...(await readRoutes(context))].map(([number, id]) => ({ id, number }));
  const routes = known.filter(({ id }) => ROUTES.includes(id));
  if (routes.length < ROUTES.length) throw new Error("The worker has not told its routes.");
  const producer = new Producer({ ...context, limits: LIMITS, random: Math.random });
  const filling: Filling = { client, keys, producer, routes };
  for (const [queue, share] of Object.entries(SHARES)) {
    await waiting(filling, { queue, count: Math.ceil(amount.waiting * share), delayMs: 0 });
    await waiting(filling, { queue, count: Math.ceil(amount.delayed * share), delayMs: HOUR_MS });
    await dead(filling, queue, Math.ceil(amount.dead * share));
  }
  return (await producer.enqueue(FULLEST, { route: routes[0]?.number ?? 0, envelope: envelopeOf("mail.send", 0) })).id;
}

function envelopeOf(route: string, n: number): Envelope {
  const tags = n % 4 === 0 ? { tags: [TAGS[n % TAGS.length] ?? ""] } : {};
  const body = { to: `person-${n}@example.org`, order: n, text: "x".repeat(BODY_BYTES) };
  return encodeEnvelope({ v: 1, kind: "job", route, ...tags }, JSON.stringify(body));
}

/** In pages, so that this process stays small. */
async function inPages(count: number, each: (numbers: readonly number[]) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < count; at += AT_ONCE)
    await each(Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, n) => at + n));
}

interface Part {
  readonly queue: string;
  readonly count: number;
  readonly delayMs: number;
}

async function waiting({ producer, routes }: Filling, { queue, count, delayMs }: Part): Promise<void> {
  const one = (n: number): Promise<unknown> => {
    const { id, number } = routes[n % routes.length] ?? { id: "", number: 0 };
    return producer.enqueue(queue, {
      route: number,
      envelope: envelopeOf(id, n),
      class: (n % 10 === 0 ? 0 : 1) as PriorityClass,
      ...(n % 2 === 1 && { key: `customer-${Math.floor((n * n) / 7) % KEYS}` }),
      ...(delayMs > 0 && { delayMs: delayMs + n }),
    });
  };
  await inPages(count, (numbers) => Promise.all(numbers.map(one)));
}

/** Written as `bury` in lua/lib/dead.lua does: to let so many die one by one takes minutes. */
async function dead({ client, keys, routes }: Filling, queue: string, count: number): Promise<void> {
  const prefix = keys.queue(queue);
  const [seconds = 0] = await client.time();
  const idOf = (n: number): string => String((Number(seconds) - 60) * 1_000_000 - n);
  await inPages(count, async (numbers) => {
    const routeOf = (n: number): { id: string; number: number } => routes[n % routes.length] ?? { id: "", number: 0 };
    const bodies = numbers.flatMap((n) => [idOf(n), envelopeOf(routeOf(n).id, n)]);
    const letters = numbers.flatMap((n) => [
      idOf(n),
      `1:${idOf(n)}:5:0:${routeOf(n).number}\0${routeOf(n).id}: the bank did not answer within ${n % 97} s\0`,
    ]);
    await client.hset(`${prefix}:j`, ...bodies);
    await client.zadd(`${prefix}:x`, ...numbers.flatMap((n) => [idOf(n).slice(0, 13), idOf(n)]));
    await client.hset(`${prefix}:xe`, ...letters);
  });
}
