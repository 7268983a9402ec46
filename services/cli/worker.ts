// `antiphon worker`: the mode that serves public HTTP and runs handlers.

import { hostname } from "node:os";
import { startWorker } from "../worker/worker.ts";
import type { Command } from "./command.ts";
import { MODE_OPTIONS, runMode } from "./mode.ts";

export const worker: Command = {
  name: "worker",
  help: "Serves webhooks and the web chat and runs handlers, until SIGTERM. Needs REDIS_URL.",
  options: MODE_OPTIONS,
  async run(context) {
    const config = await context.readConfig("worker");
    return runMode(context, {
      name: "worker",
      config,
      start: (around) => {
        const { ready, stop } = startWorker({ ...around, config, cwd: context.cwd, pod: hostname() });
        return { ready: ready.then(({ httpPort, adminPort }) => ({ http: httpPort, admin: adminPort })), stop };
      },
    });
  },
};
