// Spans for what a run asks of others: HTTP servers (`fetch`) and Redis. Both say so on Node's diagnostics channels; nothing is
// patched. Without an active span nothing is made: the program's own calls are nobody's trace.

import { subscribe, tracingChannel, unsubscribe } from "node:diagnostics_channel";
import type { Attributes, Span, Tracing } from "./tracing.ts";

/** As undici tells of it; `fetch` is made of it. */
interface HttpRequest {
  readonly origin?: unknown;
  readonly method?: unknown;
  addHeader?(name: string, value: string): void;
}

interface RedisCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly database: number;
  readonly serverAddress: string;
  readonly serverPort: number | undefined;
  error?: unknown;
}

/** Gives what ends it. */
export function traceCalls(tracing: Tracing, scriptName?: (sha: string) => string | undefined): () => void {
  const ends = [traceHttp(tracing), traceRedis(tracing, scriptName)];
  return () => ends.forEach((end) => end());
}

/** Neither path nor query is told: many services want their secret there. */
function traceHttp(tracing: Tracing): () => void {
  const spans = new WeakMap<object, Span>();
  const listeners: Readonly<Record<string, (message: unknown) => void>> = {
    "undici:request:create": (message) => {
      const { request } = message as { request: HttpRequest };
      if (tracing.active() === undefined) return;
      const span = tracing.start(String(request.method ?? "GET"), { kind: "client", attributes: targetOf(request) });
      spans.set(request, span);
      const { traceparent, tracestate } = span.carrier;
      request.addHeader?.("traceparent", traceparent);
      if (tracestate !== undefined) request.addHeader?.("tracestate", tracestate);
    },
    "undici:request:headers": (message) => {
      const { request, response } = message as { request: object; response: { statusCode: number } };
      const { statusCode } = response;
      const failed = statusCode >= 400 ? { "error.type": String(statusCode) } : {};
      spans.get(request)?.set({ "http.response.status_code": statusCode, ...failed });
    },
    "undici:request:trailers": (message) => spans.get((message as { request: object }).request)?.end(),
    "undici:request:error": (message) => {
      const { request, error } = message as { request: object; error: unknown };
      const span = spans.get(request);
      span?.fail(error);
      span?.end();
    },
  };
  for (const [name, listener] of Object.entries(listeners)) subscribe(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) unsubscribe(name, listener);
  };
}

function targetOf({ origin, method }: HttpRequest): Attributes {
  const url = URL.parse(String(origin));
  const port = url?.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url?.port);
  return {
    "http.request.method": String(method ?? "GET"),
    ...(url === null
      ? {}
      : { "url.scheme": url.protocol.slice(0, -1), "server.address": url.hostname, "server.port": port }),
  };
}

/** Only which command it was: its arguments are what people said. */
function traceRedis(tracing: Tracing, scriptName: (sha: string) => string | undefined = () => undefined): () => void {
  const channel = tracingChannel<"ioredis:command", RedisCommand>("ioredis:command");
  const spans = new WeakMap<object, Span>();
  const end = (message: RedisCommand): void => {
    const span = spans.get(message);
    if (span === undefined) return;
    spans.delete(message);
    if (message.error !== undefined) span.fail(message.error);
    span.end();
  };
  const listeners = {
    start: (message: RedisCommand) => {
      if (tracing.active() === undefined) return;
      const name = message.command.toUpperCase();
      const script = name === "EVALSHA" ? scriptName(message.args[0] ?? "") : undefined;
      const attributes = {
        "db.system.name": "redis",
        "db.operation.name": name,
        "db.namespace": String(message.database),
        "db.stored_procedure.name": script,
        "server.address": message.serverAddress,
        "server.port": message.serverPort,
      };
      const said = script === undefined ? name : `${name} ${script}`;
      spans.set(message, tracing.start(said, { kind: "client", attributes }));
    },
    end: () => {},
    asyncStart: () => {},
    asyncEnd: end,
    error: () => {},
  };
  channel.subscribe(listeners);
  return () => void channel.unsubscribe(listeners);
}
