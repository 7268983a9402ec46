// What a page reads from the API: at once, every few seconds while it is seen, after every change, and when a trouble is over.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, type Query } from "./ask.ts";
import { useStore } from "./store.ts";
import { reads } from "./watch.ts";

export interface Fetched<T> {
  /** What was read last; kept while it is read again. */
  readonly data: T | undefined;
  readonly error: Error | undefined;
  readonly isLoading: boolean;
  again(): void;
}

const EVERY_MS = 5000;

/** `path` undefined: nothing to read. */
export function useFetched<T>(path: string | undefined, query: Query = {}, everyMs = EVERY_MS): Fetched<T> {
  const address = path === undefined ? undefined : `${path} ${JSON.stringify(query)}`;
  const [state, set] = useState<{ address?: string; data?: T; error?: Error }>({});
  const turn = useRef(0);
  const generation = useStore(reads);
  const read = useCallback(async () => {
    if (path === undefined || address === undefined) return;
    const mine = ++turn.current;
    try {
      const data = await get<T>(path, query);
      if (mine === turn.current) set({ address, data });
    } catch (error) {
      const shown = error instanceof Error ? error : new Error(String(error));
      if (mine === turn.current)
        set((before) => ({
          address,
          error: shown,
          ...(before.address === address && before.data !== undefined && { data: before.data }),
        }));
    }
  }, [address]);
  useEffect(() => {
    void read();
    const timer = setInterval(() => document.visibilityState === "visible" && void read(), everyMs);
    return () => {
      turn.current++;
      clearInterval(timer);
    };
  }, [read, generation, everyMs]);
  const isMine = state.address === address;
  const { data, error } = isMine ? state : {};
  return { data, error, isLoading: data === undefined && error === undefined, again: () => void read() };
}
