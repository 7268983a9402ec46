// Signatures of webhooks, checked over the raw bytes in constant time. Everything unclear is refused.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Fields } from "./infer.ts";
import type { HmacCheck } from "./routes.ts";

/** `unset`: the route's secret is empty, which is a fault of the configuration and lets nobody in. */
export type SignatureVerdict = "ok" | "missing" | "malformed" | "stale" | "wrong" | "unset";

export interface SignedRequest {
  /** Names in lower case. */
  readonly headers: Fields;
  readonly body: Uint8Array;
  readonly secret: string;
  readonly nowMs: number;
}

type Way = Pick<HmacCheck, "header" | "format">;

const SLACK_TIMESTAMP = "x-slack-request-timestamp";
/** An older request may be a recording that somebody plays again. */
const SLACK_WINDOW_S = 300;

const WRITTEN = {
  github: /^sha256=([0-9a-fA-F]{64})$/,
  slack: /^v0=([0-9a-fA-F]{64})$/,
  hex: /^(?:sha256=)?([0-9a-fA-F]{64})$/,
  base64: /^(?:sha256=)?([A-Za-z0-9+/]{43}=)$/,
} as const;

export function verifySignature(way: Way, request: SignedRequest): SignatureVerdict {
  if (request.secret === "") return "unset";
  const written = request.headers[way.header];
  if (written === undefined) return "missing";
  const claimed = typeof written === "string" ? WRITTEN[way.format].exec(written.trim())?.[1] : undefined;
  if (claimed === undefined) return "malformed";
  let prefix = "";
  if (way.format === "slack") {
    const timestamp = request.headers[SLACK_TIMESTAMP];
    if (typeof timestamp !== "string" || !/^\d{1,12}$/.test(timestamp)) return "malformed";
    if (Math.abs(request.nowMs / 1000 - Number(timestamp)) > SLACK_WINDOW_S) return "stale";
    prefix = `v0:${timestamp}:`;
  }
  const expected = digest(request, prefix);
  return timingSafeEqual(expected, Buffer.from(claimed, way.format === "base64" ? "base64" : "hex")) ? "ok" : "wrong";
}

/** The headers that make a request pass `verifySignature`: for tests and for our own senders. */
export function signatureHeaders(way: Way, request: Omit<SignedRequest, "headers">): Record<string, string> {
  if (way.format !== "slack") {
    const encoding = way.format === "base64" ? "base64" : "hex";
    return { [way.header]: (way.format === "github" ? "sha256=" : "") + digest(request, "").toString(encoding) };
  }
  const timestamp = String(Math.floor(request.nowMs / 1000));
  return {
    [SLACK_TIMESTAMP]: timestamp,
    [way.header]: `v0=${digest(request, `v0:${timestamp}:`).toString("hex")}`,
  };
}

function digest(request: Pick<SignedRequest, "secret" | "body">, prefix: string): Buffer {
  return createHmac("sha256", request.secret).update(prefix).update(request.body).digest();
}
