// From the settings to what error trackers are told: where they are, of which release, and what must not reach them.

import type { Config } from "./config.ts";

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
