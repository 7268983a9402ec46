// A reader over real sockets: it streams, and when its stream ends, however that comes, it asks again from where it stood.

import { setTimeout as pause } from "node:timers/promises";
import { Stream, type WireMessage } from "../../conformance/bus/stream.ts";
import type { Account, Numbered } from "./account.ts";

export interface ReaderOptions {
  /** Where somebody answers, as long as anybody lives. */
  readonly port: number;
  readonly channel: string;
  readonly client: string;
  readonly account: Account;
  /** -1: from now on. */
  readonly from: number;
}

const POLL_MS = 20;
const PAUSE_MS = 100;

export class SocketReader {
  readonly account: Account;
  readonly #options: ReaderOptions;
  #position: number;
  #stream: Stream | undefined;
  #isOn = true;
  #sequence = 0;
  readonly #running: Promise<void>;
  readonly #isOpen = Promise.withResolvers<void>();

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.account = options.account;
    this.#position = options.from;
    this.#running = this.#run();
  }

  /** Resolves when it was answered for the first time. */
  get isOpen(): Promise<void> {
    return this.#isOpen.promise;
  }

  /** Its connection breaks; it comes back by itself. */
  cut(): void {
    this.#stream?.leave();
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    this.cut();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isOn) {
      await this.#once();
      if (this.#isOn) await pause(PAUSE_MS * (0.5 + Math.random()));
    }
  }

  async #once(): Promise<void> {
    const { port, channel, client } = this.#options;
    const stream = new Stream(port);
    this.#stream = stream;
    await Promise.race([
      stream.send(
        `/message-bus/${client}/poll`,
        { [channel]: this.#position },
        { query: "gaps=t", seq: ++this.#sequence },
      ),
      pause(1_000),
    ]);
    let read = 0;
    for (;;) {
      // What came before it ended counts, too.
      const isRefused = stream.head !== "" && !stream.head.startsWith("HTTP/1.1 200");
      const isOver = isRefused || stream.isEnded || stream.chunks.at(-1) === "";
      for (; read < stream.arrays.length; read++) for (const message of stream.arrays[read] ?? []) this.#take(message);
      if (stream.arrays.length > 0) this.#isOpen.resolve();
      if (isOver || !this.#isOn) break;
      await pause(POLL_MS);
    }
    stream.leave();
  }

  #take({ channel, message_id, data }: WireMessage): void {
    if (channel === "/__gap") this.account.gap();
    else if (channel === "/__status")
      this.#position = (data as Record<string, number>)[this.#options.channel] ?? this.#position;
    else {
      this.#position = message_id;
      this.account.heard(message_id, data as Numbered);
    }
  }
}
