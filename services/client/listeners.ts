// Who listens to which event. A listener that throws does not keep the others from hearing.

export class Listeners<Events> {
  readonly #all = new Map<keyof Events, Set<(detail: never) => void>>();

  add<K extends keyof Events>(type: K, listener: (detail: Events[K]) => void): () => void {
    const listeners = this.#all.get(type) ?? new Set();
    this.#all.set(type, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  tell<K extends keyof Events>(type: K, detail: Events[K]): void {
    for (const listener of this.#all.get(type) ?? []) {
      try {
        listener(detail as never);
      } catch (error) {
        globalThis.reportError?.(error);
      }
    }
  }
}
