// What the rounds measured, by name; rows are made of the medians.

import { median } from "../statistics.ts";

export class Samples {
  readonly #values = new Map<string, number[]>();

  add(name: string, values: Readonly<Record<string, number>>): void {
    for (const [what, value] of Object.entries(values)) {
      const list = this.#values.get(`${name} ${what}`) ?? [];
      list.push(value);
      this.#values.set(`${name} ${what}`, list);
    }
  }

  /** NaN of what was not measured. */
  middle(name: string, what: string): number {
    return median(this.#values.get(`${name} ${what}`) ?? []);
  }
}
