// Maps that remember a limited number of things: those that were set last.

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
