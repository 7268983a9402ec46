// `antiphon dead ls|retry|purge`: what failed for good, and what is done about it.

import { type DeadLetter, deadLetters, findDeadLetter, purgeDead, retryDead } from "../broker/dead.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { queueNames } from "../broker/reap.ts";
import { suggestion } from "../runtime/suggest.ts";
import { askRedis } from "./ask-redis.ts";
import { columns, type Command, UsageError } from "./command.ts";

const VERBS = ["ls", "retry", "purge"] as const;
type Verb = (typeof VERBS)[number];
/** Letters in one call to Redis. */
const PAGE = 200;

export const dead: Command = {
  name: "dead",
  words: "[ls | retry ID… | purge ID…]",
  help: "Lists the dead letters, newest first; runs them again, with no failures counted; or forgets them.",
  options: {
    all: { type: "boolean", help: "retry or purge: every dead letter of the queues chosen" },
    queue: { type: "string", value: "NAME", help: "only this queue" },
    limit: { type: "string", value: "N", help: "ls: at most N of a queue (50)" },
    json: { type: "boolean", help: "an array of objects; retry and purge: how many" },
  },
  async run({ readConfig, options, words, print }) {
    const [verb = "ls", ...ids] = words;
    if (!isVerb(verb)) throw new UsageError(`dead knows no ${verb}.${suggestion(verb, VERBS)}`);
    checkWords(verb, ids, options);
    const missing: string[] = [];
    const result = await askRedis(await readConfig("tool"), async (client, keys) => {
      const context = { client, keys };
      const names = (await queueNames(context)).sort().filter((name) => name === (options["queue"] ?? name));
      if (verb === "ls") return lettersIn(context, names, Number(options["limit"] ?? 50));
      const act = verb === "retry" ? retryDead : purgeDead;
      if (options["all"] === true) return sum(names.map((name) => forAll(context, name, act)));
      return sum(
        ids.map(async (id) => {
          const letter = await findDeadLetter(context, names, id);
          if (letter === undefined) missing.push(id);
          return letter === undefined ? 0 : act(context, letter.queue, [letter]);
        }),
      );
    });
    if (options["json"]) print(JSON.stringify(result));
    else if (typeof result === "number") print(`${result} ${verb === "retry" ? "will run again" : "purged"}`);
    else print(columns([["ID", "QUEUE", "ROUTE", "ATTEMPTS", "SINCE", "REASON"], ...result.map(row)]));
    for (const id of missing) print(`There is no dead letter ${id}.`);
    return missing.length > 0 ? 1 : 0;
  },
};

function isVerb(word: string): word is Verb {
  return (VERBS as readonly string[]).includes(word);
}

function checkWords(
  verb: Verb,
  ids: readonly string[],
  options: Readonly<Record<string, string | boolean | undefined>>,
): void {
  const limit = options["limit"];
  if (limit !== undefined && !/^[1-9]\d{0,3}$/.test(String(limit)))
    throw new UsageError("--limit takes a whole number from 1 to 9999.");
  if (verb === "ls") {
    if (ids.length > 0) throw new UsageError("dead ls takes no ids.");
    return;
  }
  if (ids.length > 0 === (options["all"] === true)) throw new UsageError(`dead ${verb} takes ids, or --all.`);
}

async function lettersIn(context: BrokerContext, queues: readonly string[], limit: number): Promise<DeadLetter[]> {
  const found = await Promise.all(queues.map((queue) => deadLetters(context, queue, { limit })));
  return found.flat().sort((a, b) => b.at - a.at);
}

type Act = (context: BrokerContext, queue: string, letters: readonly DeadLetter[]) => Promise<number>;

/** Page by page: what was acted upon is gone from the list. */
async function forAll(context: BrokerContext, queue: string, act: Act): Promise<number> {
  let count = 0;
  for (;;) {
    const letters = await deadLetters(context, queue, { limit: PAGE });
    const acted = letters.length > 0 ? await act(context, queue, letters) : 0;
    count += acted;
    if (acted === 0 || letters.length < PAGE) return count;
  }
}

async function sum(counts: readonly Promise<number>[]): Promise<number> {
  return (await Promise.all(counts)).reduce((total, count) => total + count, 0);
}

function row({ id, queue, header, element, at, reason }: DeadLetter): string[] {
  const route = header?.route ?? header?.kind ?? "-";
  return [
    id,
    queue,
    route,
    String(element.attempts),
    new Date(at).toISOString(),
    reason.split("\n")[0]?.slice(0, 120) ?? "",
  ];
}
