// Examines a live namespace: whether everything in Redis is where the broker's rules say it must be; mends it if asked to.
//
// Structures are read page by page while work goes on, so what is read proves nothing. Whatever looks wrong is looked at
// again by a script, alone and at one moment, and only what the script says is told, or mended in that same script.
// Not promised: that what goes wrong meanwhile is seen. Memory grows with the number of deliveries, by some 150 bytes each.

import { publicId } from "../runtime/ids.ts";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { type BrokerContext, translate } from "./connection.ts";
import { checkLetters, checkMissing, checkOrigins, checkStored } from "./doctor-bodies.ts";
import { type Census, queueOf, takeCensus } from "./doctor-census.ts";
import { Checkup, type Finding } from "./doctor-checkup.ts";
import { hashPages, inTurns, listPages, memberPages, sortedPages } from "./doctor-pages.ts";
import { checkAgain, checkLines, checkStuck, checkWorkers } from "./doctor-queue.ts";

export type { Finding } from "./doctor-checkup.ts";

export interface ExamineOptions {
  /** Only this queue; else all, and what belongs to none. */
  readonly queue?: string;
  readonly repair?: boolean;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

export interface Examination {
  readonly queues: readonly string[];
  /** Whose bodies were read. */
  readonly deliveries: number;
  readonly findings: readonly Finding[];
  /** Findings beyond the first 1,000. */
  readonly more: number;
  /** Nothing is wrong, or nothing any more, but for what is harmless. */
  readonly isSound: boolean;
}

/** A repair may uncover what another fault hid. */
const ROUNDS_MAX = 4;
/** How often what is nowhere must have been looked for. */
const LOOKS = 3;
const BETWEEN_LOOKS_MS = 250;
/** Origins that one delivery waits for, per call. */
const ORIGINS_MAX = 500;

export async function examine(context: BrokerContext, options: ExamineOptions = {}): Promise<Examination> {
  const mended: Finding[] = [];
  let more = 0;
  try {
    for (let round = 1; ; round++) {
      const checkup = new Checkup(context, options.repair === true, options.signal);
      const { queues, deliveries } = await examineOnce(checkup, options);
      more += checkup.more;
      const isSound = checkup.problems === 0;
      const left = checkup.findings.filter((finding) => !finding.mended);
      const isOver = isSound || left.length === checkup.findings.length || round === ROUNDS_MAX;
      mended.push(...checkup.findings.filter((finding) => finding.mended));
      if (isOver) return { queues, deliveries, findings: [...mended, ...left], more, isSound };
    }
  } catch (error) {
    throw translate(error);
  }
}

async function examineOnce(
  checkup: Checkup,
  options: ExamineOptions,
): Promise<Pick<Examination, "queues" | "deliveries">> {
  const census = await takeCensus(checkup.context);
  for (const name of await checkup.context.client.smembers(checkup.context.keys.queues())) queueOf(census, name);
  const queues = [...census.queues.keys()]
    .filter((name) => options.queue === undefined || name === options.queue)
    .sort();
  const somewhere = new Set<number>();
  let deliveries = 0;
  for (const name of queues) {
    deliveries += await examineQueue({ checkup, census, options, queue: name, somewhere });
  }
  if (options.queue === undefined) await checkShared(checkup, census, somewhere);
  return { queues, deliveries };
}

interface QueueRound {
  readonly checkup: Checkup;
  readonly census: Census;
  readonly options: ExamineOptions;
  readonly queue: string;
  /** Ids seen in any line so far. */
  readonly somewhere: Set<number>;
}

async function examineQueue({ checkup, census: all, options, queue, somewhere }: QueueRound): Promise<number> {
  const { clock = systemClock, signal } = options;
  const census = queueOf(all, queue);
  if (census.holds) await checkup.check({ script: "litter", queue, about: queue, args: ["queue", queue, ""] });
  await checkWorkers(checkup, queue, census);
  const lines = await checkLines(checkup, queue, census);
  const stored = await checkStored({ checkup, queue, census }, lines, await nowMs(checkup.context));
  const missing = new Set(stored.missing);
  for (let look = 2; look <= LOOKS && missing.size + lines.twice.size + lines.stuck.size > 0; look++) {
    await clock.sleep(BETWEEN_LOOKS_MS, signal);
    checkup.goOn();
    await checkAgain(checkup, { queue, census, lines, missing });
  }
  for (const id of lines.seen) somewhere.add(id);
  await checkStuck(checkup, queue, lines);
  for (const id of await checkLetters({ checkup, queue }, lines)) missing.delete(id);
  await checkMissing({ checkup, queue }, missing);
  await checkOrigins({ checkup, queue, census }, stored);
  await checkLeftovers(checkup, queue, census.expiring);
  return stored.count;
}

async function nowMs({ client, clockOffsetMs }: BrokerContext): Promise<number> {
  const [seconds] = await client.time();
  return Number(seconds) * 1000 + (clockOffsetMs?.() ?? 0);
}

async function checkLeftovers(checkup: Checkup, queue: string, expiring: ReadonlyMap<string, number>): Promise<void> {
  const { context } = checkup;
  const prefix = context.keys.queue(queue);
  const litter = (what: string, about: string, value: string | number = ""): Promise<void> =>
    checkup.check({ script: "litter", queue, about, args: [what, about, value] });
  for await (const page of memberPages(context, `${prefix}:i`))
    await inTurns(page, (bell) => litter("bell", bell, bell.slice(context.keys.bell(prefix, "").length)));
  await inTurns([...expiring], async ([key, ms]) => {
    if ((await context.client.pttl(key)) === -1) await litter("expiry", key, ms);
  });
  for await (const page of listPages(context, `${prefix}:unreadable`))
    await inTurns(page, (entry) =>
      checkup.check({
        script: "litter",
        queue,
        about: entry.replaceAll("\0", " ").trim().slice(0, 200),
        args: ["unreadable", entry, ""],
      }),
    );
  for await (const page of hashPages(context, `${prefix}:doubt`)) await inTurns(page, ([id]) => litter("doubt", id));
  for await (const page of sortedPages(context, `${prefix}:s`)) await inTurns(page, ([id]) => litter("schedule", id));
}

/** What belongs to all queues: who waits for whom, and limits. */
async function checkShared(checkup: Checkup, census: Census, somewhere: ReadonlySet<number>): Promise<void> {
  const { context } = checkup;
  const { tag } = context.keys;
  const litter = (what: string, about: string, value = ""): Promise<void> =>
    checkup.check({ script: "litter", queue: "", about: value || about, args: [what, about, value] });
  const waiting = new Set(census.waiting);
  for await (const page of hashPages(context, `${tag}:held`)) for (const [id] of page) waiting.add(id);
  await inTurns([...waiting], async (id) => {
    const check = (origins: readonly string[]): Promise<void> => {
      const args = [id, somewhere.has(Number(id)) ? "1" : "", ...origins];
      return checkup.check({ script: "held", queue: "", about: publicId(id), args });
    };
    const origins: string[] = [];
    for await (const page of memberPages(context, `${tag}:a:${id}`)) origins.push(...page);
    await check(origins.slice(0, ORIGINS_MAX));
    for (let at = ORIGINS_MAX; at < origins.length; at += ORIGINS_MAX) await check(origins.slice(at, at + ORIGINS_MAX));
  });
  for await (const page of hashPages(context, `${tag}:after`))
    await inTurns(page, ([origin]) => litter("after", origin));
  for await (const page of hashPages(context, `${tag}:limits`)) await inTurns(page, ([name]) => litter("limit", name));
  for (const limit of census.running) {
    for await (const page of memberPages(context, `${tag}:l:${limit}`))
      await inTurns(page, (what) => litter("running", limit, what));
  }
}
