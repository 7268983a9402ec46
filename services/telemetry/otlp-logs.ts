// A report as a log record of OTLP, protobuf over HTTP: for collectors of OpenTelemetry.
// https://opentelemetry.io/docs/specs/otel/logs/data-model/ and https://opentelemetry.io/docs/specs/semconv/exceptions/

import { type HrTime, TraceFlags } from "@opentelemetry/api";
import { ProtobufLogsSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { Report } from "./report.ts";
import { addressOf, type Outgoing } from "./tracker-post.ts";
import type { About } from "./transport.ts";

type LogRecord = Parameters<typeof ProtobufLogsSerializer.serializeRequest>[0][number];

const SEVERITY = { warning: [13, "WARN"], error: [17, "ERROR"] } as const;
const SERVICE = "antiphon";

export function otlpLogsRequest(written: URL, report: Report, about: About): Outgoing {
  const { url, headers } = addressOf(written);
  const body = ProtobufLogsSerializer.serializeRequest([recordOf(report, about)]);
  if (body === undefined) throw new Error("the report could not be written as OTLP");
  return { url, headers: { "content-type": "application/x-protobuf", ...headers }, body };
}

function recordOf(report: Report, about: About): LogRecord {
  const { atMs, event, level, error, trace } = report;
  const [severityNumber, severityText] = SEVERITY[level];
  const time: HrTime = [Math.floor(atMs / 1000), (atMs % 1000) * 1_000_000];
  return {
    hrTime: time,
    hrTimeObserved: time,
    severityNumber,
    severityText,
    eventName: event,
    body: `${error.type}: ${error.message}`,
    attributes: attributesOf(report),
    droppedAttributesCount: 0,
    resource: resourceFromAttributes({
      "service.name": SERVICE,
      "service.version": about.release,
      "deployment.environment.name": about.environment,
      "host.name": about.server,
      "antiphon.mode": about.mode,
    }),
    instrumentationScope: { name: SERVICE, version: about.version },
    ...(trace && { spanContext: { traceId: trace.traceId, spanId: trace.spanId, traceFlags: TraceFlags.SAMPLED } }),
  };
}

function attributesOf({ id, error, run, where }: Report): Record<string, string | number> {
  const { route, id: origin, kind, queue, keyHash, attempt, next, errorId } = run;
  const known = {
    "log.record.uid": id,
    "exception.type": error.type,
    "exception.message": error.message,
    "exception.stacktrace": error.stack,
    "error.type": error.code ?? error.type,
    "messaging.destination.name": queue,
    "messaging.message.id": origin,
    "antiphon.route": route,
    "antiphon.kind": kind,
    "antiphon.key_hash": keyHash,
    "antiphon.attempt": attempt,
    "antiphon.next": next,
    "antiphon.error_id": errorId,
    "antiphon.where": where,
  };
  const told = Object.entries(known).filter((entry): entry is [string, string | number] => entry[1] !== undefined);
  return Object.fromEntries(told);
}
