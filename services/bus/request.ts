// What a request says, whichever server it came through: as plain data for the author's functions, and its body within limits.

import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { AntiphonError } from "../runtime/errors.ts";
import type { BusRequest } from "../sdk/bus.ts";

export const BODY_BYTES_MAX = 64 * 1024;
const BODY_MS = 10_000;

const OF_OUR_OWN = /^(?:::ffff:)?(?:127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)|^::1$|^f[cd]|^fe80:/i;

/** `path` without the query; Express cuts what it is mounted on off `url`, so the original counts. */
export function readRequest(raw: IncomingMessage & { readonly originalUrl?: string }): BusRequest {
  const url = raw.originalUrl ?? raw.url ?? "/";
  const at = url.indexOf("?");
  return {
    method: raw.method ?? "GET",
    path: at === -1 ? url : url.slice(0, at),
    query: new URLSearchParams(at === -1 ? "" : url.slice(at + 1)),
    headers: raw.headers,
    ip: peerOf(raw),
    raw,
  };
}

/**
 * The address of whoever asks. A peer in a private network is taken for a proxy, whose own entry at the end of
 * X-Forwarded-For counts; without one the address says nothing about who asks.
 */
function peerOf({ socket, headers }: IncomingMessage): string | undefined {
  const peer = socket.remoteAddress;
  if (peer === undefined || !OF_OUR_OWN.test(peer)) return peer;
  const forwarded = headers["x-forwarded-for"];
  const last = (Array.isArray(forwarded) ? forwarded.join(",") : forwarded)?.split(",").at(-1)?.trim();
  return last !== undefined && isIP(last) !== 0 ? last : undefined;
}

/** The body as text, or what a framework made of it already. Throws BODY_TOO_LARGE or BODY_STALLED. */
export async function readBody(raw: IncomingMessage & { readonly body?: unknown }): Promise<unknown> {
  if (raw.readableEnded) return raw.body ?? "";
  const chunks: Buffer[] = [];
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    let isOver = false;
    const fail = (error: AntiphonError): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(late);
      chunks.length = 0;
      reject(error);
    };
    const late = setTimeout(() => fail(new AntiphonError("BODY_STALLED", "")), BODY_MS).unref();
    raw.on("data", (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > BODY_BYTES_MAX) fail(new AntiphonError("BODY_TOO_LARGE", `It may have ${BODY_BYTES_MAX} bytes.`));
      else if (!isOver) chunks.push(chunk);
    });
    raw.once("end", () => {
      isOver = true;
      clearTimeout(late);
      resolve();
    });
    raw.once("error", () => fail(new AntiphonError("BODY_STALLED", "The connection broke.")));
    raw.once("close", () => fail(new AntiphonError("BODY_STALLED", "The connection broke.")));
  });
  return Buffer.concat(chunks).toString("utf8");
}

/** A JSON object. Throws REQUEST_INVALID. */
export function jsonObject(body: unknown): Record<string, unknown> {
  const value = typeof body === "string" ? parsed(body) : body;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new AntiphonError("REQUEST_INVALID", "The body must be a JSON object.");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AntiphonError("REQUEST_INVALID", "The body is no JSON.");
  }
}
