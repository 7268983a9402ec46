// Whether a request was made by our own page, where a browser says who asks by itself (a cookie, the login of a proxy, being
// on this machine): pages of other sites must neither change nor read anything in somebody's name.

import type { IncomingMessage } from "node:http";
import { peerOf } from "./proxies.ts";

const LOOPBACK_NAME = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i;
const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|::1)$/;
const READING = ["GET", "HEAD"];

/** The header that a page sends with each change. */
export const CSRF_HEADER = "x-csrf-token";

export function isChange({ method = "" }: IncomingMessage): boolean {
  return !READING.includes(method);
}

/** Why it is refused. */
export function foreignProblem(request: IncomingMessage): string | undefined {
  const { origin } = request.headers;
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return "A page of another site asks.";
  if (origin === undefined || !isChange(request)) return undefined;
  return isOwn(origin, request) ? undefined : "A page of another site asks.";
}

/** A proxy may have changed Host, and tells the first one; a page cannot set either. */
function isOwn(origin: string, { headers }: IncomingMessage): boolean {
  const host = URL.parse(origin)?.host;
  const forwarded = headers["x-forwarded-host"];
  const hosts = [headers.host, ...(typeof forwarded === "string" ? forwarded.split(",") : [])];
  return host !== undefined && host !== "" && hosts.some((one) => one?.trim().toLowerCase() === host);
}

/**
 * Somebody at this machine: by its address, with a name of this machine (a page of another site that points its own name
 * here does not have one), and not through a proxy, behind which anybody may be.
 */
export function isLocal(request: IncomingMessage): boolean {
  const { headers } = request;
  const isForwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"].some(
    (name) => name in headers,
  );
  return LOOPBACK.test(peerOf(request)) && LOOPBACK_NAME.test(headers.host ?? "") && !isForwarded;
}
