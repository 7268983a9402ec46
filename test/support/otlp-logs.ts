// Log records out of what was posted to a collector, by a decoder of our own: what it cannot read throws.

import { readFileSync } from "node:fs";
import protobuf from "protobufjs";

const PROTO = readFileSync(new URL("./otlp/logs.proto", import.meta.url), "utf8");
const Request = protobuf.parse(PROTO).root.lookupType("otlp.ExportLogsServiceRequest");

interface KeyValue {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string; readonly doubleValue?: number };
}

export interface LogRecord {
  readonly timeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly eventName: string;
  readonly body: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

export function logRecords(body: Buffer): LogRecord[] {
  const read = Request.toObject(Request.decode(body), { longs: String, bytes: Buffer }) as {
    resourceLogs: { resource: { attributes: KeyValue[] }; scopeLogs: { logRecords: Record<string, unknown>[] }[] }[];
  };
  return read.resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords: records }) => records.map((record) => recordOf(record, resource.attributes))),
  );
}

function recordOf(record: Record<string, unknown>, resource: readonly KeyValue[]): LogRecord {
  const hex = (bytes: unknown): string => (bytes instanceof Uint8Array ? Buffer.from(bytes).toString("hex") : "");
  return {
    timeUnixNano: String(record["timeUnixNano"]),
    severityNumber: Number(record["severityNumber"]),
    severityText: String(record["severityText"]),
    eventName: String(record["eventName"]),
    body: String((record["body"] as KeyValue["value"]).stringValue),
    traceId: hex(record["traceId"]),
    spanId: hex(record["spanId"]),
    attributes: valuesOf(record["attributes"] as readonly KeyValue[]),
    resource: valuesOf(resource),
  };
}

function valuesOf(list: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(
    list.map(({ key, value }) => [key, value.stringValue ?? value.doubleValue ?? Number(value.intValue)]),
  );
}
