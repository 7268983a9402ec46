// The settings of traces: OpenTelemetry's own variables, as far as they mean something here, and what comes of them.

import { choice, type Kind, text } from "./kinds.ts";
import { type ReportsFrom, reportsOf } from "./reports.ts";
import { always, type Rows } from "./row.ts";

export interface TracingValues {
  readonly otelDisabled: boolean;
  readonly otlpEndpoint: string | undefined;
  readonly otlpTracesEndpoint: string | undefined;
  readonly otlpHeaders: Readonly<Record<string, string>>;
  readonly otlpTracesHeaders: Readonly<Record<string, string>>;
  readonly otlpProtocol: string;
  readonly tracesExporter: string;
  readonly tracesSampler: (typeof SAMPLERS)[number];
  readonly tracesSamplerArg: number;
  readonly serviceName: string | undefined;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  readonly tracesQueueRelation: "parent" | "link";
  readonly tracesWebhooks: "parent" | "link" | "ignore";
  readonly traceUrl: string | undefined;
}

const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** As the specification has it: everything but `true` means no. */
const trueAlone: Kind<boolean> = {
  says: "true or false",
  read: (raw) => String(raw).trim().toLowerCase() === "true",
};

const endpoint: Kind<string | undefined> = {
  says: "a URL http://… or https://…",
  secret: true,
  read: (raw) => {
    const url = typeof raw === "string" ? URL.parse(raw.trim()) : null;
    return url !== null && /^https?:$/.test(url.protocol) ? url.href : undefined;
  },
};

/** No address of a script: it becomes a link. */
const tracePage: Kind<string | undefined> = {
  says: "a URL http://… or https://… with {trace} in it",
  read: (raw) => {
    const isPage = typeof raw === "string" && raw.includes("{trace}") && /^https?:\/\//.test(raw) && URL.canParse(raw);
    return isPage ? raw : undefined;
  },
};

const ratio: Kind<number> = {
  says: "a number from 0 to 1",
  read: (raw, written) => {
    const value = written && typeof raw === "string" && raw.trim() !== "" ? Number(raw) : raw;
    return typeof value === "number" && value >= 0 && value <= 1 ? value : undefined;
  },
};

const PAIR = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/;

/** Values are percent-encoded, where they are written as text. */
const pairs: Kind<Readonly<Record<string, string>>> = {
  says: "pairs like name=value,other=value",
  read: (raw) => {
    if (typeof raw === "object" && raw !== null && !Array.isArray(raw)) return readObject(raw);
    if (typeof raw !== "string") return undefined;
    const found = raw.split(",").flatMap((pair) => (pair.trim() === "" ? [] : [PAIR.exec(pair)]));
    if (found.includes(null)) return undefined;
    return Object.fromEntries(found.map((match) => [decoded(match?.[1] ?? ""), decoded(match?.[2] ?? "")]));
  },
};

