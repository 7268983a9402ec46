// In which order the priority classes are looked at: each take looks first at another class, weighted 8:4:2:1.

const WEIGHTS = [8, 4, 2, 1] as const;

/** Every class comes first in proportion to its weight and none waits longer than one round; the others follow by rank. */
export class ClassOrder {
  readonly #credit = WEIGHTS.map(() => 0);

  next(): string {
    let first = 0;
    for (const [cls, weight] of WEIGHTS.entries()) {
      this.#credit[cls] = (this.#credit[cls] ?? 0) + weight;
      if ((this.#credit[cls] ?? 0) > (this.#credit[first] ?? 0)) first = cls;
    }
    this.#credit[first] = (this.#credit[first] ?? 0) - WEIGHTS.reduce((sum, weight) => sum + weight, 0);
    return `${first}${[0, 1, 2, 3].filter((cls) => cls !== first).join("")}`;
  }
}
