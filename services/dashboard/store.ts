// A value that pages watch. What is here is known to all pages; everything else is a component's own state.

import { useEffect, useReducer } from "preact/hooks";

export class Store<T> {
  #value: T;
  readonly #watchers = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const watcher of this.#watchers) watcher();
  }

  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }
}

export function useStore<T>(store: Store<T>): T {
  const [, again] = useReducer<number, undefined>((count) => count + 1, 0);
  const seen = store.value;
  useEffect(() => {
    if (!Object.is(seen, store.value)) again(undefined);
    return store.watch(() => again(undefined));
  }, [store]);
  return seen;
}

/** What a browser may refuse to keep: then it holds until the page is closed. */
export const kept = {
  get(name: string): string | undefined {
    try {
      return localStorage.getItem(`antiphon-${name}`) ?? undefined;
    } catch {
      return undefined;
    }
  },
  set(name: string, value: string): void {
    try {
      localStorage.setItem(`antiphon-${name}`, value);
    } catch {
      // It is a preference.
    }
  },
};
