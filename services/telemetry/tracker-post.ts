// Error trackers that reports are posted to: Sentry's protocol, OTLP's logs, and plain JSON.

import { nodeHttp, nodeHttps } from "../runtime/node-http.ts";
import type { ErrorReport } from "../sdk/error-report.ts";
import type { Report } from "./report.ts";
import { sentryRequest } from "./sentry.ts";
import { type About, type Answer, ANSWER_MS, type Transport } from "./transport.ts";

export interface Outgoing {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

type Protocol = (url: URL, report: Report, about: About) => Outgoing | Promise<Outgoing>;

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  "sentry+": sentryRequest,
  // Loaded where it is asked for: OpenTelemetry's serializer takes some megabytes.
  "otlp+": async (url, report, about) => (await import("./otlp-logs.ts")).otlpLogsRequest(url, report, about),
};
/** How long a tracker may ask to be left alone. */
const PAUSE_MS_MAX = 300_000;

/** `sentry+https://key@host/project`, `otlp+https://host/v1/logs`, or where the report is posted as JSON. */
export function postTransport(written: string, about: About): Transport {
  const [prefix = "", protocol = jsonRequest] =
    Object.entries(PROTOCOLS).find(([head]) => written.startsWith(head)) ?? [];
  const url = new URL(written.slice(prefix.length));
  return {
    name: url.host,
    send: async (report, stopping) => post(await protocol(url, report, about), stopping),
  };
}

/** As functions and plain trackers are told it. */
export function errorReport({ atMs, thread, ...rest }: Report, about: About): ErrorReport {
  const where = thread === undefined ? about : { ...about, thread };
  return { at: new Date(atMs).toISOString(), ...rest, about: where };
}

/** Without its credentials, and with them as basic authentication. */
export function addressOf(url: URL): Pick<Outgoing, "url" | "headers"> {
  const { username, password } = url;
  const target = new URL(url);
  target.username = target.password = "";
  if (username === "") return { url: target, headers: {} };
  const secret = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
  return { url: target, headers: { authorization: `Basic ${secret}` } };
}

function jsonRequest(written: URL, report: Report, about: About): Outgoing {
  const { url, headers } = addressOf(written);
  const body = JSON.stringify(errorReport(report, about));
  return { url, headers: { "content-type": "application/json", ...headers }, body };
}

/** Never throws, never takes longer than it may. */
function post({ url, headers, body }: Outgoing, stopping: AbortSignal): Promise<Answer> {
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(ANSWER_MS)]);
  const { request: send } = url.protocol === "https:" ? nodeHttps() : nodeHttp();
  return new Promise((resolve) => {
    const all = { ...headers, "content-length": String(Buffer.byteLength(body)) };
    const request = send(url, { method: "POST", headers: all, agent: false, signal }, (response) => {
      response.resume();
      const { statusCode = 0 } = response;
      const seconds = Number(response.headers["retry-after"]);
      const pauseMs = statusCode === 429 && seconds > 0 ? Math.min(seconds * 1000, PAUSE_MS_MAX) : undefined;
      resolve({
        isTaken: statusCode >= 200 && statusCode < 300,
        problem: `it answered ${statusCode}`,
        mayPass: statusCode >= 500,
        ...(pauseMs === undefined ? {} : { pauseMs }),
      });
    });
    request.on("error", (error) => resolve({ isTaken: false, problem: error.message, mayPass: true }));
    request.end(body);
  });
}
