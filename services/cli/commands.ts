// The list of commands. Each is loaded only when it is called, so that a worker starts without the rest.

import { suggestion } from "../runtime/suggest.ts";
import { columns, type Command, UsageError } from "./command.ts";

interface Entry {
  readonly about: string;
  load(): Promise<Command>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  dev: { about: "the whole platform on this machine", load: async () => (await import("./dev.ts")).dev },
  master: { about: "the mode that speaks to chat services", load: async () => (await import("./master.ts")).master },
  worker: {
    about: "the mode that serves HTTP and runs handlers",
    load: async () => (await import("./worker.ts")).worker,
  },
  shell: { about: "a terminal client of the web chat", load: async () => (await import("./shell.ts")).shell },
  validate: {
    about: "checks settings and handlers and prints every problem",
    load: async () => (await import("./validate.ts")).validate,
  },
  new: { about: "an adapter or a handler to begin with", load: async () => (await import("./new.ts")).scaffold },
  queue: { about: "how much waits; pauses and limits", load: async () => (await import("./queue.ts")).queue },
  job: { about: "single deliveries: look, change, end, enqueue", load: async () => (await import("./job.ts")).job },
  dead: { about: "what failed for good: list, run again, forget", load: async () => (await import("./dead.ts")).dead },
  cron: {
    about: "what comes due when: list, pause, change, run now",
    load: async () => (await import("./cron.ts")).cron,
  },
  top: { about: "how it stands, again and again", load: async () => (await import("./top.ts")).top },
  doctor: {
    about: "whether all is where it must be in Redis; mends it",
    load: async () => (await import("./doctor.ts")).doctor,
  },
  "support-bundle": {
    about: "everything for whoever helps from afar, without secrets",
    load: async () => (await import("./support-bundle.ts")).support,
  },
  audit: { about: "who changed what", load: async () => (await import("./audit.ts")).audit },
  leader: { about: "who leads which unit", load: async () => (await import("./leader.ts")).leader },
};

/** @throws UsageError */
export async function findCommand(name: string): Promise<Command> {
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry !== undefined) return entry.load();
  throw new UsageError(`There is no command ${name}.${suggestion(name, Object.keys(COMMANDS))}`);
}

export function commandList(): string {
  const rows = Object.entries(COMMANDS).map(([name, { about }]) => [`antiphon ${name}`, about]);
  return `Usage: antiphon <command> [options]\n\n${columns(rows)}\n\nEach command explains itself with --help.`;
}
