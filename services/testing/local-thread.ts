// A handler thread of a bot under test: it runs what a real one runs (worker/runner.ts), but in the test's own thread, so
// that the mocks there count. Messages cross a real channel, and are cloned, as between threads.

import { MessageChannel, type MessagePort } from "node:worker_threads";
import { unpackRuns } from "../worker/packing.ts";
import type { FromThread, ThreadData, ToThread } from "../worker/protocol.ts";
import { Runner } from "../worker/runner.ts";
import { SlotMemory } from "../worker/slots.ts";
import type { ThreadParts } from "../worker/thread-parts.ts";
import type { Host, HostEvents } from "../worker/threads.ts";
import { Life } from "./mortal.ts";

export interface LocalThreadOptions {
  readonly data: ThreadData;
  readonly events: HostEvents;
  /** With a connection that dies with the life given. */
  readonly parts: (life: Life) => ThreadParts;
}

export class LocalThread implements Host {
  readonly #events: HostEvents;
  readonly #life = new Life();
  readonly #runner: Runner;
  /** Of the worker's main thread, and of this one. */
  readonly #near: MessagePort;
  readonly #far: MessagePort;
  #isGone = false;

  constructor({ data, events, parts }: LocalThreadOptions) {
    this.#events = events;
    const { port1, port2 } = new MessageChannel();
    this.#near = port1;
    this.#far = port2;
    const memory = new SlotMemory(data.slotMemory);
    this.#runner = new Runner(parts(this.#life), {
      post: (message) => this.#tell(message),
      begin: (slot, started) => !this.#life.isOver && memory.begin(slot, started),
      end: (slot) => memory.end(slot),
    });
    this.#near.on("message", (message: FromThread) => this.#hear(message));
    this.#far.on("message", (message: ToThread) => this.#receive(message));
    // What runs in a test keeps its process alive by itself, or need not.
    this.#near.unref();
    this.#far.unref();
    this.#tell({ type: "ready" });
  }

  /** Whether nothing runs here. */
  get isIdle(): boolean {
    return this.#life.isOver || this.#runner.isIdle;
  }

  post(message: ToThread): void {
    if (this.#life.isOver) return message.type === "stop" ? this.#go("killed") : undefined;
    this.#near.postMessage(message, message.type === "runs" ? [message.packed.bodies.buffer] : []);
  }

  /** As `terminate`: nothing here goes on. What a handler waits for outside of ctx still comes, and leads nowhere. */
  end(): void {
    this.kill();
    queueMicrotask(() => this.#go("terminated"));
  }

  /** Without a word to anybody. */
  kill(): void {
    this.#life.end();
    this.#near.close();
  }

  #receive(message: ToThread): void {
    if (message.type === "runs") this.#runner.take(unpackRuns(message.packed));
    else if (message.type === "abort") this.#runner.abort(message.serials, message.reason);
    else if (message.type === "go") this.#runner.go(message.serial);
    // Teardown of the handlers is the bot's: they are set up once for all its workers.
    else this.#tell({ type: "stopped" });
  }

  #tell(message: FromThread): void {
    if (!this.#life.isOver) this.#far.postMessage(message);
  }

  #hear(message: FromThread): void {
    this.#events.message(message);
    if (message.type !== "stopped") return;
    this.#near.close();
    this.#go("stopped");
  }

  #go(reason: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#events.gone(reason);
  }
}
