// What `testBot` can be told, and what follows from it: the configuration that the real parts get.

import { fileURLToPath } from "node:url";
import { WEB } from "../adapters/web/manifest.ts";
import type { Config } from "../config/config.ts";
import { readConfig } from "../config/read.ts";
import { randomId } from "../runtime/ids.ts";
import type { Handler } from "../sdk/handler.ts";
import type { Middleware } from "../sdk/middleware.ts";
import type { HandlerShape } from "../sdk/routes.ts";
import type { Level } from "../telemetry/events.ts";
import type { JobsMode } from "./jobs.ts";

export interface TestBotOptions {
  /** And middleware. */
  readonly handlers: readonly (Handler | Middleware)[];
  /** Settings of handlers by their name, as in the settings file. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Group -> names or ids of its fixed members. Left out: those that the handlers name, open to `user(…, { groups })`. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** Names or ids of people who may do everything. */
  readonly admins?: readonly string[];
  /** Default: 1. */
  readonly workers?: number;
  /**
   * `run` (default): jobs run by themselves. `fake`: they are stored, and run at `bot.drain()`. `inline`: `await enqueue(…)`
   * resolves when the job has run.
   */
  readonly jobs?: JobsMode;
  /** Chat services, e.g. `irc/libera`. Default: `web`. */
  readonly adapters?: readonly string[];
  /** How people address the bot. Default: `antiphon`. */
  readonly name?: string;
  /** Writes the log to standard output. Default: not. */
  readonly log?: Level;
}

/** The group that needs no declaration: those of `admins`. */
const ADMINS = "admins";
/** For handlers that run on at the end of a test. */
const DRAIN_MS = 500;

/** The parts know no other adapter than the web chat by name; see chat-service.ts for the rest. */
export async function configOf(options: TestBotOptions, redisUrl: string): Promise<Config> {
  const env = {
    REDIS_URL: redisUrl,
    ANTIPHON_NAMESPACE: `test-${randomId()}`,
    ANTIPHON_HTTP_HOST: "127.0.0.1",
    ANTIPHON_HTTP_PORT: "0",
    ANTIPHON_ADMIN_HOST: "127.0.0.1",
    ANTIPHON_ADMIN_PORT: "0",
    ANTIPHON_WORKER_THREADS: "2",
    ANTIPHON_DRAIN_MS: String(DRAIN_MS),
    LOG_FORMAT: "pretty",
    ...(options.name === undefined ? {} : { ANTIPHON_NAME: options.name }),
    ...(options.log === undefined ? {} : { LOG_LEVEL: options.log }),
  };
  // A folder without a settings file: the author's own is no business of a test.
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const config = await readConfig("worker", { env, cwd, cores: 2, terminal: false, dev: false });
  const units = unitsOf(options);
  const ids = (people: readonly string[]): string[] => people.flatMap((person) => idsOf(person, units));
  const groups = Object.entries(options.groups ?? namedGroups(options.handlers));
  return {
    ...config,
    adapters: units.includes(WEB.name) ? [WEB.name] : [],
    groups: Object.fromEntries(groups.map(([name, members]) => [name, ids(members)])),
    admins: ids(options.admins ?? []),
    handlerSettings: (options.config ?? {}) as Config["handlerSettings"],
  };
}

export function unitsOf({ adapters = [WEB.name] }: TestBotOptions): readonly string[] {
  return adapters;
}

/** A name is that person in every service. */
function idsOf(person: string, units: readonly string[]): string[] {
  return person.includes(":") ? [person] : units.map((unit) => `${unit}:${person}`);
}

function namedGroups(handlers: TestBotOptions["handlers"]): Record<string, readonly string[]> {
  // What is no handler at all is found and told when they are checked.
  const shapes = handlers as unknown as readonly (Partial<HandlerShape> | undefined)[];
  const names = shapes.flatMap((shape) =>
    Object.values(shape?.routes ?? {}).flatMap((route) => route?.restrictTo ?? []),
  );
  return Object.fromEntries(names.filter((name) => name !== ADMINS).map((name) => [name, []]));
}
