// What Redis itself says that it did: every script call with the commands it ran, by MONITOR, in the server's order and time.

import { connect, type Socket } from "node:net";

/** One call of a script that looked at a Lease or an epoch. */
export interface ScriptCall {
  /** By the server's clock, ms since 1970. */
  readonly at: number;
  /** Keys and arguments, as MONITOR writes them. */
  readonly words: string;
  /** What the script did, one command a line. */
  readonly commands: readonly string[];
}

const AGAIN_MS = 5;
const LINE = /^\+(\d+\.\d+) \[\d+ ([^\]]+)\] (.*)$/;

/** Also after the server was away: it is asked again until `stop`. */
export class Monitor {
  readonly #port: number;
  readonly #host: string;
  readonly #onCall: (call: ScriptCall) => void;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #rest = "";
  #call: { at: number; words: string; commands: string[] } | undefined;

  constructor(port: number, onCall: (call: ScriptCall) => void, host = "127.0.0.1") {
    this.#port = port;
    this.#host = host;
    this.#onCall = onCall;
  }

  /** Resolves when the server says that it tells. */
  start(): Promise<void> {
    return new Promise((resolve) => this.#connect(resolve));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    this.#end();
  }

  #connect(onTelling: () => void): void {
    if (this.#stopped) return;
    const socket = connect(this.#port, this.#host);
    this.#socket = socket;
    this.#rest = "";
    socket.setEncoding("latin1");
    socket.once("connect", () => socket.write("MONITOR\r\n"));
    socket.once("data", onTelling);
    socket.on("data", (text: string) => this.read(text));
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#timer = setTimeout(() => this.#connect(() => {}), AGAIN_MS);
    });
  }

  /** Bytes as the server sends them. */
  read(text: string): void {
    const lines = (this.#rest + text).split("\r\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#hear(line);
  }

  #hear(line: string): void {
    const [, at, who, words = ""] = LINE.exec(line) ?? [];
    if (at === undefined) return;
    if (who === "lua") return void this.#call?.commands.push(words);
    this.#end();
    if (/^"(evalsha|eval)"/i.test(words)) this.#call = { at: Number(at) * 1000, words, commands: [] };
  }

  #end(): void {
    const call = this.#call;
    this.#call = undefined;
    if (call?.commands.some((command) => /:(epoch|lease):/.test(command))) this.#onCall(call);
  }
}
