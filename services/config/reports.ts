// The settings of error trackers, and what comes of them: where they are, of which release, and what must not reach them.

import type { Config } from "./config.ts";
import { type Kind, list, text } from "./kinds.ts";
import { always, type Rows } from "./row.ts";

const PROJECT = /\/\d+$/;

/** A file of a function of one's own. */
const FILE = /^\.{0,2}\/.+\.[cm]?[jt]s$/;

function isTracker(text: string): boolean {
  if (FILE.test(text)) return true;
  const isSentry = text.startsWith("sentry+");
  const url = URL.parse(text.replace(/^(?:sentry|otlp)\+/, ""));
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  return !isSentry || (url.username !== "" && PROJECT.test(url.pathname));
}

export const trackers: Kind<readonly string[]> = {
  says: "a list (separated by commas) of sentry+https://key@host/project, otlp+https://host/v1/logs, https://host/path or ./file.ts",
  secret: true,
  read: (raw, written) => {
    if (Array.isArray(raw) && raw.length === 0) return [];
    const texts = list.read(raw, written);
    return texts?.every(isTracker) === true ? texts : undefined;
  },
};

export const sentryDsn: Kind<string | undefined> = {
  says: "a DSN like https://key@host/project",
  secret: true,
  read: (raw) => (typeof raw === "string" && isTracker(`sentry+${raw}`) ? raw : undefined),
};

export interface ReportValues {
  readonly errorTrackers: readonly string[];
  readonly sentryDsn: string | undefined;
  readonly release: string | undefined;
  readonly environment: string | undefined;
}

export const REPORT_ROWS: Rows<ReportValues> = {
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
};

/** As telemetry/trackers.ts takes it. */
export interface Reports {
  readonly trackers: readonly string[];
  readonly secrets: readonly string[];
  readonly about: {
    readonly version: string;
    readonly release: string;
    readonly environment: string;
    readonly server: string;
  };
}

export interface ReportsFrom {
  readonly config: Config;
  /** The pod's or machine's name. */
  readonly server: string;
  /** Of Antiphon. */
  readonly version: string;
}

export function reportsOf({ config, server, version }: ReportsFrom): Reports {
  const { errorTrackers, sentryDsn, dev } = config;
  const trackers = [...errorTrackers, ...(sentryDsn === undefined ? [] : [`sentry+${sentryDsn}`])];
  const { release = `antiphon@${version}`, environment = dev ? "development" : "production" } = config;
  return { trackers, secrets: secretsOf(config, trackers), about: { version, release, environment, server } };
}

function secretsOf(config: Config, trackers: readonly string[]): string[] {
  const { redisUrl, otlpEndpoint, otlpTracesEndpoint } = config;
  const urls = [redisUrl, otlpEndpoint, otlpTracesEndpoint, ...trackers].filter((url) => url !== undefined);
  const written = [config.handlerSettings, config.adapterSettings].flatMap((settings) => textsOf(settings));
  return [
    ...new Set([
      ...urls.flatMap(credentialsOf),
      ...(config.adminToken === undefined ? [] : [config.adminToken]),
      ...[...config.adminTokens, ...config.webToken].map(({ secret }) => secret),
      ...Object.values(config.otlpHeaders),
      ...Object.values(config.otlpTracesHeaders),
      ...Object.values(config.handlerVariables),
      ...Object.values(config.adapterVariables),
      ...written,
    ]),
  ];
}

/** Between `//` and `@`, as written and decoded. Some of these URLs name several hosts, so no parser of URLs reads them. */
function credentialsOf(url: string): string[] {
  const [, part = ""] = /^[^/]*\/\/([^@/]*)@/.exec(url) ?? [];
  return part.split(":").flatMap((text) => (text === "" ? [] : [text, decoded(text)]));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const SECRET = /secret|token|password|passwd|key|credential|dsn/i;

/** Of settings whose name says that they are secret. */
function textsOf(settings: unknown, isSecret = false): string[] {
  if (typeof settings === "string") return isSecret ? [settings] : [];
  if (typeof settings !== "object" || settings === null) return [];
  return Object.entries(settings).flatMap(([name, value]) => textsOf(value, isSecret || SECRET.test(name)));
}
