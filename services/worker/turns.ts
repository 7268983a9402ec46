// Whose turn it is where several queues share the slots of one pool: by weight, and nobody who has work is left out.
//
// Each slot that a queue fills moves it on by 1/weight. Of those that may have work (hungry) the one that is least far
// goes first, and none gets more than its share of the free slots while another is hungry. A queue that was at rest joins
// where the others are, so nobody saves up turns. Alone, a queue gets whatever it asks for.

import type { SlotSource } from "./fetcher.ts";

/** Who has slots: a pool. */
export interface Slots {
  readonly slots: number;
  readonly free: number;
  /** At most so many of the free ones. */
  reserve(most: number): number;
  unreserve(slots: number): void;
}

export class Turns {
  readonly #slots: Slots;
  readonly #turns: Turn[] = [];
  #reached = 0;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  /** `wake` is told when it is this queue's turn. */
  join(weight: number, wake: () => void): SlotSource {
    const turn = new Turn(this, weight, wake);
    this.#turns.push(turn);
    return turn;
  }

  get slots(): number {
    return this.#slots.slots;
  }

  /**
   * Slots are free: whoever is hungry and least far may ask. One whose take is under way is not woken before that is
   * answered, for it may find that there is nothing more; only `full` knows already that there is.
   */
  offer(full?: Turn): void {
    if (this.#slots.free === 0) return;
    let next: Turn | undefined;
    for (const turn of this.#turns) {
      if (!turn.isHungry || (turn.underWay > 0 && turn !== full)) continue;
      if (next === undefined || turn.position < next.position) next = turn;
    }
    next?.wake();
  }

  /** A queue that comes from rest stands where the others are. */
  placeOf(position: number): number {
    return Math.max(position, this.#reached);
  }

  reserve(turn: Turn, most: number): number {
    if (this.#slots.free === 0) return 0;
    let weights = turn.weight;
    for (const other of this.#turns) {
      if (other === turn || !other.isHungry) continue;
      // One whose take is under way has its slots; only when it is far behind do others wait for it.
      const lead = other.underWay > 0 ? this.#slots.slots : 0;
      if (other.position + lead < turn.position) {
        if (other.underWay === 0) other.wake();
        return 0;
      }
      weights += other.weight;
    }
    const share = Math.ceil((Math.min(most, this.#slots.free) * turn.weight) / weights);
    this.#reached = Math.max(this.#reached, turn.position);
    const slots = this.#slots.reserve(share);
    return slots;
  }

  unreserve(slots: number): void {
    this.#slots.unreserve(slots);
  }
}

class Turn implements SlotSource {
  readonly weight: number;
  readonly wake: () => void;
  position = 0;
  /** Takes that are not answered. */
  underWay = 0;
  /** There may be work that no take has found yet. */
  isHungry = false;
  readonly #turns: Turns;
  /** Asked for since the last take began: its reply says nothing about that. */
  #isWanted = false;

  constructor(turns: Turns, weight: number, wake: () => void) {
    this.#turns = turns;
    this.weight = weight;
    this.wake = wake;
  }

  get slots(): number {
    return this.#turns.slots;
  }

  want(): void {
    this.#isWanted = true;
    if (this.isHungry) return;
    this.isHungry = true;
    this.position = this.#turns.placeOf(this.position);
  }

  rest(): void {
    if (!this.isHungry) return;
    this.isHungry = false;
    this.#turns.offer();
  }

  reserve(most: number): number {
    if (!this.isHungry) this.position = this.#turns.placeOf(this.position);
    const slots = this.#turns.reserve(this, most);
    if (slots === 0) return 0;
    this.#isWanted = false;
    this.underWay++;
    this.position += slots / this.weight;
    this.#turns.offer(); // what it left
    return slots;
  }

  answered(reserved: number, filled: number | undefined): void {
    this.underWay--;
    this.position -= (reserved - (filled ?? 0)) / this.weight;
    this.isHungry = this.#isWanted || filled === reserved;
    this.#turns.unreserve(reserved);
  }

  offer(): void {
    this.#turns.offer(this);
  }
}
