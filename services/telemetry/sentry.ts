// A report as an envelope of Sentry, which GlitchTip, Bugsink and others read, too.
// https://develop.sentry.dev/sdk/data-model/envelopes/

import type { ReportedError } from "../sdk/error-report.ts";
import type { Report } from "./report.ts";
import type { Outgoing } from "./tracker-post.ts";
import type { About } from "./transport.ts";

const CLIENT = "antiphon";
/** `    at name (file:line:column)` or `    at file:line:column`. */
const FRAME = /^\s*at (?:(.*?) \()?((?:file:\/\/|node:|\/|[A-Za-z]:\\).*?):(\d+):(\d+)\)?$/;

/** `dsn`: https://<key>@<host>/<path…>/<project>. */
export function sentryRequest(dsn: URL, report: Report, about: About): Outgoing {
  const cut = dsn.pathname.lastIndexOf("/");
  const [path, project] = [dsn.pathname.slice(0, cut), dsn.pathname.slice(cut + 1)];
  const key = decodeURIComponent(dsn.username);
  const client = `${CLIENT}/${about.version}`;
  const event = JSON.stringify(sentryEvent(report, about));
  const lines = [
    JSON.stringify({ event_id: report.id, sent_at: new Date(report.atMs).toISOString(), sdk: sdkOf(about) }),
    JSON.stringify({ type: "event", length: Buffer.byteLength(event), content_type: "application/json" }),
    event,
  ];
  return {
    url: new URL(`${dsn.protocol}//${dsn.host}${path}/api/${project}/envelope/`),
    headers: {
      "content-type": "application/x-sentry-envelope",
      "x-sentry-auth": `Sentry sentry_version=7, sentry_client=${client}, sentry_key=${key}`,
    },
    body: `${lines.join("\n")}\n`,
  };
}

function sdkOf({ version }: About): { name: string; version: string } {
  return { name: CLIENT, version };
}

function sentryEvent(report: Report, about: About): object {
  const { run, error, where, trace } = report;
  const transaction = run.route ?? where;
  return {
    event_id: report.id,
    timestamp: report.atMs / 1000,
    platform: "node",
    logger: report.event,
    level: report.level,
    release: about.release,
    environment: about.environment,
    server_name: about.server,
    ...(transaction === undefined ? {} : { transaction }),
    tags: tagsOf(report, about),
    contexts: {
      runtime: { name: "node", version: process.version },
      ...(trace === undefined ? {} : { trace: { trace_id: trace.traceId, span_id: trace.spanId } }),
      ...(Object.keys(run).length > 0 ? { delivery: { type: "delivery", ...run } } : {}),
    },
    // Of the innermost cause first.
    exception: { values: chainOf(error).toReversed().map(exceptionOf) },
    sdk: sdkOf(about),
  };
}

function tagsOf({ run, error, where, event }: Report, { mode, thread }: About): Record<string, string> {
  const { route, kind, queue, attempt, errorId } = run;
  const tags = { event, mode, thread, where, route, kind, queue, attempt, errorId, code: error.code };
  const known = Object.entries(tags).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
}

function chainOf(error: ReportedError): ReportedError[] {
  return error.cause === undefined ? [error] : [error, ...chainOf(error.cause)];
}

function exceptionOf({ type, message, stack }: ReportedError): object {
  const frames = framesOf(stack ?? "");
  return { type, value: message, ...(frames.length === 0 ? {} : { stacktrace: { frames } }) };
}

/** The outermost call first. */
function framesOf(stack: string): object[] {
  const frames = stack.split("\n").flatMap((line) => {
    const match = FRAME.exec(line);
    if (!match) return [];
    const [, called, file = "", lineno, colno] = match;
    const filename = file.replace(/^file:\/\//, "").replace(/\?.*$/, "");
    const isOwn = !filename.startsWith("node:") && !filename.includes("/node_modules/");
    const name = called === undefined || called === "" ? {} : { function: called };
    return [{ filename, ...name, lineno: Number(lineno), colno: Number(colno), in_app: isOwn }];
  });
  return frames.toReversed();
}
