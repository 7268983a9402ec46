// What the door answers when it refuses: a status, `{"error": {"code", "message"}}`, and Retry-After where it may help.

import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Random } from "../runtime/clock.ts";
import { AntiphonError, ERROR_TABLE, type ErrorCode } from "../runtime/errors.ts";
import type { Emit } from "../telemetry/events.ts";

const STATUS: Statuses = {
  REQUEST_INVALID: 400,
  INPUT_INVALID: 400,
  BODY_STALLED: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  BODY_TOO_LARGE: 413,
  CONTENT_TYPE_UNKNOWN: 415,
  TOO_MANY_REQUESTS: 429,
  REDIS_UNAVAILABLE: 503,
  REDIS_UNFIT: 503,
  QUEUE_FULL: 503,
  DURABILITY_UNMET: 503,
  DURABILITY_UNSUPPORTED: 503,
};

/** Codes for what Fastify itself refuses. */
const CODE: Readonly<Record<number, ErrorCode>> = {
  400: "REQUEST_INVALID",
  404: "NOT_FOUND",
  413: "BODY_TOO_LARGE",
  414: "REQUEST_INVALID",
  415: "CONTENT_TYPE_UNKNOWN",
};

/** Of codes that a server answers besides those that all do. */
export type Statuses = Partial<Record<ErrorCode, number>>;

export interface Refusal {
  readonly status: number;
  readonly code: ErrorCode | "INTERNAL";
  readonly message: string;
}

export function refusalOf(error: unknown, more: Statuses = {}): Refusal {
  if (error instanceof AntiphonError) {
    const status = STATUS[error.code] ?? more[error.code];
    // What went wrong on our side is for our log; who asks from outside learns the sentence.
    if (status !== undefined) return refusal(status, error.code, status < 500 ? error.message : undefined);
  }
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
  const code = CODE[status];
  if (code !== undefined) return refusal(status, code, (error as Error).message);
  return { status: 500, code: "INTERNAL", message: "Something went wrong here; the log says what." };
}

function refusal(status: number, code: ErrorCode, message: string | undefined): Refusal {
  return { status, code, message: message ?? ERROR_TABLE[code].sentence };
}

export interface ErrorOptions {
  readonly emit: Emit;
  readonly random: Random;
  readonly statuses?: Statuses;
}

/** Makes every refusal of this server look alike. */
export function answerErrors(app: FastifyInstance, { emit, random, statuses }: ErrorOptions): void {
  app.setErrorHandler((error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    const { status, code, message } = refusalOf(error, statuses);
    const path = request.url.split("?", 1)[0] ?? "";
    if (status === 500) emit("http.failed", { path, error });
    else emit("http.refused", { status, code, path });
    const isTold = reply.hasHeader("retry-after");
    if ((status === 503 || status === 429) && !isTold) void reply.header("retry-after", retryAfter(code, random));
    // Nothing more is expected from a sender that stopped in the middle.
    if (code === "BODY_STALLED") void reply.header("connection", "close");
    return reply.code(status).send({ error: { code, message } });
  });
  app.setNotFoundHandler(() => {
    throw new AntiphonError("NOT_FOUND", "");
  });
}

/** Seconds, spread so that those who were refused together do not come back together. */
function retryAfter(code: Refusal["code"], random: Random): number {
  const least = code === "QUEUE_FULL" ? 5 : 1;
  return least + Math.floor(random() * (least + 2));
}

/** For requests so malformed that no route saw them. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const late = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const code: ErrorCode = late ? "BODY_STALLED" : "REQUEST_INVALID";
  const body = JSON.stringify({ error: { code, message: ERROR_TABLE[code].sentence } });
  const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`);
}
