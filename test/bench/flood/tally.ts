// Hears from handlers which deliveries ran, so that "every accepted one was handled" is counted by number and not believed.

import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

export interface Held {
  readonly number: string;
  readonly pid: number;
  readonly at: number;
}

export class Tally {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #runs = new Map<string, number>();
  #total = 0;
  /** Runs that began and wait to be let go, in order. */
  readonly held: Held[] = [];
  #onHeld: () => void = () => {};

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Tally> {
    const server = createServer();
    const tally = new Tally(server);
    server.on("connection", (socket) => tally.#welcome(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return tally;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Runs so far, repeats included. */
  get total(): number {
    return this.#total;
  }

  /** How often a delivery ran. */
  runsOf(number: string): number {
    return this.#runs.get(number) ?? 0;
  }

  /** Deliveries that ran more than once. */
  get repeated(): number {
    let repeated = 0;
    for (const runs of this.#runs.values()) if (runs > 1) repeated++;
    return repeated;
  }

  clear(): void {
    this.#runs.clear();
    this.#total = 0;
    this.held.length = 0;
  }

  letGo(number: string): void {
    for (const socket of this.#sockets) socket.write(`${number}\n`);
  }

  /** Resolves when a condition about `held` holds. */
  async waitHeld(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    const late = performance.now() + timeoutMs;
    while (!condition()) {
      const leftMs = late - performance.now();
      if (leftMs <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#onHeld = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #welcome(socket: Socket): void {
    let rest = "";
    this.#sockets.add(socket);
    socket.setNoDelay(true).setEncoding("utf8");
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(line);
    });
  }

  #hear(line: string): void {
    if (line.startsWith("held ")) {
      const [, number = "", pid = ""] = line.split(" ");
      this.held.push({ number, pid: Number(pid), at: performance.now() });
      return this.#onHeld();
    }
    for (const number of line.split(",")) {
      this.#runs.set(number, this.runsOf(number) + 1);
      this.#total++;
    }
  }
}
