// Promises that know whether anybody looked at them: what an author did not await must not fail in silence.

class Watched<T> extends Promise<T> {
  isWatched = false;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isWatched = true;
    return super.then(onFulfilled, onRejected);
  }
}

/** The promises that one run was given. */
export class Promised {
  readonly #pending = new Set<Promise<unknown>>();
  #unwatchedFailure: { readonly error: unknown } | undefined;

  /** The same promise for the author. Its failure is never an unhandled rejection of the process. */
  track<T>(work: Promise<T>): Promise<T> {
    const watched = new Watched<T>((resolve, reject) => void work.then(resolve, reject));
    const settled = Promise.prototype.then.call(
      watched,
      () => {},
      (error) => {
        if (!watched.isWatched) this.#unwatchedFailure ??= { error };
      },
    );
    this.#pending.add(settled);
    void settled.then(() => this.#pending.delete(settled));
    return watched;
  }

  /** Waits for all of them; gives the first failure that nobody looked at. */
  async all(): Promise<{ readonly error: unknown } | undefined> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    return this.#unwatchedFailure;
  }
}
