// The settings: one table of names, types, defaults and bounds, and the frozen Config that comes of it.

import { ACCESS_ROWS, type AccessValues } from "./access.ts";
import { handlersOf } from "./file.ts";
import { HTTP_ROWS, type HttpValues } from "./http.ts";
import { IRC_NETWORKS, IRC_ROWS, networks } from "./irc.ts";
import { choice, groups, list, named, people, type Person, redisUrl, text, wholeNumber } from "./kinds.ts";
import { MASTER_ROWS, type MasterValues } from "./master.ts";
import { QUEUE_ROWS, type QueueValues } from "./queues.ts";
import { REPORT_ROWS, type ReportValues } from "./reports.ts";
import { always, type AnyRows, type Rows } from "./row.ts";
import { TRACING_ROWS, type TracingValues } from "./tracing.ts";
import { WORKER_ROWS, type WorkerValues } from "./worker.ts";

interface BotValues {
  readonly redisUrl: string | undefined;
  readonly namespace: string;
  readonly handlers: readonly string[];
  readonly name: string;
  readonly alias: string;
  readonly adapters: readonly string[];
  readonly webToken: readonly Person[];
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "json" | "pretty";
  readonly logLines: number;
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly admins: readonly string[];
}

export interface Values
  extends BotValues, HttpValues, AccessValues, WorkerValues, MasterValues, QueueValues, ReportValues, TracingValues {}

export type Settings = Readonly<Record<string, unknown>>;

/** Plain frozen data: it crosses threads. */
export interface Config extends Values {
  readonly dev: boolean;
  /** Where packages in `handlers` are looked for. */
  readonly cwd: string;
  /** The settings file that was read, if any. */
  readonly file: string | undefined;
  /** Settings of handlers by their name, as written; each handler's own schema judges them. */
  readonly handlerSettings: Readonly<Record<string, Settings>>;
  /** The variables ANTIPHON_HANDLER_<NAME>_<SETTING>, which win over `handlerSettings`. */
  readonly handlerVariables: Readonly<Record<string, string>>;
  /** Settings of the adapters in `adapters`, by the entry there. */
  readonly adapterSettings: Readonly<Record<string, Settings>>;
  /** The variables ANTIPHON_ADAPTER_<NAME>_<SETTING>, which win over the file; for adapters of one's own. */
  readonly adapterVariables: Readonly<Record<string, string>>;
}

export const SETTINGS: Rows<Values> = {
  redisUrl: {
    variable: "REDIS_URL",
    kind: redisUrl,
    preset: always(undefined),
    sentence: "The Redis or Valkey that holds everything.",
  },
  namespace: {
    variable: "ANTIPHON_NAMESPACE",
    kind: named("a name of 1 to 64 characters without braces, colons and white space", /^[^{}:\s]{1,64}$/),
    preset: always("antiphon"),
    sentence: "The name under which this bot keeps its keys; bots that share a Redis have different ones.",
  },
  handlers: {
    variable: "ANTIPHON_HANDLERS",
    kind: list,
    preset: ({ cwd }) => handlersOf(cwd),
    presetSaid: "`./handlers`, if it is not empty",
    sentence: "Folders and packages with handlers.",
  },
  name: {
    variable: "ANTIPHON_NAME",
    kind: named("one word of 1 to 64 characters", /^\S{1,64}$/),
    preset: always("antiphon"),
    sentence: "The bot's name; a message that begins with it is addressed to the bot.",
  },
  alias: {
    variable: "ANTIPHON_ALIAS",
    kind: named("1 to 16 characters without white space", /^\S{1,16}$/),
    preset: always("!"),
    sentence: "A short form of the name: `!ping` is `antiphon ping`.",
  },
  adapters: {
    variable: "ANTIPHON_ADAPTERS",
    kind: list,
    preset: always(["web"]),
    sentence: "The chat services the bot is in.",
  },
  webToken: {
    variable: "ANTIPHON_WEB_TOKEN",
    kind: people,
    preset: always([]),
    sentence:
      "The secret of the person `web:operator`, an admin; or `ann=secret1,bob=secret2` for `web:ann` and `web:bob`.",
  },
  ...HTTP_ROWS,
  ...ACCESS_ROWS,
  ...WORKER_ROWS,
  ...MASTER_ROWS,
  ...QUEUE_ROWS,
  ...REPORT_ROWS,
  ...TRACING_ROWS,
  logLevel: {
    variable: "LOG_LEVEL",
    kind: choice("debug", "info", "warn", "error"),
    preset: always("info"),
    sentence: "The least important lines that are logged.",
  },
  logLines: {
    variable: "ANTIPHON_LOG_LINES",
    kind: wholeNumber({ min: 1, max: 1_000_000 }),
    preset: always(1_000),
    sentence: "Lines a second that one route may log in one thread; what is above that is dropped and counted.",
  },
  logFormat: {
    variable: "LOG_FORMAT",
    kind: choice("json", "pretty"),
    preset: ({ terminal }) => (terminal ? "pretty" : "json"),
    presetSaid: "`json`; in a terminal `pretty`",
    sentence: "JSON for machines, coloured lines for people.",
  },
  groups: {
    kind: groups,
    preset: always({}),
    sentence: "Groups that routes may be restricted to, and their fixed members by id, e.g. `web:ann`.",
  },
  admins: {
    kind: list,
    preset: always([]),
    sentence: "Ids of people who may do everything.",
  },
};

/** Settings of the adapters that come with Antiphon. Adapters of one's own judge theirs themselves. */
export const ADAPTER_SETTINGS: Readonly<Record<string, AnyRows>> = {
  web: {},
  irc: { ...IRC_ROWS, networks: { ...IRC_NETWORKS, kind: networks(IRC_ROWS) } },
  fake: {
    url: {
      variable: "FAKE_URL",
      kind: text,
      preset: always(undefined),
      sentence: "Where the fake chat service of the tests listens.",
    },
  },
};

/** Every adapter has these. */
export const ADAPTER_COMMON: AnyRows = {
  order: {
    kind: choice("user", "room"),
    preset: always("user"),
    sentence: "Whether messages are handled in order per person in a room, or per room.",
  },
  inDoubt: {
    kind: choice("retry", "drop"),
    preset: always("retry"),
    sentence: "What becomes of words of which nobody knows whether they were said.",
  },
};
