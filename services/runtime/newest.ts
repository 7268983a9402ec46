// Maps and sets that remember a limited number of things: those that were set last.

/** Puts an entry at the newest end; beyond `max` entries the oldest is forgotten. A map is in the order in which it was set. */
export function setNewest<K, V>(map: Map<K, V>, [key, value]: readonly [K, V], max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= max) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

/** The same for a set; what is in it already keeps its place. */
export function addNewest<T>(set: Set<T>, value: T, max: number): void {
  set.add(value);
  if (set.size <= max) return;
  for (const oldest of set) {
    set.delete(oldest);
    return;
  }
}
