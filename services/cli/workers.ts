// `antiphon worker ls|quiet|resume|stop`: which workers there are, and what they are told.

import type { WorkerInfo } from "../queue/queue.ts";
import { hasCode } from "../runtime/errors.ts";
import { columns, UsageError } from "./command.ts";
import { ago } from "./times.ts";
import type { Answer, Given, Verb, VerbsOptions } from "./verbs.ts";

/** The command itself, its options and its help are in worker.ts. */
export const WORKERS: VerbsOptions = {
  name: "worker",
  help: "",
  options: {},
  verbs: {
    ls: { help: "all workers: what they serve and how much they have in hand", run: list },
    quiet: tell("quiet", "finishes what it has and takes nothing more"),
    resume: tell("resume", "takes deliveries again"),
    stop: tell("stop", "drains and ends, as on SIGTERM"),
  },
};

async function list({ queue }: Given): Promise<Answer> {
  const workers = await queue.workers.list();
  return { json: workers, lines: [columns([["WORKER", "POOL", "SINCE", "RUNS", "QUEUES", ""], ...workers.map(row)])] };
}

function row({ pod, pool = "", claimed, slots, startedAt, queues, order }: WorkerInfo): string[] {
  const runs = slots === undefined ? String(claimed) : `${claimed} of ${slots}`;
  return [pod, pool, startedAt === undefined ? "" : ago(startedAt), runs, queues.join(" "), order];
}

function tell(order: "quiet" | "resume" | "stop", what: string): Verb {
  return {
    words: "WORKER… | --all",
    takes: "any",
    audit: `worker.${order}`,
    help: `it ${what}`,
    options: ["all"],
    check: ({ words, options }) => {
      if (words.length > 0 === (options["all"] === true))
        throw new UsageError(`worker ${order} takes names of workers, or --all.`);
    },
    run: async ({ queue, words, options }) => {
      const pods = options["all"] === true ? (await queue.workers.list()).map(({ pod }) => pod) : words;
      const told: string[] = [];
      const problems: string[] = [];
      for (const pod of pods) {
        try {
          await queue.workers[order](pod);
          told.push(pod);
        } catch (error) {
          if (!(error instanceof Error) || !hasCode(error, "WORKER_UNKNOWN")) throw error;
          problems.push(error.message);
        }
      }
      const lines = [...told.map((pod) => `${pod} ${what}, from within a second`), ...problems];
      return { json: { told, problems }, lines, code: problems.length > 0 ? 1 : 0 };
    },
  };
}
