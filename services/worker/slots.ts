// The memory that main and one handler thread share: which delivery has started in which slot, since when, for how long.
//
// Int32:   [0] gate (main writes: 1 = start nothing more), then per slot the serial of the delivery that has started, 0 = none;
// then per slot the serial of the last one that had started there, which stays when it has ended: its answer is on its way.
// Float64: per slot when its present route began (ms since 1970), that route's timeout (ms), its number and its heap limit.
// The thread alone writes slots, main alone writes the gate. The gate needs no answer from the thread: the thread marks a
// delivery as started and then looks at the gate, main closes the gate and then looks at the marks, so at least one of
// them sees the other, and no delivery is both started and handed back as unstarted.

export interface Started {
  readonly serial: number;
  readonly sinceMs: number;
  readonly timeoutMs: number;
  /** Of the route in the registry, where it has one. */
  readonly route?: number;
  /** Where the route has a limit. */
  readonly maxHeapMb?: number;
}

const GATE = 0;
const TIMES = 4;
const SLOT_BYTES = TIMES * 8 + 8;

export class SlotMemory {
  readonly #marks: Int32Array;
  readonly #times: Float64Array;
  readonly #slots: number;

  constructor(memory: SharedArrayBuffer) {
    const slots = slotsIn(memory);
    this.#times = new Float64Array(memory, 0, TIMES * slots);
    this.#marks = new Int32Array(memory, TIMES * 8 * slots, 1 + 2 * slots);
    this.#slots = slots;
  }

  static allocate(slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(SLOT_BYTES * slots + 4);
  }

  /** Thread: before each route of a delivery. False: the process stops, the delivery must not start (answer `interrupted`). */
  begin(slot: number, started: Started): boolean {
    const at = TIMES * slot;
    this.#times[at] = started.sinceMs;
    this.#times[at + 1] = started.timeoutMs;
    this.#times[at + 2] = started.route ?? 0;
    this.#times[at + 3] = started.maxHeapMb ?? 0;
    Atomics.store(this.#marks, 1 + this.#slots + slot, started.serial);
    const already = Atomics.exchange(this.#marks, 1 + slot, started.serial) === started.serial;
    if (already || Atomics.load(this.#marks, GATE) === 0) return true;
    this.end(slot);
    return false;
  }

  /** Thread: after the last route of a delivery. */
  end(slot: number): void {
    Atomics.store(this.#marks, 1 + slot, 0);
  }

  /** Main: the last delivery that has started in this slot, also when it has ended there by now; 0 = none. */
  begun(slot: number): number {
    return Atomics.load(this.#marks, 1 + this.#slots + slot);
  }

  /** Main: from now on nothing starts. What `started` says afterwards is final for the deliveries it does not name. */
  close(): void {
    Atomics.store(this.#marks, GATE, 1);
  }

  /** Main: what has started in this slot. */
  started(slot: number): Started | undefined {
    const serial = Atomics.load(this.#marks, 1 + slot);
    if (serial === 0) return undefined;
    const at = TIMES * slot;
    const [sinceMs = 0, timeoutMs = 0, route = 0, maxHeapMb = 0] = this.#times.subarray(at, at + TIMES);
    return { serial, sinceMs, timeoutMs, ...(route !== 0 && { route }), ...(maxHeapMb !== 0 && { maxHeapMb }) };
  }
}

function slotsIn(memory: SharedArrayBuffer): number {
  return (memory.byteLength - 4) / SLOT_BYTES;
}
