// The admin site as a part of either mode: nothing of it is loaded before somebody asks for it, and then piece by piece, so that
// what else the thread has to do, such as renewing a Lease, comes in between.

import { setImmediate } from "node:timers/promises";
import { LazySite, type Site } from "../http/lazy-site.ts";
import type { SiteOptions } from "./site.ts";

/** In an order in which each finds loaded what it needs. */
const PIECES: readonly (() => Promise<unknown>)[] = [
  () => import("typebox"),
  () => import("@fastify/swagger"),
  () => import("../queue/queue.ts"),
  () => import("../bus/bus.ts"),
  () => import("../broker/doctor.ts"),
  () => import("./api.ts"),
  () => import("./api-bot.ts"),
  () => import("./api-workers.ts"),
  () => import("./access/plugin.ts"),
  () => import("./routes-jobs.ts"),
  () => import("./app.ts"),
];

export function lazyAdmin(options: SiteOptions): LazySite {
  return new LazySite({ load: () => load(options), basePath: options.config.adminBasePath });
}

async function load(options: SiteOptions): Promise<Site> {
  for (const piece of PIECES) {
    await piece();
    await setImmediate();
  }
  return (await import("./site.ts")).openSite(options);
}
