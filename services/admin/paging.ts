// Pages of a list that is known as a whole: a cursor is the last name that was told, so that what comes and goes moves nothing.

import { LIMIT, type PageQuery } from "./api.ts";

export interface ListPage<T> {
  readonly items: readonly T[];
  /** To be spread into the answer. */
  readonly cursor: { readonly cursor?: string };
}

/** `list` is sorted by `nameOf`. */
export function pageOfList<T>(list: readonly T[], nameOf: (one: T) => string, query: PageQuery): ListPage<T> {
  const { limit = LIMIT, cursor: after } = query;
  const left = after === undefined ? list : list.filter((one) => nameOf(one) > after);
  const items = left.slice(0, limit);
  const last = items.at(-1);
  return { items, cursor: left.length > items.length && last !== undefined ? { cursor: nameOf(last) } : {} };
}
