// One request of MessageBus' protocol over a socket of its own, so that every byte of the answer is seen.

import { connect, type Socket } from "node:net";
import { waitFor } from "../../support/wait-for.ts";

export interface WireMessage {
  readonly global_id: number;
  readonly message_id: number;
  readonly channel: string;
  readonly data: unknown;
}

export interface PollOptions {
  readonly id?: string;
  /** `?dlp=t` unless said otherwise. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** After the client id. */
  readonly path?: string;
  readonly json?: boolean;
  readonly seq?: number;
}

export type Positions = Readonly<Record<string, number | string | null>>;

/** One request over a socket of its own, read byte by byte. */
export class Stream {
  /** Before the body. */
  head = "";
  /** The HTTP chunks, without their lengths; the last one is empty when the reply is over. */
  readonly chunks: string[] = [];
  isEnded = false;
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #arrays: (readonly WireMessage[])[] = [];
  #parsed = 0;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (bytes) => this.#take(bytes));
    this.#socket.on("close", () => (this.isEnded = true));
    this.#socket.on("error", () => {});
  }

  /** The body of an answer that is not chunked. */
  get body(): string {
    return this.#rest.toString("utf8");
  }

  #take(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (this.head === "") {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end === -1) return;
      this.head = this.#rest.toString("latin1", 0, end);
      this.#rest = this.#rest.subarray(end + 4);
    }
    if (!/transfer-encoding: chunked/i.test(this.head)) return;
    for (let end = this.#rest.indexOf("\r\n"); end > 0; end = this.#rest.indexOf("\r\n")) {
      const size = Number.parseInt(this.#rest.toString("latin1", 0, end), 16);
      if (this.#rest.byteLength < end + size + 4) return;
      this.chunks.push(this.#rest.toString("utf8", end + 2, end + 2 + size));
      this.#rest = this.#rest.subarray(end + size + 4);
    }
  }

  async send(path: string, positions: Positions, { headers = {}, query = "", seq = 1 }: PollOptions): Promise<void> {
    const entries = Object.entries({ ...positions, __seq: seq }).map(([key, value]) => [key, String(value ?? "")]);
    const body = new URLSearchParams(entries as [string, string][]).toString();
    const all = { host: "x", "content-type": "application/x-www-form-urlencoded", ...headers };
    const lines = Object.entries({ ...all, "content-length": body.length }).map(([name, value]) => `${name}: ${value}`);
    const head = [`POST ${path}${query && `?${query}`} HTTP/1.1`, ...lines, "", body].join("\r\n");
    await new Promise<void>((sent) => this.#socket.write(head, () => sent()));
  }

  /** What the chunks hold: each ends with a separator. */
  get arrays(): readonly (readonly WireMessage[])[] {
    for (; this.#parsed < this.chunks.length; this.#parsed++) {
      const arrays = this.chunks[this.#parsed]?.split("\r\n|\r\n").slice(0, -1) ?? [];
      for (const array of arrays) this.#arrays.push(JSON.parse(array.replaceAll("\r\n||\r\n", "\r\n|\r\n")) as []);
    }
    return this.#arrays;
  }

  get messages(): WireMessage[] {
    return this.arrays.flat();
  }

  /** The data of one channel's messages. */
  dataOf(channel: string): unknown[] {
    return this.messages.filter((message) => message.channel === channel).map(({ data }) => data);
  }

  /** It was answered, so what is published from now on comes live. */
  async isOpen(): Promise<void> {
    await waitFor(() => this.arrays.length > 0, { timeoutMs: 20_000, what: "the first chunk" });
  }

  async ends(): Promise<void> {
    await waitFor(() => this.isEnded || this.chunks.includes(""), { timeoutMs: 20_000, what: "the end of the stream" });
  }

  /** Reads no more, and keeps the connection. */
  stall(): void {
    this.#socket.pause();
  }

  leave(): void {
    this.#socket.destroy();
  }
}
