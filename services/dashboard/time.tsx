// Moments and durations that go on by themselves. All are in the viewer's zone; the full text is the tooltip.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { clockTime, duration, fullTime, relative } from "./format.ts";
import { Store, useStore } from "./store.ts";

const now = new Store(Date.now());
let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** One timer for the page, however many times it shows. */
export function useNow(): number {
  useEffect(() => {
    if (users++ === 0) timer = setInterval(() => now.set(Date.now()), 1000);
    return () => void (--users === 0 && clearInterval(timer));
  }, []);
  return useStore(now);
}

export function Time({ at, clock }: { readonly at: string; readonly clock?: boolean }): JSX.Element {
  const nowMs = useNow();
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <span>–</span>;
  return (
    <time dateTime={at} title={fullTime(date)}>
      {clock === true ? clockTime(date) : relative(date.getTime(), nowMs)}
    </time>
  );
}

/** How long ago that was. */
export function Since({ at }: { readonly at: string }): JSX.Element {
  const nowMs = useNow();
  const date = new Date(at);
  return (
    <time dateTime={at} title={fullTime(date)}>
      {duration(Math.max(0, nowMs - date.getTime()))}
    </time>
  );
}
