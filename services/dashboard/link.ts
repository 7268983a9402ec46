// Which page is shown: the address' fragment, such as `#/queues/default?state=dead`. A fragment works under any prefix and
// behind any proxy, and a link to it can be sent to a colleague.

import { Store, useStore } from "./store.ts";

export interface Place {
  /** Decoded: `["queues", "outbox/irc"]`. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export interface PageProps {
  readonly place: Place;
}

const place = new Store<Place>(read());
window.addEventListener("hashchange", () => place.set(read()));

export function usePlace(): Place {
  return useStore(place);
}

export function hrefOf(path: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const words = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value] as const] : []));
  const search = new URLSearchParams(words.map(([name, value]) => [name, value])).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${search === "" ? "" : `?${search}`}`;
}

export function go(path: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): void {
  location.hash = hrefOf(path, query);
}

/** In place of the address that is shown: a filter that is typed is no step to go back to. */
export function stay(path: readonly string[], query: Readonly<Record<string, string | undefined>>): void {
  history.replaceState(null, "", hrefOf(path, query));
  place.set(read());
}

function read(): Place {
  const [path = "", search = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s, 2);
  return {
    path: path
      .split("/")
      .filter((word) => word !== "")
      .map(decoded),
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

function decoded(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}
