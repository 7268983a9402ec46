// Asks the admin API. Addresses are relative to the page, so a prefix in front of it needs no setting here.

import { Store } from "./store.ts";

export class Refusal extends Error {
  readonly code: string;
  /** 0: nobody answered. */
  readonly status: number;

  constructor(code: string, message: string, status: number) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export type Trouble = "none" | "redis" | "server" | "login";
/** What stands between this page and the bot. Set here at every answer; `watch.ts` looks whether it is over. */
export const trouble = new Store<Trouble>("none");
/** The token that goes with a change when the caller is known by a cookie. */
export const csrf = { token: "" };

const WAIT_MS = 20_000;
/** Of a file that the browser has begun to write. */
const KEPT_MS = 60_000;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export function get<T>(path: string, query: Query = {}): Promise<T> {
  const words = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [[name, String(value)]],
  );
  const search = new URLSearchParams(words).toString();
  return ask<T>("GET", search === "" ? path : `${path}?${search}`);
}

export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  try {
    const answer = await send<T>(method, path, body);
    if (trouble.value !== "none") trouble.set("none");
    return answer;
  } catch (error) {
    const found = troubleOf(error);
    if (found !== undefined) trouble.set(found);
    throw error;
  }
}

async function send<T>(method: string, path: string, body: unknown): Promise<T> {
  const signal = AbortSignal.timeout(WAIT_MS);
  const response = await request(method, path, { signal, ...(body !== undefined && { body }) });
  const text = await response.text().catch(() => "");
  if (response.ok && isOurs(response)) return jsonOf(text) as T;
  throw refusalOf(response, text);
}

/** A file, kept as one. The name is the server's. Whoever waits may give up. */
export async function download(method: "GET" | "POST", path: string, signal: AbortSignal): Promise<string> {
  const response = await request(method, path, { signal });
  if (!response.ok) throw refusalOf(response, await response.text().catch(() => ""));
  const [, name = "file"] = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "") ?? [];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
  return name;
}

interface Sent {
  readonly signal: AbortSignal;
  readonly body?: unknown;
}

function request(method: string, path: string, { signal, body }: Sent): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && csrf.token !== "") headers["x-csrf-token"] = csrf.token;
  return fetch(`api/${path}`, {
    method,
    headers,
    credentials: "same-origin",
    // We redirect nobody: that is a proxy, to where one logs in.
    redirect: "manual",
    signal,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    throw new Refusal("UNREACHABLE", `The server did not answer: ${String(error)}`, 0);
  });
}

/** A proxy may answer with its own page, to log in. */
function isOurs({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("application/json") === true;
}

function refusalOf(response: Response, text: string): Refusal {
  if (response.type === "opaqueredirect" || response.ok)
    return new Refusal("UNAUTHORIZED", "You are not signed in any more.", 401);
  const value = jsonOf(text) as { error?: { code?: string; message?: string } } | undefined;
  const { code = "", message = response.statusText } = value?.error ?? {};
  return new Refusal(code, message === "" ? `The server answered ${response.status}.` : message, response.status);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function troubleOf(error: unknown): Trouble | undefined {
  if (!(error instanceof Refusal)) return undefined;
  if (error.status === 401) return "login";
  if (error.code === "REDIS_UNAVAILABLE") return "redis";
  return error.status === 0 || [502, 503, 504].includes(error.status) ? "server" : undefined;
}

/** A part of a path: names of queues hold slashes. */
export const part = encodeURIComponent;
