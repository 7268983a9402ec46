// Virtual time for a simulation: events in order, processes with clocks of their own that drift, step and stand still.

import type { Clock } from "../../services/runtime/clock.ts";

type Act = () => void;

interface Planned {
  readonly at: number;
  readonly order: number;
  /** Nothing of a process happens while it stands still, or after it died. */
  readonly of: SimProcess | undefined;
  act: Act | undefined;
}

export class World {
  readonly random: () => number;
  /** True time, ms. */
  now = 0;
  readonly #heap: Planned[] = [];
  #planned = 0;

  constructor(random: () => number) {
    this.random = random;
  }

  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** Answers how to call it off. */
  in(ms: number, act: Act, of?: SimProcess): () => void {
    const planned: Planned = { at: this.now + Math.max(0, ms), order: this.#planned++, of, act };
    this.#push(planned);
    return () => (planned.act = undefined);
  }

  /** Does the next event; false when there is none before `until`. */
  step(until: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > until) return false;
      this.#pop();
      if (next.act === undefined || next.of?.isDead) continue;
      this.now = Math.max(this.now, next.at);
      const stillUntil = next.of?.stillUntil ?? 0;
      if (stillUntil > this.now) {
        this.#push({ ...next, at: stillUntil });
        continue;
      }
      next.act();
      return true;
    }
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    let at = heap.push(planned) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!isBefore(planned, heap[up] as Planned)) break;
      heap[at] = heap[up] as Planned;
      at = up;
    }
    heap[at] = planned;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Planned;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && isBefore(heap[down + 1] as Planned, heap[down] as Planned)) down++;
      if (!isBefore(heap[down] as Planned, last)) break;
      heap[at] = heap[down] as Planned;
      at = down;
    }
    heap[at] = last;
  }
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A process as the operating system runs it. */
export class SimProcess implements Clock {
  readonly name: string;
  isDead = false;
  stillUntil = 0;
  readonly #world: World;
  /** How fast its clocks go. */
  readonly #rate: number;
  #wallAheadMs: number;
  /** While its machine was suspended its monotonic clock stood. */
  #suspendedMs = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.#rate = world.between(0.995, 1.005);
    this.#wallAheadMs = world.between(-500, 500);
  }

  now(): number {
    return this.#world.now * this.#rate + this.#wallAheadMs + 1_700_000_000_000;
  }

  monotonic(): number {
    return (this.#world.now - this.#suspendedMs) * this.#rate;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        callOff();
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const callOff = this.#world.in(ms / this.#rate, done, this);
      signal?.addEventListener("abort", done, { once: true });
    });
  }

  /** Stands still, as after SIGSTOP; or with its machine, which its monotonic clock does not notice. */
  stop(ms: number, how: "stopped" | "suspended"): void {
    this.stillUntil = Math.max(this.stillUntil, this.#world.now + ms);
    if (how === "suspended") this.#world.in(ms, () => (this.#suspendedMs += ms));
  }

  stepWall(ms: number): void {
    this.#wallAheadMs += ms;
  }
}