function readObject(raw: object): Readonly<Record<string, string>> | undefined {
  const entries = Object.entries(raw) as [string, unknown][];
  return entries.every(([, value]) => typeof value === "string") ? (Object.fromEntries(entries) as never) : undefined;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const TRACING_ROWS: Rows<TracingValues> = {
  otlpEndpoint: {
    variable: "OTEL_EXPORTER_OTLP_ENDPOINT",
    kind: endpoint,
    preset: always(undefined),
    sentence: "The collector of traces, such as `http://collector:4318`; without one none are made.",
  },
  otlpTracesEndpoint: {
    variable: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    kind: endpoint,
    preset: always(undefined),
    sentence: "The same with its whole path, for traces alone.",
  },
  otlpHeaders: {
    variable: "OTEL_EXPORTER_OTLP_HEADERS",
    kind: { ...pairs, secret: true },
    preset: always({}),
    sentence: "Headers for the collector: `authorization=Bearer%20…`.",
  },
  otlpTracesHeaders: {
    variable: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    kind: { ...pairs, secret: true },
    preset: always({}),
    sentence: "More of them, for traces alone.",
  },
  otlpProtocol: {
    variable: "OTEL_EXPORTER_OTLP_PROTOCOL",
    kind: text,
    preset: always("http/protobuf"),
    sentence: "How the collector is spoken to: `http/protobuf` is all there is.",
  },
  otelDisabled: {
    variable: "OTEL_SDK_DISABLED",
    kind: trueAlone,
    preset: always(false),
    sentence: "`true`: no traces, whatever else is set.",
  },
  tracesExporter: {
    variable: "OTEL_TRACES_EXPORTER",
    kind: text,
    preset: always("otlp"),
    sentence: "`otlp`, or `none`: no traces.",
  },
  tracesSampler: {
    variable: "OTEL_TRACES_SAMPLER",
    kind: choice(...SAMPLERS),
    preset: always("parentbased_always_on"),
    sentence: "Which traces are kept: all, none or a share; `parentbased_…` leaves that to whoever began the trace.",
  },
  tracesSamplerArg: {
    variable: "OTEL_TRACES_SAMPLER_ARG",
    kind: ratio,
    preset: always(1),
    sentence: "The share that a `…traceidratio` sampler keeps, from 0 to 1.",
  },
  serviceName: {
    variable: "OTEL_SERVICE_NAME",
    kind: text,
    preset: always(undefined),
    presetSaid: "`antiphon`",
    sentence: "The name of the bot in traces.",
  },
  resourceAttributes: {
    variable: "OTEL_RESOURCE_ATTRIBUTES",
    kind: pairs,
    preset: always({}),
    sentence: "What else traces say of the process: `k8s.namespace.name=chat,team=ops`.",
  },
  tracesQueueRelation: {
    variable: "ANTIPHON_TRACING_QUEUE_RELATION",
    kind: choice("parent", "link"),
    preset: always("parent"),
    sentence: "`parent`: a run is in the trace of its enqueue. `link`: it has a trace of its own that is linked to it.",
  },
  tracesWebhooks: {
    variable: "ANTIPHON_TRACING_WEBHOOKS",
    kind: choice("parent", "link", "ignore"),
    preset: always("parent"),
    sentence:
      "What becomes of the trace that a webhook's sender names in `traceparent`: it goes on, is linked, or ignored.",
  },
  traceUrl: {
    variable: "ANTIPHON_TRACE_URL",
    kind: tracePage,
    preset: always(undefined),
    sentence: "Where a trace is shown, for the dashboard's links: `https://jaeger.example.org/trace/{trace}`.",
  },
};

/** Of settings that could not be read nothing more is said. */
export function tracingProblems(values: TracingValues): string[] {
  const problems: string[] = [];
  if (!isAsked(values)) return problems;
  const { tracesExporter, otlpProtocol } = values;
  if (tracesExporter !== undefined && tracesExporter !== "otlp")
    problems.push(`OTEL_TRACES_EXPORTER must be otlp or none; it is "${tracesExporter}".`);
  if (otlpProtocol !== undefined && otlpProtocol !== "http/protobuf")
    problems.push(
      `OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf (port 4318 of a collector); it is "${otlpProtocol}".`,
    );
  return problems;
}

function isAsked({ otelDisabled, tracesExporter, otlpEndpoint, otlpTracesEndpoint }: TracingValues): boolean {
  if (otelDisabled || tracesExporter === "none") return false;
  return otlpEndpoint !== undefined || otlpTracesEndpoint !== undefined;
}

/** As telemetry/tracing.ts takes it. */
export interface Traces {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly sampler: { readonly name: TracingValues["tracesSampler"]; readonly ratio: number };
  readonly resource: Readonly<Record<string, string>>;
  readonly queueRelation: TracingValues["tracesQueueRelation"];
  readonly webhooks: TracingValues["tracesWebhooks"];
  readonly secrets: readonly string[];
}

/** Undefined: nobody asked for traces. */
export function tracesOf(from: ReportsFrom): Traces | undefined {
  const { config, server, version } = from;
  if (!isAsked(config)) return undefined;
  const { otlpEndpoint = "", otlpTracesEndpoint, environment = config.dev ? "development" : "production" } = config;
  const common = {
    "service.name": "antiphon",
    "service.version": version,
    "service.namespace": config.namespace,
    "host.name": server,
    "deployment.environment.name": environment,
  };
  const named = config.serviceName === undefined ? {} : { "service.name": config.serviceName };
  return {
    url: otlpTracesEndpoint ?? `${otlpEndpoint.replace(/\/+$/, "")}/v1/traces`,
    headers: { ...config.otlpHeaders, ...config.otlpTracesHeaders },
    sampler: { name: config.tracesSampler, ratio: config.tracesSamplerArg },
    resource: { ...common, ...config.resourceAttributes, ...named },
    queueRelation: config.tracesQueueRelation,
    webhooks: config.tracesWebhooks,
    secrets: reportsOf(from).secrets,
  };
}
