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
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && csrf.token !== "") headers["x-csrf-token"] = csrf.token;
  const response = await fetch(`api/${path}`, {
    method,
    headers,
    credentials: "same-origin",
    signal: AbortSignal.timeout(WAIT_MS),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    throw new Refusal("UNREACHABLE", `The server did not answer: ${String(error)}`, 0);
  });
  const text = await response.text().catch(() => "");
  const value = jsonOf(text) as { error?: { code?: string; message?: string } } | undefined;
  if (response.ok) return value as T;
  const { code = "", message = response.statusText } = value?.error ?? {};
  throw new Refusal(code, message === "" ? `The server answered ${response.status}.` : message, response.status);
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
