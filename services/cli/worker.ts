// `antiphon worker`: the mode that serves public HTTP and runs handlers. With a verb: which workers there are, and what
// they are told.

import { hostname } from "node:os";
import { type Command, type CommandContext, UsageError } from "./command.ts";
import { MODE_OPTIONS, runMode } from "./mode.ts";
import { URL_OPTION } from "./url-option.ts";

export const worker: Command = {
  name: "worker",
  words: "[ls | quiet WORKER… | resume WORKER… | stop WORKER…]",
  help: [
    "Serves webhooks and the web chat and runs handlers, until SIGTERM. Needs REDIS_URL.",
    "",
    "With a verb it starts nothing: ls lists all workers; quiet has one finish what it has and take nothing more;",
    "resume has it take deliveries again; stop has it drain and end, as on SIGTERM.",
  ].join("\n"),
  options: {
    ...MODE_OPTIONS,
    all: { type: "boolean", help: "quiet, resume, stop: every worker" },
    url: { ...URL_OPTION.url, help: `with a verb: ${URL_OPTION.url.help}` },
    json: { type: "boolean", help: "with a verb: as JSON, for machines" },
  },
  run: (context) => (context.words.length > 0 ? tell(context) : serve(context)),
};

/** Loaded only here: a worker that serves needs none of it. */
async function tell(context: CommandContext): Promise<number> {
  const [{ runVerb }, { WORKERS }] = await Promise.all([import("./verbs.ts"), import("./workers.ts")]);
  return runVerb(WORKERS, context);
}

async function serve(context: CommandContext): Promise<number> {
  const strange = ["all", "json", "url"].find((option) => context.options[option] !== undefined);
  if (strange !== undefined) throw new UsageError(`worker has --${strange} only with a verb, such as ls.`);
  const [config, { startWorker }] = await Promise.all([context.readConfig("worker"), import("../worker/worker.ts")]);
  // On a laptop several workers share a machine; each must be known by a name of its own.
  const pod = config.dev ? `${hostname()}-${process.pid}` : hostname();
  return runMode(context, {
    name: "worker",
    config,
    start: (around) => {
      const { ready, stop } = startWorker({ ...around, config, cwd: context.cwd, pod });
      return { ready: ready.then(({ httpPort, adminPort }) => ({ http: httpPort, admin: adminPort })), stop };
    },
  });
}
