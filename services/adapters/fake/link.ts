// One TCP connection to the fake chat service: lines out and in, and which answer belongs to which question.

import { connect, type Socket } from "node:net";
import type { ActionOutcome } from "../../sdk/adapter.ts";
import type { Clock } from "../../runtime/clock.ts";
import { encodeLine, type FromService, Lines, type ToService } from "./wire.ts";

export interface LinkOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Everything but answers. */
  readonly onMessage: (message: FromService) => void;
}

type Question = { readonly t: "do" | "find" } & ToService;
type Answer = ActionOutcome | "absent";
/** Before numbering. */
export type Ask = Question extends infer Q ? (Q extends Question ? Omit<Q, "n"> : never) : never;

const CONNECT_MS = 3_000;
const ANSWER_MS = 10_000;

export class Link {
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #lines = new Lines();
  #questions = 0;

  private constructor(socket: Socket, options: LinkOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.setEncoding("utf8");
    socket.on("data", (bytes: string) => this.#read(bytes));
    socket.on("error", () => socket.destroy());
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        for (const answer of this.#waiting.values()) answer(unclear("the connection was lost"));
        this.#waiting.clear();
        resolve();
      });
    });
  }

  static open(options: LinkOptions, signal: AbortSignal): Promise<Link> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: options.host, port: options.port, timeout: CONNECT_MS });
      const give = (error: Error): void => {
        socket.destroy();
        reject(error);
      };
      const abort = (): void => give(new Error("stopped"));
      signal.addEventListener("abort", abort, { once: true });
      socket.once("error", give);
      socket.once("timeout", () => give(new Error(`no connection within ${CONNECT_MS} ms`)));
      socket.once("connect", () => {
        signal.removeEventListener("abort", abort);
        socket.off("error", give);
        socket.setTimeout(0);
        socket.setNoDelay(true);
        resolve(new Link(socket, options));
      });
    });
  }

  get alive(): boolean {
    return this.#socket.writable;
  }

  say(message: ToService): void {
    this.#socket.write(encodeLine(message));
  }

  /** Never rejects: what is not answered in time, or cut off, is ambiguous. */
  async ask(question: Ask, signal: AbortSignal): Promise<Answer> {
    if (!this.alive) return { ok: false, kind: "transient", error: "not connected" };
    const n = ++this.#questions;
    const answered = new AbortController();
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(n, resolve));
    this.say({ ...question, n } as ToService);
    const late = this.#options.clock
      .sleep(ANSWER_MS, AbortSignal.any([signal, answered.signal]))
      .then(() => unclear(signal.aborted ? "stopped while waiting" : `no answer within ${ANSWER_MS} ms`));
    try {
      return await Promise.race([answer, late]);
    } finally {
      answered.abort();
      this.#waiting.delete(n);
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Sends what is written and says goodbye. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(bytes: string): void {
    try {
      for (const line of this.#lines.push(bytes)) this.#hear(JSON.parse(line) as FromService);
    } catch {
      // Not our protocol: nothing that follows can be trusted.
      this.#socket.destroy();
    }
  }

  #hear(message: FromService): void {
    if (message.t === "answer") this.#waiting.get(message.n)?.(message.outcome);
    else this.#options.onMessage(message);
  }
}

function unclear(error: string): ActionOutcome {
  return { ok: false, kind: "ambiguous", error };
}
