import { beforeEach, describe, expect, test } from "vitest";
import type { SlotSource } from "../../../services/worker/fetcher.ts";
import { type Slots, Turns } from "../../../services/worker/turns.ts";

/** Slots that runs fill until they end. */
class Pool implements Slots {
  readonly slots: number;
  free: number;

  constructor(slots: number) {
    this.slots = this.free = slots;
  }

  reserve(most: number): number {
    const slots = Math.min(this.free, most);
    this.free -= slots;
    return slots;
  }

  unreserve(slots: number): void {
    this.free += slots;
  }
}

/** A queue of the pool: takes when it is woken, and each answer comes a round later. */
class Queue {
  readonly turn: SlotSource;
  waiting = 0;
  started = 0;
  running = 0;
  isWoken = false;
  #underWay = 0;

  constructor(turns: Turns, weight: number) {
    this.turn = turns.join(weight, () => (this.isWoken = true));
  }

  add(count: number): void {
    this.waiting += count;
    this.turn.want();
    this.isWoken = true;
  }

  ask(): void {
    this.isWoken = false;
    if (this.#underWay > 0) return;
    this.#underWay = this.turn.reserve(16);
  }

  /** As a fetcher does when it is woken: at once, or when its take is answered. Answers whether it asked. */
  tick(): boolean {
    if (!this.isWoken || this.#underWay > 0) return false;
    this.turn.want();
    this.ask();
    return true;
  }

  answer(): void {
    if (this.#underWay === 0) return;
    const found = Math.min(this.#underWay, this.waiting);
    this.waiting -= found;
    this.started += found;
    this.running += found;
    this.turn.answered(this.#underWay, found);
    pool.free -= found;
    this.#underWay = 0;
    this.turn.offer();
  }

  end(count: number): void {
    const ended = Math.min(this.running, count);
    this.running -= ended;
    pool.free += ended;
    if (ended > 0) this.ask(); // as a settle does
  }
}

let pool: Pool;
let turns: Turns;

beforeEach(() => {
  pool = new Pool(24);
  turns = new Turns(pool);
});

function rounds(
  queues: readonly Queue[],
  { count, ending }: { count: number; ending: (queue: Queue) => number },
): void {
  for (let round = 0; round < count; round++) {
    for (const queue of queues) queue.answer();
    for (const queue of queues) queue.end(ending(queue));
    for (let woken = 0; woken < 4; woken++) for (const queue of queues) if (queue.isWoken) queue.ask();
    expect(pool.free).toBeGreaterThanOrEqual(0);
  }
}

describe("of two queues with work without end", () => {
  for (const [name, ending] of [
    ["that end one by one", () => 1],
    ["that end in batches", () => 8],
    ["of which one takes much longer", (queue: Queue) => (queue.started % 2 === 0 ? 6 : 1)],
  ] as const) {
    test(`each starts as often as its weight says: runs ${name}`, () => {
      const [high, low] = [new Queue(turns, 5), new Queue(turns, 1)];
      high.add(1e6);
      low.add(1e6);
      rounds([low, high], { count: 3000, ending });
      const ratio = high.started / low.started;
      expect(low.started).toBeGreaterThan(100);
      expect(ratio).toBeGreaterThan(4.5);
      expect(ratio).toBeLessThan(5.5);
    });
  }

  test("no slot stays free for longer than a round", () => {
    const [high, low] = [new Queue(turns, 999), new Queue(turns, 1)];
    high.add(1e6);
    low.add(1e6);
    rounds([high, low], { count: 50, ending: () => 3 });
    for (const queue of [high, low]) queue.answer();
    expect(pool.free).toBeLessThanOrEqual(2);
  });
});

test("of more queues than slots each has its turn", () => {
  pool = new Pool(4);
  turns = new Turns(pool);
  const queues = Array.from({ length: 20 }, () => new Queue(turns, 1));
  for (const queue of queues) queue.add(1e6);
  rounds(queues, { count: 2000, ending: () => 1 });
  const started = queues.map((queue) => queue.started);
  expect(Math.max(...started) - Math.min(...started)).toBeLessThanOrEqual(8);
  expect(Math.min(...started)).toBeGreaterThan(50);
});

test("alone a queue gets all it asks for, and what others leave", () => {
  const [busy, idle] = [new Queue(turns, 1), new Queue(turns, 5)];
  busy.add(1e6);
  expect(busy.turn.reserve(16)).toBe(16);
  idle.add(0);
  expect(idle.turn.reserve(16)).toBe(7); // its share of the 8 that are left
  idle.turn.answered(7, 0);
  expect(busy.turn.reserve(16)).toBe(8);
});

test("a queue that had nothing for long saves up no turns", () => {
  const [busy, late] = [new Queue(turns, 1), new Queue(turns, 1)];
  busy.add(1e6);
  rounds([busy, late], { count: 1000, ending: () => 4 });
  const before = busy.started;
  late.add(1e6);
  rounds([busy, late], { count: 200, ending: () => 4 });
  expect(busy.started - before).toBeGreaterThan(0.4 * late.started);
});

test("who wanted something while its take was under way is woken when it is answered", () => {
  const queue = new Queue(turns, 1);
  queue.add(0);
  queue.ask();
  queue.turn.want(); // the bell overtook the reply
  queue.answer();
  expect(queue.isWoken).toBe(true);
  queue.ask();
  queue.isWoken = false;
  queue.answer();
  expect(queue.isWoken).toBe(false);
});

test("queues without work come to rest", () => {
  const queues = Array.from({ length: 5 }, () => new Queue(turns, 1));
  for (const queue of queues) queue.add(0);
  let asked = 0;
  for (let round = 0; round < 20; round++) {
    for (const queue of queues) if (queue.tick()) asked++;
    for (const queue of queues) queue.answer();
  }
  expect(asked).toBeLessThanOrEqual(10);
  expect(queues.some(({ isWoken }) => isWoken)).toBe(false);
});

test("a queue that cannot take keeps nobody waiting", () => {
  const [stuck, busy] = [new Queue(turns, 1), new Queue(turns, 1)];
  busy.add(1e6);
  rounds([busy], { count: 20, ending: () => 4 });
  stuck.turn.want();
  rounds([busy], { count: 5, ending: () => 4 });
  const before = busy.started;
  stuck.turn.rest();
  expect(busy.isWoken || pool.free === 0).toBe(true);
  rounds([busy], { count: 20, ending: () => 4 });
  expect(busy.started - before).toBeGreaterThan(70);
});
