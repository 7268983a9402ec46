// `antiphon master`: the mode that speaks to chat services and fires schedules.

import { hostname } from "node:os";
import { placeOf } from "../kubernetes/place.ts";
import { startMaster } from "../master/master.ts";
import { collectStartupGarbage } from "../runtime/heap.ts";
import type { Command } from "./command.ts";
import { MODE_OPTIONS, runMode } from "./mode.ts";

export const master: Command = {
  name: "master",
  help: "Holds the connections to chat services and fires schedules, until SIGTERM. Needs REDIS_URL.",
  options: MODE_OPTIONS,
  async run(context) {
    const config = await context.readConfig("master");
    return runMode(context, {
      name: "master",
      config,
      start: ({ emit, meter, died }) => {
        const pod = hostname();
        const place = config.dev ? undefined : placeOf(context.env, pod);
        const { ready, stop } = startMaster({ config, pod, place, emit, meter, died });
        ready.then(collectStartupGarbage, () => {});
        return { ready: ready.then(({ adminPort }) => ({ admin: adminPort })), stop };
      },
    });
  },
};
