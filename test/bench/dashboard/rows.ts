// From what was measured to rows: each page with much in Redis beside the same with little, and what bull-board takes for the same.

import type { Row } from "../report.ts";
import { median, quantile } from "../statistics.ts";

/** By who is looked at, page and what: one value a round. */
export class Samples {
  readonly #values = new Map<string, number[]>();

  add(who: string, page: string, took: readonly number[]): void {
    this.#push(`${who} ${page} p50`, quantile(took, 0.5));
    this.#push(`${who} ${page} p99`, quantile(took, 0.99));
  }

  addBusy(who: string, page: string, ms: number): void {
    this.#push(`${who} ${page} busy`, ms);
  }

  of(who: string, page: string, what: What): number {
    return median(this.#values.get(`${who} ${page} ${what}`) ?? []);
  }

  #push(name: string, value: number): void {
    this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
  }
}

type What = "p50" | "p99" | "busy";

const SAID = { p50: "p50", p99: "p99", busy: "Redis busy with one command" } as const;
const P99_MS = 50;
const BUSY_MS = 10;

/** Our page, and the peer's that shows the same. */
const COMPARED = [
  { page: "Queues", peer: "all queues" },
  { page: "one queue", peer: "one queue" },
  { page: "Jobs, waiting", peer: "waiting" },
  { page: "Jobs, dead", peer: "failed" },
] as const;

export interface Named {
  readonly few: string;
  /** Where it was measured. */
  readonly peer?: string;
}

export function rowsOf(samples: Samples, pages: readonly string[], named: Named): Row[] {
  return [
    ...pages.flatMap((page) => (["p50", "p99"] as const).map((what) => grown(samples, page, what, named.few))),
    busiest(samples, pages, named.few),
    ...(named.peer === undefined ? [] : COMPARED).flatMap(({ page, peer }) =>
      (["p50", "p99", "busy"] as const).map((what): Row => {
        const peerValue = samples.of("peer", peer, what);
        const value = samples.of("many", page, what);
        return { name: `${page}: ${SAID[what]}`, value, unit: "ms", peer: named.peer ?? "", peerValue };
      }),
    ),
  ];
}

function grown(samples: Samples, page: string, what: "p50" | "p99", few: string): Row {
  const [value, peerValue] = [samples.of("many", page, what), samples.of("few", page, what)];
  const row: Row = { name: `${page}: ${SAID[what]}`, value, unit: "ms", peer: few, peerValue };
  if (what === "p50") return row;
  return { ...row, reach: `≤ 2 × or ≤ ${P99_MS} ms`, holds: value <= Math.max(P99_MS, 2 * peerValue) };
}

/** Of all pages the one that keeps Redis longest from everything else. */
function busiest(samples: Samples, pages: readonly string[], few: string): Row {
  const busy = pages.map((page) => ({ page, ms: samples.of("many", page, "busy") })).toSorted((a, b) => b.ms - a.ms);
  const { page, ms: value } = busy[0] ?? { page: "", ms: Number.NaN };
  const row = { name: `${SAID.busy}: most, by "${page}"`, value, unit: "ms", peer: few };
  const peerValue = samples.of("few", page, "busy");
  return { ...row, peerValue, reach: `≤ ${BUSY_MS} ms`, holds: value <= BUSY_MS };
}
