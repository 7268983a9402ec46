// The checks of what is stored for deliveries: that each body is in line, that large ones are there, and that nothing is
// kept for deliveries which are no more.

import { deliveryNumber, publicId } from "../runtime/ids.ts";
import { placeBody, tokenOf } from "./bodies.ts";
import { enqueuedAtMs } from "./delivery.ts";
import type { QueueCensus } from "./doctor-census.ts";
import type { Checkup } from "./doctor-checkup.ts";
import { namedOrigin, rebuilt } from "./doctor-envelopes.ts";
import { hashPages, inTurns, memberPages } from "./doctor-pages.ts";
import type { Lines } from "./doctor-queue.ts";
import { deliveryArguments } from "./producer.ts";

/** What is younger may be under way. */
const AGE_MS = 10_000;

interface Given {
  readonly checkup: Checkup;
  readonly queue: string;
  readonly census: QueueCensus;
}

export interface Stored {
  /** Ids that are in no line. */
  readonly missing: Set<number>;
  /** Origin -> id, where a body says that it goes on under another number. */
  readonly named: ReadonlyMap<string, string>;
  readonly count: number;
}

/** Reads all bodies once. What has to be written about large ones is checked at once. */
export async function checkStored({ checkup, queue, census }: Given, { seen }: Lines, nowMs: number): Promise<Stored> {
  const { context } = checkup;
  const { client } = context;
  const prefix = context.keys.queue(queue);
  const meter = [
    (await client.hget(`${prefix}:m`, "bodyBytes")) ?? "0",
    (await client.get(`${context.keys.tag}:seq`)) ?? "0",
    await client.hlen(`${prefix}:j`),
  ];
  const missing = new Set<number>();
  const tokens = new Set<string>();
  const named = new Map<string, string>();
  let bytes = 0;
  let count = 0;
  for await (const page of hashPages(context, `${prefix}:j`)) {
    checkup.goOn();
    await inTurns(page, async ([id, stored]) => {
      count++;
      if (!seen.has(Number(id)) && enqueuedAtMs(id) < nowMs - AGE_MS) missing.add(Number(id));
      const token = tokenOf(stored);
      const origin = await namedOrigin(context, queue, stored);
      if (origin !== undefined) named.set(origin, id);
      if (token === "") return;
      bytes += tokens.has(token) ? 0 : Number(token.slice(token.lastIndexOf(":") + 1));
      tokens.add(token);
      const ttl = await client.pttl(context.keys.body(prefix, token));
      if (ttl !== -1) await checkup.check({ script: "stored", queue, about: publicId(id), args: [id, publicId(id)] });
    });
  }
  const orphans = [...census.tokens].filter((token) => !tokens.has(token));
  await inTurns(orphans, (token) =>
    checkup.check({ script: "litter", queue, about: token, args: ["token", token, ""] }),
  );
  await checkup.check({ script: "meter", queue, about: queue, args: [bytes, ...meter] });
  return { missing, named, count };
}

/** Deliveries that were in no line each time one looked. */
export async function checkMissing(
  { checkup, queue }: Omit<Given, "census">,
  missing: ReadonlySet<number>,
): Promise<void> {
  const { context, repair } = checkup;
  await inTurns([...missing], async (id) => {
    const found = repair ? await rebuilt(context, queue, String(id)) : undefined;
    const about = publicId(String(id));
    if (found === undefined) {
      const isThere = await context.client.hexists(`${context.keys.queue(queue)}:j`, String(id));
      if (repair && isThere === 1) checkup.found("body-unknown", queue, about);
      else await checkup.check({ script: "body", queue, about, args: [id, ""] });
      return;
    }
    const { origin, delivery } = found;
    const body = placeBody(context, context.keys.queue(queue), delivery.envelope);
    const args = [id, origin, ...deliveryArguments(delivery, body.argument)];
    await checkup.check({
      script: "body",
      queue,
      about: origin || about,
      args,
      ...(body.apart && { apart: body.apart }),
    });
  });
}

/** Dead letters: their list, their descriptions and their bodies say the same. Answers the ids that are described. */
export async function checkLetters(
  { checkup, queue }: Omit<Given, "census">,
  { dead, seen }: Lines,
): Promise<ReadonlySet<number>> {
  const { context } = checkup;
  const prefix = context.keys.queue(queue);
  const described = new Set<number>();
  const suspects = new Set<number>();
  for await (const page of hashPages(context, `${prefix}:xe`)) {
    for (const [id, letter] of page) {
      described.add(Number(id));
      if (!dead.has(Number(id)) || letter.toString().split("\0").length < 3) suspects.add(Number(id));
    }
  }
  for (const id of dead) if (!described.has(id)) suspects.add(id);
  const all = [...dead];
  await inTurns(all, async (id) => {
    if ((await context.client.hexists(`${prefix}:j`, String(id))) === 0) suspects.add(id);
  });
  await inTurns([...suspects], async (id) => {
    const found = await rebuilt(context, queue, String(id));
    const { class: priority = 1, route = 0, key = "" } = found?.delivery ?? {};
    const origin = found?.origin || publicId(String(id));
    const element = `${priority}:${id}:0:0:${route}`;
    const isInLine = seen.has(id) && !dead.has(id) ? "1" : "";
    await checkup.check({ script: "letter", queue, about: origin, args: [id, origin, element, key, isInLine] });
  });
  return described;
}

/** Origins: what goes on under another number is found there, and nothing is remembered of what is no more. */
export async function checkOrigins({ checkup, queue, census }: Given, { named }: Stored): Promise<void> {
  const { context } = checkup;
  const prefix = context.keys.queue(queue);
  const suspects = new Set<string>();
  const moved = new Map<string, string>();
  const isStored = async (id: string): Promise<boolean> => (await context.client.hexists(`${prefix}:j`, id)) === 1;
  for await (const page of hashPages(context, `${prefix}:o`)) {
    await inTurns(page, async ([origin, id]) => {
      moved.set(origin, id.toString());
      if (!(await isStored(id.toString()))) suspects.add(origin);
    });
  }
  const listed = new Set<string>();
  for await (const page of memberPages(context, `${prefix}:em`)) for (const origin of page) listed.add(origin);
  for (const origin of listed) if (!census.origins.has(origin)) suspects.add(origin);
  await inTurns([...census.origins], async (origin) => {
    if (!listed.has(origin)) suspects.add(origin);
    else if (!(await isStored(moved.get(origin) ?? deliveryNumber(origin) ?? ""))) suspects.add(origin);
  });
  for (const [origin, id] of named) if (moved.get(origin) !== id && origin !== publicId(id)) suspects.add(origin);
  await inTurns([...suspects], (origin) =>
    checkup.check({ script: "origin", queue, about: origin, args: [origin, named.get(origin) ?? ""] }),
  );
}
