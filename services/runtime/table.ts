// A map by number for what comes and goes all the time.
//
// Why not a Map: when the table of a Map is renewed, V8 lets the old one point to the new one, for iterators. Once one old
// table lies in old space, each later table, and all that was ever in it, lives until the next major collection: in a worker
// under load half of all CPU went into that. The tables of an object have no such chain.

export class Table<V> {
  #entries = emptied<V>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): V | undefined {
    return this.#entries[key];
  }

  set(key: number, value: V): void {
    if (!(key in this.#entries)) this.#size++;
    this.#entries[key] = value;
  }

  delete(key: number): void {
    if (!(key in this.#entries)) return;
    this.#size--;
    delete this.#entries[key];
  }

  /** By growing key. */
  values(): V[] {
    return Object.values(this.#entries);
  }
}

function emptied<V>(): Record<number, V> {
  return Object.create(null) as Record<number, V>;
}
