// What a handler and a Hubot script use to tell the benchmark which deliveries ran. Few bytes, few writes.

import { connect, type Socket } from "node:net";

const FLUSH_MS = 50;

export class TallyClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<string, () => void>();
  #numbers: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1").unref();
    this.#socket.setNoDelay(true).setEncoding("utf8");
    this.#socket.on("error", () => {});
    this.#socket.on("data", (text: string) => {
      for (const number of text.split("\n")) this.#waiting.get(number)?.();
    });
  }

  handled(number: string): void {
    this.#numbers.push(number);
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#numbers.length > 0) this.#socket.write(`${this.#numbers.join(",")}\n`);
    this.#numbers = [];
  }

  /** Tells at once that a run began, and waits until the benchmark lets it end. */
  async held(number: string, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.set(number, resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      this.#socket.write(`held ${number} ${process.pid}\n`);
    });
    this.#waiting.delete(number);
  }

  end(): void {
    this.flush();
    this.#socket.end();
  }
}
