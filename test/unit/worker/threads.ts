// Threads and a clock under a test's hand: what main posts is read from them, what they answer is said by the test.

import type { Clock } from "../../../services/runtime/clock.ts";
import { unpackRuns } from "../../../services/worker/packing.ts";
import type { FromThread, Settled, ThreadData, ThreadRun, ToThread } from "../../../services/worker/protocol.ts";
import { SlotMemory, type Started } from "../../../services/worker/slots.ts";
import type { Host, HostEvents, Spawn } from "../../../services/worker/threads.ts";
import { outcome } from "./claims.ts";

export class FakeThread implements Host {
  readonly data: ThreadData;
  readonly posted: ToThread[] = [];
  ended = false;
  readonly #events: HostEvents;
  readonly #memory: SlotMemory;

  constructor(data: ThreadData, events: HostEvents) {
    this.data = data;
    this.#events = events;
    this.#memory = new SlotMemory(data.slotMemory);
  }

  post(message: ToThread): void {
    this.posted.push(message);
  }

  /** As a real one: `gone` follows. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    queueMicrotask(() => this.#events.gone("exit code 1"));
  }

  die(reason: string): void {
    this.ended = true;
    this.#events.gone(reason);
  }

  say(message: FromThread): void {
    this.#events.message(message);
  }

  settle(serial: number, kind: Settled["kind"]): void {
    this.say({ type: "settled", list: [outcome(serial, kind)] });
  }

  /** What its heap holds, MB. */
  heapMb = 0;

  async heapBytes(): Promise<number> {
    return this.heapMb * 1024 * 1024;
  }

  begin(slot: number, serial: number, at: Omit<Started, "serial">): boolean {
    return this.#memory.begin(slot, { serial, ...at });
  }

  finish(slot: number): void {
    this.#memory.end(slot);
  }

  get runs(): ThreadRun[] {
    return this.posted.flatMap((message) => (message.type === "runs" ? unpackRuns(message.packed) : []));
  }

  get aborts(): string[] {
    return this.posted.flatMap((message) =>
      message.type === "abort" ? [`${message.reason} ${message.serials.join(" ")}`] : [],
    );
  }
}

export class Threads {
  readonly all: FakeThread[] = [];
  readonly spawn: Spawn = (data, events) => {
    const thread = new FakeThread(data, events);
    this.all.push(thread);
    return thread;
  };

  at(index: number): FakeThread {
    const thread = this.all[index];
    if (thread === undefined) throw new Error(`no thread ${index}`);
    return thread;
  }
}

export class FakeClock implements Clock {
  #ms = 1_000_000;
  #sleepers: { atMs: number; wake: () => void }[] = [];

  now(): number {
    return this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      signal?.addEventListener("abort", () => resolve(), { once: true });
      this.#sleepers.push({ atMs: this.#ms + ms, wake: resolve });
    });
  }

  async advance(ms: number): Promise<void> {
    this.#ms += ms;
    const due = this.#sleepers.filter(({ atMs }) => atMs <= this.#ms);
    this.#sleepers = this.#sleepers.filter(({ atMs }) => atMs > this.#ms);
    for (const { wake } of due) wake();
    await tick();
  }
}

/** Lets everything happen that is due now. */
export function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
