// The settings: one table of names, types, defaults and bounds, and the frozen Config that comes of it.

import { ACCESS_ROWS, type AccessValues } from "./config-access.ts";
import { handlersOf } from "./config-file.ts";
import { IRC_NETWORKS, IRC_ROWS, networks } from "./config-irc.ts";
import {
  choice,
  groups,
  type Kind,
  list,
  named,
  people,
  type Person,
  redisUrl,
  secretText,
  sentryDsn,
  type Served,
  servedQueues,
  type ServedTags,
  servedTags,
  text,
  trackers,
  wholeNumber,
} from "./config-kinds.ts";
import { type ScaleTarget, scaleTargets } from "./config-scale.ts";
import { TRACING_ROWS, type TracingValues } from "./config-tracing.ts";
import { VERSION } from "./runtime/version.ts";

/** `tool` is every command that is no mode: it needs no Redis until it asks for one. */
export type ConfigFor = "dev" | "master" | "worker" | "tool";

/** What the settings depend on besides themselves. Given by main and by tests. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly cores: number;
  /** Whether people read the output. */
  readonly terminal: boolean;
  /** Started by `antiphon dev`: guests of the web chat are admins and the admin server asks for no token. */
  readonly dev: boolean;
  /** The settings file when ANTIPHON_CONFIG names none. */
  readonly file?: string;
}

export interface Values extends AccessValues, TracingValues {
  readonly redisUrl: string | undefined;
  readonly namespace: string;
  readonly handlers: readonly string[];
  readonly name: string;
  readonly alias: string;
  readonly adapters: readonly string[];
  readonly webToken: readonly Person[];
  readonly httpHost: string;
  readonly httpPort: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly adminToken: string | undefined;
  readonly metricsApiPort: number | undefined;
  readonly metricsApiCertificate: string | undefined;
  readonly workerThreads: number;
  readonly workerConcurrency: number;
  readonly recycleJobs: number;
  readonly recycleHeapMb: number;
  readonly queues: readonly Served[];
  readonly tags: ServedTags;
  readonly pool: string;
  readonly drainMs: number;
  readonly leaseMs: number;
  readonly revision: string;
  readonly scaleTargets: readonly ScaleTarget[];
  readonly queueLimit: number;
  readonly queueBytes: number;
  readonly historyLength: number;
  readonly historyHours: number;
  readonly deadLength: number;
  readonly deadDays: number;
  readonly outboxRedirect: string | undefined;
  readonly durability: "default" | "replica" | "fsync";
  readonly errorTrackers: readonly string[];
  readonly sentryDsn: string | undefined;
  readonly release: string | undefined;
  readonly environment: string | undefined;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly logFormat: "json" | "pretty";
  readonly logLines: number;
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly admins: readonly string[];
}

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

export interface Row<T> {
  /** The environment variable; a row without one is set in the file alone. */
  readonly variable?: string;
  readonly kind: Kind<T>;
  readonly preset: (around: Surroundings, purpose: ConfigFor) => T;
  /** For the documentation, where the value depends on the machine. */
  readonly presetSaid?: string;
  readonly sentence: string;
}

const GIB = 1024 ** 3;
const host = (around: Surroundings, purpose: ConfigFor): string =>
  around.dev || purpose === "dev" ? "127.0.0.1" : "0.0.0.0";
const HOST_SAID = "`0.0.0.0`; in dev `127.0.0.1`";
const port = wholeNumber({ min: 0, max: 65_535 });
const always =
  <T>(value: T) =>
  (): T =>
    value;

