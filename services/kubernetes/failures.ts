// What the API server's refusals mean to us: one of five codes.

import { AntiphonError, type ErrorCode } from "../runtime/errors.ts";

/** Long texts are whole pages of a proxy. */
const DETAIL_MAX = 300;

/** `what` was asked for. Anything without an HTTP status never reached the server, or came back too late. */
export function translate(error: unknown, what: string): AntiphonError {
  if (error instanceof AntiphonError) return error;
  const status = statusOf(error);
  if (status === undefined) return failed("KUBERNETES_UNAVAILABLE", `${what}: ${reasonOf(error)}`, error);
  return failed(codeOf(status), `${what}: ${status} ${messageOf(error)}`, error);
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return "KUBERNETES_FORBIDDEN";
  if (status === 404) return "KUBERNETES_MISSING";
  if (status === 409 || status === 410) return "KUBERNETES_CONFLICT";
  return status === 408 || status === 429 || status >= 500 ? "KUBERNETES_UNAVAILABLE" : "KUBERNETES_REFUSED";
}

function failed(code: ErrorCode, detail: string, cause: unknown): AntiphonError {
  return new AntiphonError(code, detail.slice(0, DETAIL_MAX), { cause });
}

function statusOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "number" && code >= 100 ? code : undefined;
}

/** The body is a Status of Kubernetes, parsed or not, or what something on the way says. */
function messageOf(error: unknown): string {
  const { body } = error as { body?: unknown };
  const status = typeof body === "string" ? parsed(body) : body;
  const message = (status as { message?: unknown } | undefined)?.message;
  return typeof message === "string" ? message : String(body ?? "");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** undici hides the reason in the cause. */
function reasonOf(error: unknown): string {
  const { message = String(error), cause } = error as { message?: string; cause?: { message?: string } };
  return cause?.message ? `${message}: ${cause.message}` : message;
}
