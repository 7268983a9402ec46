// Which pods of a pool go when it shrinks: those with the least to do. Pure.

import type { Pod } from "../kubernetes/cluster.ts";

export interface Choice {
  /** To be quieted, and removed once they are idle. */
  readonly victims: readonly string[];
  /** How many go without being chosen here: Kubernetes removes pods that are not ready first, whatever their cost. */
  readonly unready: number;
}

export interface Candidates {
  readonly pods: readonly Pod[];
  readonly count: number;
  /** Pod -> deliveries in hand. */
  readonly burdens: ReadonlyMap<string, number>;
  /** An operator gave them an order, so they are not ours to order about. */
  readonly ordered: ReadonlySet<string>;
}

/** Of equals the newest goes, as Kubernetes would choose. */
export function chooseVictims({ pods, count, burdens, ordered }: Candidates): Choice {
  const staying = pods.filter(({ isLeaving }) => !isLeaving);
  const unready = Math.min(Math.max(0, count), staying.filter(({ isReady }) => !isReady).length);
  const burden = ({ name }: Pod): number => burdens.get(name) ?? 0;
  const victims = staying
    .filter(({ name, isReady }) => isReady && !ordered.has(name))
    .toSorted((a, b) => burden(a) - burden(b) || b.createdAtMs - a.createdAtMs || (a.name < b.name ? -1 : 1))
    .slice(0, Math.max(0, count - unready))
    .map(({ name }) => name);
  return { victims, unready };
}

/** While a Deployment is rolled out nobody can say which of its pods a smaller number removes. */
export function isRollingOut(pods: readonly Pod[]): boolean {
  return new Set(pods.filter(({ isLeaving }) => !isLeaving).map(({ revision }) => revision)).size > 1;
}