/** The key is the name in the settings file. */
export const SETTINGS: { readonly [K in keyof Values]: Row<Values[K]> } = {
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
  httpHost: {
    variable: "ANTIPHON_HTTP_HOST",
    kind: text,
    preset: host,
    presetSaid: HOST_SAID,
    sentence: "The address of public HTTP (workers).",
  },
  httpPort: {
    variable: "ANTIPHON_HTTP_PORT",
    kind: port,
    preset: always(8080),
    sentence: "The port of public HTTP; 0 takes a free one.",
  },
  adminHost: {
    variable: "ANTIPHON_ADMIN_HOST",
    kind: text,
    preset: host,
    presetSaid: HOST_SAID,
    sentence: "The address of probes and metrics (both modes).",
  },
  adminPort: {
    variable: "ANTIPHON_ADMIN_PORT",
    kind: port,
    preset: always(9090),
    sentence: "The port of probes and metrics; 0 takes a free one.",
  },
  adminToken: {
    variable: "ANTIPHON_ADMIN_TOKEN",
    kind: secretText,
    preset: always(undefined),
    sentence:
      "The bearer token of the dashboard and its API, which refuse everybody without one. Who has it is an admin.",
  },
  ...ACCESS_ROWS,
  metricsApiPort: {
    variable: "ANTIPHON_METRICS_API_PORT",
    kind: wholeNumber({ min: 0, max: 65_535 }),
    preset: always(undefined),
    sentence: "The port of a master's external metrics API for Kubernetes; without one there is none.",
  },
  metricsApiCertificate: {
    variable: "ANTIPHON_METRICS_API_CERTIFICATE",
    kind: text,
    preset: always(undefined),
    sentence: "The folder with `tls.crt` and `tls.key` of that API.",
  },
  workerThreads: {
    variable: "ANTIPHON_WORKER_THREADS",
    kind: wholeNumber({ min: 2, max: 64 }),
    preset: ({ cores }) => Math.min(4, Math.max(2, cores)),
    presetSaid: "the machine's cores, at least 2, at most 4",
    sentence: "Handler threads of one worker.",
  },
  workerConcurrency: {
    variable: "ANTIPHON_WORKER_CONCURRENCY",
    kind: wholeNumber({ min: 8, max: 10_000 }),
    preset: always(32),
    sentence: "Deliveries that one worker has in flight at once.",
  },
  recycleJobs: {
    variable: "ANTIPHON_WORKER_RECYCLE_JOBS",
    kind: wholeNumber({ min: 0, max: 1_000_000_000 }),
    preset: always(0),
    sentence: "Deliveries after which a handler thread is replaced by a new one; 0 = never.",
  },
  recycleHeapMb: {
    variable: "ANTIPHON_WORKER_RECYCLE_HEAP_MB",
    kind: wholeNumber({ min: 0, max: 65_536 }),
    preset: always(0),
    sentence: "MB of heap and buffers above which a handler thread is replaced by a new one; 0 = never.",
  },
  queues: {
    variable: "ANTIPHON_QUEUES",
    kind: servedQueues,
    preset: always([{ queue: "*", weight: 1 }]),
    presetSaid: "`*`",
    sentence: "Which queues a worker serves, and how often each comes first: `high:5,default`.",
  },
  tags: {
    variable: "ANTIPHON_TAGS",
    kind: servedTags,
    preset: always({ all: true, untagged: false, only: [], never: [] }),
    presetSaid: "`*`",
    sentence: "Which tags it serves: `gpu,eu` (only these), `*,!gpu` (all but these), `-` (what has none).",
  },
  pool: {
    variable: "ANTIPHON_POOL",
    kind: named("a name of 1 to 63 lower-case letters, digits and hyphens", /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
    preset: always("default"),
    sentence: "The pool that a worker belongs to: workers that serve the same queues and are scaled together.",
  },
  drainMs: {
    variable: "ANTIPHON_DRAIN_MS",
    kind: wholeNumber({ min: 0, max: 3_600_000 }),
    preset: always(25_000),
    sentence: "How long SIGTERM lets running handlers run on.",
  },
  leaseMs: {
    variable: "ANTIPHON_LEASE_MS",
    kind: wholeNumber({ min: 500, max: 600_000 }),
    preset: always(6_000),
    sentence: "How long a master stays leader without renewing.",
  },
  revision: {
    variable: "ANTIPHON_REVISION",
    kind: text,
    preset: always(VERSION),
    presetSaid: "the version of Antiphon",
    sentence: "What is deployed: while masters of two revisions run, those of the one started last lead.",
  },
  scaleTargets: {
    variable: "ANTIPHON_SCALE_TARGETS",
    kind: scaleTargets,
    preset: always([]),
    sentence:
      "In Kubernetes: the Deployment of each pool that the masters scale, and within what bounds: `default=antiphon-worker:2-10`.",
  },
  queueLimit: {
    variable: "ANTIPHON_QUEUE_LIMIT",
    kind: wholeNumber({ min: 1, max: 1_000_000_000 }),
    preset: always(1_000_000),
    sentence: "Deliveries one queue holds before it answers 503.",
  },
  queueBytes: {
    variable: "ANTIPHON_QUEUE_BYTES",
    kind: wholeNumber({ min: 1024, max: 1024 * GIB }),
    preset: always(GIB),
    sentence: "Bytes of bodies one queue holds before it answers 503.",
  },
  outboxRedirect: {
    variable: "ANTIPHON_OUTBOX_REDIRECT",
    kind: named("a room such as `web:staging` or `irc/libera:#test`", /^[^\s:/]+(\/[^\s:/]+)?:\S+$/),
    preset: always(undefined),
    sentence:
      "For staging: a room where everything is said that would be said or done in others, labelled with its real place.",
  },
  durability: {
    variable: "ANTIPHON_DURABILITY",
    kind: choice("default", "replica", "fsync"),
    preset: always("default"),
    sentence:
      "What an acknowledgement waits for: Redis' reply, one replica (`replica`), or the append-only file on disk (`fsync`).",
  },
  historyLength: {
    variable: "ANTIPHON_HISTORY_LENGTH",
    kind: wholeNumber({ min: 0, max: 1_000_000 }),
    preset: always(1_000),
    sentence: "Finished deliveries that one queue remembers; 0 = none.",
  },
  historyHours: {
    variable: "ANTIPHON_HISTORY_HOURS",
    kind: wholeNumber({ min: 1, max: 876_000 }),
    preset: always(24),
    sentence: "Hours after which a finished delivery is forgotten.",
  },
  deadLength: {
    variable: "ANTIPHON_DEAD_LENGTH",
    kind: wholeNumber({ min: 1, max: 10_000_000 }),
    preset: always(10_000),
    sentence:
      "Dead letters that one queue keeps; the oldest beyond it are forgotten, within a minute, and a warning says how many.",
  },
  deadDays: {
    variable: "ANTIPHON_DEAD_DAYS",
    kind: wholeNumber({ min: 1, max: 36_500 }),
    preset: always(90),
    sentence: "Days after which a dead letter is forgotten.",
  },
  errorTrackers: {
    variable: "ANTIPHON_ERROR_TRACKERS",
    kind: trackers,
    preset: always([]),
    sentence: "Who hears of errors: Sentry, a collector of OTLP logs, a URL that gets JSON, a function of your own.",
  },
  sentryDsn: {
    variable: "SENTRY_DSN",
    kind: sentryDsn,
    preset: always(undefined),
    sentence: "One more error tracker, as Sentry writes it: `https://key@host/project`.",
  },
  release: {
    variable: "ANTIPHON_RELEASE",
    kind: text,
    preset: always(undefined),
    presetSaid: "`antiphon@<version>`",
    sentence: "The release that error trackers are told, e.g. of your handlers.",
  },
  environment: {
    variable: "ANTIPHON_ENVIRONMENT",
    kind: text,
    preset: always(undefined),
    presetSaid: "`production`; in dev `development`",
    sentence: "The environment that error trackers and traces are told.",
  },
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
export const ADAPTER_SETTINGS: Readonly<Record<string, Readonly<Record<string, Row<unknown>>>>> = {
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
export const ADAPTER_COMMON: Readonly<Record<string, Row<unknown>>> = {
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
