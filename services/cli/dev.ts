// `antiphon dev`: the whole platform on this machine.

import { runDev, type Shell } from "../dev/dev.ts";
import { systemClock } from "../runtime/clock.ts";
import type { Command } from "./command.ts";
import { messageOf, talk } from "./talk.ts";

export const dev: Command = {
  name: "dev",
  help: "Runs Redis (its own, unless REDIS_URL is set), a master, two workers and, in a terminal, a shell. Ctrl-C ends.",
  options: {},
  run: async ({ readConfig, env, cwd, stopping }) =>
    runDev({
      config: await readConfig("dev"),
      env,
      cwd,
      stopping,
      colour: process.stdout.isTTY && env["NO_COLOR"] === undefined,
      write: (text) => process.stdout.write(text),
      ...(process.stdin.isTTY && process.stdout.isTTY && { openShell }),
    }),
};

/** In a terminal that reads each key, Ctrl-C is a key: so it is turned into the signal that it is elsewhere. */
function openShell(url: string): Shell {
  const shell = talk({
    url,
    session: "lobby",
    recent: 0,
    clock: systemClock,
    random: Math.random,
    input: process.stdin,
    output: process.stdout,
    onEnd: () => process.kill(process.pid, "SIGINT"),
  });
  shell.ended.catch((error: unknown) => shell.print(`-- the shell ended: ${messageOf(error)}`));
  return shell;
}
