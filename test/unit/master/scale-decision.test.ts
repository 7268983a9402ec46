// How many pods there shall be: at once for more, in time and in steps for fewer, never outside of the bounds.

import { describe, expect, test } from "vitest";
import { type Bounds, decide, type History, shrank } from "../../../services/master/scale-decision.ts";
import { seeded } from "../../support/seeded.ts";

/** A pool whose every decision is carried out at once; one step a second. */
class Pool {
  readonly bounds: Bounds;
  present: number;
  nowMs = 5_000;
  readonly moves: { readonly atMs: number; readonly to: number }[] = [];
  #history: History | undefined;

  constructor(present: number, bounds: Bounds = { min: 2, max: 10 }) {
    this.present = present;
    this.bounds = bounds;
  }

  step(required: number | undefined): number {
    this.nowMs += 1_000;
    const { bounds, present, nowMs } = this;
    const { target, history } = decide({ bounds, present, required, history: this.#history, nowMs });
    this.#history = target < present ? shrank(history, nowMs) : history;
    if (target !== present) this.moves.push({ atMs: nowMs, to: target });
    this.present = target;
    return target;
  }

  pass(seconds: number, required: number | undefined): number {
    for (let second = 0; second < seconds; second++) this.step(required);
    return this.present;
  }
}

describe("more", () => {
  test("is decided with the first figures that require it", () => {
    const pool = new Pool(2);
    expect(pool.step(1)).toBe(2);
    expect(pool.step(48)).toBe(10);
  });

  test("at most triples, or adds eight, in a quarter of a minute", () => {
    const pool = new Pool(2, { min: 2, max: 1_000 });
    expect(pool.step(900)).toBe(10);
    expect(pool.pass(12, 900)).toBe(10);
    expect(pool.pass(3, 900)).toBe(30);
    expect(pool.pass(15, 900)).toBe(90);
  });

  test("begins at the minimum, whatever a fresh Deployment has", () => {
    expect(new Pool(1).step(0)).toBe(2);
    expect(new Pool(1).step(undefined)).toBe(2);
    expect(new Pool(1, { min: 40, max: 50 }).step(0)).toBe(40);
  });
});

describe("fewer", () => {
  test("waits until fewer were enough for two minutes, then a quarter goes each half minute, down to the minimum", () => {
    const pool = new Pool(2);
    pool.step(40);
    expect(pool.pass(119, 1)).toBe(10);
    expect(pool.pass(1, 1)).toBe(7);
    expect(pool.pass(29, 1)).toBe(7);
    expect(pool.pass(1, 1)).toBe(5);
    expect(pool.pass(90, 1)).toBe(2);
    expect(pool.pass(600, 0)).toBe(2);
    expect(pool.moves.map(({ to }) => to)).toEqual([10, 7, 5, 3, 2]);
    expect(pool.nowMs).toBeLessThan(15 * 60_000);
  });

  test("is as many as the last two minutes required at most", () => {
    const pool = new Pool(10);
    for (let minute = 0; minute < 30; minute++) {
      pool.step(6);
      pool.pass(59, 1);
    }
    expect(pool.present).toBe(6);
  });

  test("is nothing that whoever begins decides: what there is counts as required at first", () => {
    const pool = new Pool(9);
    expect(pool.pass(119, 2)).toBe(9);
    expect(pool.pass(2, 2)).toBe(6);
  });

  test("is nothing that is decided after a silence", () => {
    const pool = new Pool(9);
    pool.pass(110, 2);
    pool.nowMs += 60_000;
    expect(pool.pass(119, 2)).toBe(9);
  });

  test("is nothing that is decided while nobody knows", () => {
    expect(new Pool(9).pass(1_000, undefined)).toBe(9);
  });

  test("is not decided for less than a tenth, but for the minimum", () => {
    expect(new Pool(20, { min: 2, max: 50 }).pass(1_000, 19)).toBe(20);
    expect(new Pool(20, { min: 2, max: 50 }).pass(1_000, 18)).toBe(18);
    expect(new Pool(20, { min: 19, max: 50 }).pass(1_000, 3)).toBe(19);
  });

  test("comes at once when the maximum says so", () => {
    expect(new Pool(30).step(30)).toBe(10);
  });
});

test("whatever is required, it stays within its bounds", () => {
  const random = seeded(7);
  for (let run = 0; run < 50; run++) {
    const min = 1 + Math.floor(random() * 5);
    const bounds = { min, max: min + Math.floor(random() * 40) };
    const pool = new Pool(Math.floor(random() * 60) + 1, bounds);
    for (let second = 0; second < 500; second++) {
      if (random() < 0.05) pool.nowMs += random() * 30_000;
      const required = random() < 0.1 ? undefined : Math.floor(random() ** 4 * 100);
      const target = pool.step(required);
      expect(target).toBeGreaterThanOrEqual(bounds.min);
      expect(target).toBeLessThanOrEqual(bounds.max);
    }
  }
});

test("noise moves it a few times an hour at most, and never back and forth within two minutes", () => {
  const random = seeded(11);
  const pool = new Pool(5, { min: 2, max: 50 });
  for (let second = 0; second < 3_600; second++) pool.step(Math.round(8 + 3 * (random() + random() - 1)));
  expect(pool.moves.length).toBeLessThanOrEqual(6);
  for (const [index, { atMs, to }] of pool.moves.entries()) {
    const [before, after] = [pool.moves[index - 1], pool.moves[index + 1]];
    if (before === undefined || after === undefined || to <= before.to || after.to >= to) continue;
    expect(after.atMs - atMs).toBeGreaterThanOrEqual(119_000);
  }
});
