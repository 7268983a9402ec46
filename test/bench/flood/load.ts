// The load generator: keep-alive connections over plain sockets, a prepared body, one request at a time on each. Ends by itself.

import { connect, type Socket } from "node:net";
import { quantile } from "../statistics.ts";
import type { FromLoad, Load, LoadResult } from "./load-protocol.ts";
import { pushPayload } from "./payload.ts";

/** What was sent when the time was over may still be answered for so long. */
const LATE_MS = 20_000;
const PAUSE_AFTER_REFUSAL_MS = 50;
const TRICKLE_MS = 250;
const RECEIVE_BYTES = 4096;

class Generator {
  readonly #load: Load;
  readonly #body: Buffer;
  readonly #headStart: string;
  readonly #statuses: Record<string, number> = {};
  readonly #accepted: string[] = [];
  readonly #latencies: number[] = [];
  readonly #stalled: Socket[] = [];
  readonly #finished = Promise.withResolvers<void>();
  #sent = 0;
  #broken = 0;
  #underway = 0;
  #acceptedInTime = 0;
  #phase: "warming" | "measuring" | "over" = "warming";

  constructor(load: Load) {
    this.#load = load;
    this.#body = pushPayload(load.bytes);
    this.#headStart = [
      `POST ${load.path} HTTP/1.1`,
      "host: 127.0.0.1",
      "user-agent: GitHub-Hookshot/bench",
      "content-type: application/json",
      "x-github-event: push",
      `content-length: ${this.#body.length}`,
      "x-github-delivery: ",
    ].join("\r\n");
  }

  async run(tell: (message: FromLoad) => Promise<void>): Promise<void> {
    const { connections, warmupMs, durationMs, stalled } = this.#load;
    for (let index = 0; index < connections; index++) new Sender(this).open();
    await Promise.race([sleep(warmupMs), this.#finished.promise]);
    this.#phase = "measuring";
    void tell({ type: "measuring" });
    const startedAt = performance.now();
    for (let index = 0; index < stalled; index++) this.#stall(index);
    await Promise.race([sleep(durationMs), this.#finished.promise]);
    const ms = performance.now() - startedAt;
    const inTime = { acceptedInTime: this.#acceptedInTime, latency: this.#latency() };
    this.#phase = "over";
    void tell({ type: "over" });
    if (this.#underway > 0) await Promise.race([sleep(LATE_MS), this.#finished.promise]);
    for (const socket of this.#stalled) socket.destroy();
    const result: LoadResult = {
      type: "done",
      sent: this.#sent,
      accepted: this.#accepted,
      ms,
      statuses: this.#statuses,
      broken: this.#broken,
      ...inTime,
    };
    await tell(result);
  }

  get port(): number {
    return this.#load.port;
  }

  /** Whether another request may be sent. */
  get mayGoOn(): boolean {
    return this.#phase !== "over" && this.#sent < this.#load.requestsMax;
  }

  /** Writes a request. @returns its number */
  send(socket: Socket): string {
    const number = `${this.#load.label}-${++this.#sent}`;
    this.#underway++;
    socket.cork();
    socket.write(`${this.#headStart}${number}\r\n\r\n`, "latin1");
    socket.write(this.#body);
    socket.uncork();
    return number;
  }

  answered(number: string, status: string, sentAt: number): void {
    this.#underway--;
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    if (status === "202") this.#accepted.push(number);
    if (this.#phase === "measuring") {
      if (status === "202") this.#acceptedInTime++;
      this.#latencies.push(performance.now() - sentAt);
    }
    this.#checkFinished();
  }

  lost(): void {
    this.#underway--;
    this.#broken++;
    this.#checkFinished();
  }

  #checkFinished(): void {
    if (this.#underway === 0 && !this.mayGoOn) this.#finished.resolve();
  }

  #latency(): LoadResult["latency"] {
    return { p50: quantile(this.#latencies, 0.5), p99: quantile(this.#latencies, 0.99) };
  }

  /** Begins an upload that does not end; comes back when it is cut off. */
  #stall(index: number): void {
    if (this.#phase === "over") return;
    const socket = connect(this.#load.port, "127.0.0.1");
    this.#stalled[index] = socket;
    socket.on("error", () => {}).resume();
    const half = this.#body.subarray(0, this.#body.length / 2);
    let sent = half.length;
    socket.write(`${this.#headStart}stalled-${index}\r\n\r\n`, "latin1");
    socket.write(half);
    const trickle = setInterval(() => {
      if (index % 2 === 0 || sent + 1 >= this.#body.length) return;
      socket.write(this.#body.subarray(sent, ++sent));
    }, TRICKLE_MS);
    socket.once("close", () => {
      clearInterval(trickle);
      setTimeout(() => this.#stall(index), PAUSE_AFTER_REFUSAL_MS);
    });
  }
}

/** One connection: sends the next request as soon as the last one is answered. */
class Sender {
  readonly #generator: Generator;
  #socket: Socket | undefined;
  #number: string | undefined;
  #sentAt = 0;
  #text = "";
  /** Bytes of the answer's body that are still to come; undefined: its head is. */
  #bodyLeft: number | undefined;
  #status = "";

  constructor(generator: Generator) {
    this.#generator = generator;
  }

  open(): void {
    if (!this.#generator.mayGoOn) return;
    this.#text = "";
    this.#bodyLeft = undefined;
    // Bytes are read into a buffer of its own, so that answers leave no garbage.
    const buffer = Buffer.allocUnsafe(RECEIVE_BYTES);
    const callback = (length: number): boolean => this.#bytes(buffer.toString("latin1", 0, length));
    const socket = connect({
      port: this.#generator.port,
      host: "127.0.0.1",
      noDelay: true,
      onread: { buffer, callback },
    });
    this.#socket = socket;
    socket.once("connect", () => this.#next());
    socket.on("error", () => {});
    socket.once("close", () => {
      if (this.#number !== undefined) this.#generator.lost();
      this.#number = undefined;
      setTimeout(() => this.open(), PAUSE_AFTER_REFUSAL_MS);
    });
  }

  #next(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    if (!this.#generator.mayGoOn) return void socket.destroy();
    this.#sentAt = performance.now();
    this.#number = this.#generator.send(socket);
  }

  #bytes(text: string): true {
    this.#text += text;
    if (this.#bodyLeft === undefined) {
      const end = this.#text.indexOf("\r\n\r\n");
      if (end < 0) return true;
      const head = this.#text.slice(0, end);
      this.#status = head.slice(9, 12);
      this.#bodyLeft = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      this.#text = this.#text.slice(end + 4);
    }
    if (this.#text.length >= this.#bodyLeft) this.#answer();
    return true;
  }

  #answer(): void {
    this.#text = "";
    this.#bodyLeft = undefined;
    const number = this.#number;
    this.#number = undefined;
    if (number !== undefined) this.#generator.answered(number, this.#status, this.#sentAt);
    if (this.#status === "202") this.#next();
    else setTimeout(() => this.#next(), PAUSE_AFTER_REFUSAL_MS);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves when it has left the process. */
function post(message: FromLoad): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()));
}

process.once("message", async (load) => {
  await new Generator(load as Load).run(post);
  process.disconnect();
});
process.once("disconnect", () => process.exit(0));
