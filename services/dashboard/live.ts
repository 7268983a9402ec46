// What the bus tells the page: a snapshot every two seconds, and what people do. The bus keeps the last ten minutes of
// snapshots, so the charts have a past the moment the page is opened.

import type { Snapshot } from "../admin/api.ts";
import { get, trouble } from "./ask.ts";
import { Store } from "./store.ts";

const KEEP = 300;
const AGAIN_MS = [1000, 2000, 5000];
/** Nothing for so long: what is shown is old. */
export const STALE_MS = 15_000;

/** The oldest first. */
export const snapshots = new Store<readonly Snapshot[]>([]);
export const live = new Store<"connecting" | "live" | "lost">("connecting");
/** Rises when somebody did something. */
export const audits = new Store(0);

let source: EventSource | undefined;
let fails = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

export function startLive(): void {
  stopLive();
  source = new EventSource("api/live", { withCredentials: true });
  source.addEventListener("open", () => {
    fails = 0;
    live.set("live");
    // The stream opens only where Redis answers.
    if (trouble.value === "redis" || trouble.value === "server") trouble.set("none");
  });
  source.addEventListener("now", (event) => add(event.data as string));
  source.addEventListener("audit", () => audits.set(audits.value + 1));
  source.addEventListener("error", () => {
    live.set("lost");
    // A browser comes back by itself from a broken stream, but not from an answer such as 503.
    if (source?.readyState !== EventSource.CLOSED) return;
    again();
    // Why, the stream does not tell: perhaps whoever looks is signed out.
    get("session").catch(() => {});
  });
}

export function stopLive(): void {
  clearTimeout(timer);
  source?.close();
  source = undefined;
}

function again(): void {
  const waitMs = AGAIN_MS[Math.min(fails++, AGAIN_MS.length - 1)] ?? 5000;
  clearTimeout(timer);
  timer = setTimeout(startLive, waitMs);
}

let pending: Snapshot[] = [];

/** A backlog comes at once: the pages are drawn after all of it. */
function add(text: string): void {
  const snapshot = parsed(text);
  if (snapshot === undefined) return;
  if (pending.length === 0) setTimeout(flush, 0);
  pending.push(snapshot);
}

function flush(): void {
  const byTime = new Map([...snapshots.value, ...pending].map((one) => [Date.parse(one.at), one]));
  pending = [];
  snapshots.set(
    [...byTime]
      .sort(([a], [b]) => a - b)
      .map(([, one]) => one)
      .slice(-KEEP),
  );
}

function parsed(text: string): Snapshot | undefined {
  try {
    const value = JSON.parse(text) as Snapshot;
    return Number.isNaN(Date.parse(value.at)) ? undefined : value;
  } catch {
    return undefined;
  }
}
