// What the bus' door answers: the headers of every answer, CORS, and refusals as `{"error": {"code", "message"}}`.

import type { ServerResponse } from "node:http";
import type { Random } from "../runtime/clock.ts";
import { AntiphonError, type ErrorCode } from "../runtime/errors.ts";
import type { BusAnswer, BusCors, BusRequest } from "../sdk/bus.ts";

const STATUS: Partial<Record<ErrorCode, number>> = {
  REQUEST_INVALID: 400,
  OPTIONS_INVALID: 400,
  BODY_STALLED: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  BODY_TOO_LARGE: 413,
  TOO_MANY_REQUESTS: 429,
  REDIS_UNAVAILABLE: 503,
  POSTGRES_UNAVAILABLE: 503,
  REDIS_UNFIT: 503,
};
const RETRY_AFTER = { firstSeconds: 2, spreadSeconds: 8 } as const;

/** Of answers that are not of Antiphon's own making, in MessageBus' order. */
export const BASE_HEADERS = [
  ["cache-control", "must-revalidate, private, max-age=0"],
  ["pragma", "no-cache"],
  ["expires", "0"],
] as const;

/** What MessageBus' clients send besides. */
const CORS_HEADERS = [
  "X-SILENCE-LOGGER",
  "X-Shared-Session-Key",
  "Dont-Chunk",
  "Content-Type",
  "X-Bus-Token",
  "Last-Event-ID",
];
const CORS_AGE_SECONDS = 7200;

export type Headers = (readonly [name: string, value: string])[];

/** Line breaks would end a header; the type of the body is ours to say. */
export function extraHeaders(given: Readonly<Record<string, unknown>>): Headers {
  return Object.entries(given)
    .filter(
      ([name]) => !["content-type", "content-length", "transfer-encoding", "connection"].includes(name.toLowerCase()),
    )
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((one) => [name, one] as const))
    .map(([name, value]) => [name.toLowerCase(), String(value).replaceAll(/[\r\n]/g, " ")] as const);
}

export function corsHeaders(cors: BusCors | undefined, { headers, method }: BusRequest): Headers {
  const { origin } = headers;
  if (cors === undefined || typeof origin !== "string" || !isAllowed(cors, origin)) return [];
  const any = cors.origins === "*" && cors.credentials !== true;
  const found: Headers = [["access-control-allow-origin", any ? "*" : origin]];
  if (!any) found.push(["vary", "Origin"]);
  if (cors.credentials === true) found.push(["access-control-allow-credentials", "true"]);
  if (method !== "OPTIONS") return [...found, ["access-control-expose-headers", "Retry-After"]];
  const allowed = [...CORS_HEADERS, ...(cors.headers ?? [])].join(", ");
  found.push(["access-control-allow-methods", "GET, POST, OPTIONS"], ["access-control-allow-headers", allowed]);
  found.push(["access-control-max-age", String(cors.maxAgeSeconds ?? CORS_AGE_SECONDS)]);
  return found;
}

export function isAllowed({ origins, credentials }: BusCors, origin: string): boolean {
  // With credentials a page of any site could read what is this person's.
  if (origins === "*") return credentials !== true;
  return typeof origins === "function" ? origins(origin) : origins.includes(origin);
}

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export function refusalOf(error: unknown): Refusal {
  const status = error instanceof AntiphonError ? STATUS[error.code] : undefined;
  if (error instanceof AntiphonError && status !== undefined) {
    return { status, code: error.code, message: error.message };
  }
  return { status: 500, code: "INTERNAL", message: "Something went wrong here; the log says what." };
}

/** Seconds, different for each, so that a crowd that was sent away does not come back together. */
export function retryAfter(random: Random): string {
  return String(Math.round(RETRY_AFTER.firstSeconds + random() * RETRY_AFTER.spreadSeconds));
}

export interface Whole {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer | string;
}

export const JSON_TYPE = ["content-type", "application/json; charset=utf-8"] as const;

const STUCK_MS = 5_000;

/** The one header of which there may be several. */
const COOKIES = "set-cookie";

/** An answer that is not streamed. */
export function answer(response: ServerResponse, { status, headers, body }: Whole): void {
  if (response.headersSent || response.destroyed) return;
  if (headers.some(([name]) => name === COOKIES)) response.removeHeader(COOKIES);
  for (const [name, value] of headers) {
    if (name === COOKIES) response.appendHeader(name, value);
    else response.setHeader(name, value);
  }
  response.setHeader("content-length", Buffer.byteLength(body));
  // What is still to come of a body that was refused is not waited for.
  if (!response.req.complete) response.setHeader("connection", "close");
  response.writeHead(status);
  response.end(body);
  // Who asks and never reads keeps what it asked for in our memory: progress counts, however slow.
  if (!response.writableFinished) response.setTimeout(STUCK_MS, () => response.destroy());
}

export function answerError(response: ServerResponse, error: unknown, o: { random: Random; headers: Headers }): void {
  const { status, code, message } = refusalOf(error);
  const again: Headers = status === 429 || status === 503 ? [["retry-after", retryAfter(o.random)]] : [];
  const headers = [...o.headers, ["cache-control", "no-store"] as const, JSON_TYPE, ...again];
  answer(response, { status, headers, body: JSON.stringify({ error: { code, message } }) });
}

/** What the author's `onError` gave. */
export function answerAs(
  response: ServerResponse,
  { status, headers = {}, body = "" }: BusAnswer,
  more: Headers,
): void {
  answer(response, { status, headers: [...more, ...(Object.entries(headers) as [string, string][])], body });
}
