// `antiphon dead ls|retry|purge`: what failed for good, and what is done about it.

import type { Acted, Chosen, ListedOne } from "../queue/queue.ts";
import { columns, type Command, UsageError } from "./command.ts";
import { countOf, FILTER_OPTIONS, filterOf, FILTERS } from "./option-values.ts";
import { type Answer, type Given, verbsCommand } from "./verbs.ts";

const LIMIT_MAX = 9999;

export const dead: Command = verbsCommand({
  name: "dead",
  help: "Dead letters: what failed for good. They keep their bodies until they are run again, purged or trimmed.",
  preset: "ls",
  options: {
    ...FILTER_OPTIONS,
    all: { type: "boolean", help: "every dead letter there is" },
    limit: { type: "string", value: "N", help: "at most so many (50)" },
  },
  verbs: {
    ls: {
      help: "lists them, the newest first",
      options: [...FILTERS, "limit"],
      check: ({ options }) => void [countOf(options, "limit", LIMIT_MAX), filterOf(options)],
      run: list,
    },
    retry: {
      words: "ID… | --all | filters",
      takes: "any",
      audit: "dead.retry",
      help: "runs them again, with no failures counted",
      options: [...FILTERS, "all"],
      check: (given) => void chosen("retry", given),
      run: async (given) => acted(await given.queue.dead.retry(chosen("retry", given)), "will run again"),
    },
    purge: {
      words: "ID… | --all | filters",
      takes: "any",
      audit: "dead.purge",
      help: "forgets them, with everything that they left",
      options: [...FILTERS, "all"],
      check: (given) => void chosen("purge", given),
      run: async (given) => acted(await given.queue.dead.purge(chosen("purge", given)), "purged"),
    },
  },
});

async function list({ queue, options }: Given): Promise<Answer> {
  const limit = countOf(options, "limit", LIMIT_MAX) ?? 50;
  const letters = await queue.dead.list({ ...filterOf(options), limit });
  const head = ["ID", "QUEUE", "ROUTE", "ATTEMPTS", "SINCE", "REASON"];
  return { json: letters, lines: [columns([head, ...letters.map(row)])] };
}

function chosen(verb: string, { words, options }: Omit<Given, "queue">): Chosen {
  const filter = filterOf(options);
  const ways = [words.length > 0, options["all"] === true, Object.keys(filter).length > 0];
  const isQueueAndAll = ways[1] && !ways[0] && Object.keys(filter).join() === "queue";
  if (ways.filter(Boolean).length !== 1 && !isQueueAndAll)
    throw new UsageError(`dead ${verb} takes ids, or filters such as --route, or --all.`);
  return words.length > 0 ? words : filter;
}

function acted({ count, unknown }: Acted, what: string): Answer {
  const lines = [`${count} ${what}`, ...unknown.map((id) => `There is no dead letter ${id}.`)];
  return { json: { count, unknown }, lines, code: unknown.length > 0 ? 1 : 0 };
}

function row({ id, queue, route, kind, attempts, since, reason = "" }: ListedOne): string[] {
  const why = reason.split("\n")[0]?.slice(0, 120) ?? "";
  return [id, queue, route ?? kind ?? "-", String(attempts), since.toISOString(), why];
}
