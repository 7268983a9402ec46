// The web chat's lines over HTTP: one endless stream of them that reconnects by itself, and sending that repeats safely.

import { randomUUID } from "node:crypto";
import { backoffMs } from "../runtime/backoff.ts";
import { type Clock, type Random } from "../runtime/clock.ts";
import { readEvents } from "./events.ts";

/** The data of the stream's `message` events. */
export interface ChatLine {
  readonly id: string;
  readonly ref: string;
  readonly from: string;
  readonly text: string;
  readonly at: string;
  readonly edited?: boolean;
}

export interface ChatOptions {
  /** Of the public port, e.g. http://127.0.0.1:8080 */
  readonly url: string;
  readonly session: string;
  readonly token?: string;
  /** How many lines said before to give first. */
  readonly recent: number;
  readonly clock: Clock;
  readonly random: Random;
  /** `own`: it was said through this object. */
  onLine(line: ChatLine, own: boolean): void;
  /** `away` once when the connection is lost, `connected` once when it is there (again). */
  onState(state: "connected" | "away", detail: string): void;
}

const RETRY = { firstMs: 100, maxMs: 2000 };
/** A server that says nothing for so long, not even its heartbeat, is gone. */
const SILENCE_MS = 45_000;
const SEND_TRIES = 8;
const SEND_MS = 5000;

/** A refusal that trying again does not mend. */
export class ChatRefused extends Error {
  override readonly name = "ChatRefused";
}

export class ChatLines {
  readonly #options: ChatOptions;
  readonly #stopping = new AbortController();
  readonly #own = new Set<string>();
  #lastEventId: string | undefined;
  #state: "new" | "connected" | "away" = "new";

  constructor(options: ChatOptions) {
    this.#options = options;
  }

  /** Gives lines to `onLine` until `stop`. Lost connections go on where they ended. @throws ChatRefused */
  async run(): Promise<void> {
    const { clock, random } = this.#options;
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      const lines = await this.#follow().catch((error: unknown) => this.#lost(error));
      failures = lines > 0 ? 0 : failures + 1;
      await clock.sleep(backoffMs(failures, RETRY, random), this.#stopping.signal);
    }
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Resolves with the message's id once it is stored. Safe to repeat, since the server knows the id. */
  async send(text: string): Promise<string> {
    const { clock, random } = this.#options;
    const id = randomUUID();
    const body = JSON.stringify({ text, id });
    this.#own.add(id);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#post(body);
      } catch (error) {
        if (error instanceof ChatRefused || attempt === SEND_TRIES || this.#stopping.signal.aborted) throw error;
        await clock.sleep(backoffMs(attempt, RETRY, random), this.#stopping.signal);
      }
    }
  }

  async #post(body: string): Promise<string> {
    const response = await fetch(this.#path("messages"), {
      method: "POST",
      headers: { ...this.#headers(), "content-type": "application/json" },
      body,
      signal: AbortSignal.timeout(SEND_MS),
    });
    const answer = (await response.json().catch(() => ({}))) as { id?: string; error?: { message?: string } };
    if (response.ok) return answer.id ?? "";
    const problem = `${response.status}: ${answer.error?.message ?? response.statusText}`;
    throw response.status >= 500 || response.status === 429 ? new Error(problem) : new ChatRefused(problem);
  }

  /** One connection, to its end. @returns how many events came */
  async #follow(): Promise<number> {
    const silence = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, silence.signal]);
    const headers = {
      ...this.#headers(),
      ...(this.#lastEventId !== undefined && { "last-event-id": this.#lastEventId }),
    };
    const watch = setTimeout(() => silence.abort(new Error("the server fell silent")), SILENCE_MS);
    let events = 0;
    try {
      const response = await fetch(this.#path(`events?recent=${this.#options.recent}`), {
        headers: { ...headers, accept: "text/event-stream" },
        signal,
      });
      if (!response.ok || response.body === null) throw refusal(response);
      this.#tell("connected", "");
      for await (const event of readEvents(response.body, () => watch.refresh())) {
        if (event.id !== undefined) this.#lastEventId = event.id;
        if (event.type === "message") this.#heard(JSON.parse(event.data) as ChatLine);
        events++;
      }
      this.#tell("away", "the server closed the connection");
      return events;
    } finally {
      clearTimeout(watch);
    }
  }

  #heard(line: ChatLine): void {
    this.#options.onLine(line, this.#own.delete(line.id));
  }

  #lost(error: unknown): number {
    if (error instanceof ChatRefused) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    if (!this.#stopping.signal.aborted) this.#tell("away", cause instanceof Error ? cause.message : String(cause));
    return 0;
  }

  #tell(state: "connected" | "away", detail: string): void {
    if (this.#state !== state) this.#options.onState(state, detail);
    this.#state = state;
  }

  #path(what: string): string {
    return `${this.#options.url}/chat/${encodeURIComponent(this.#options.session)}/${what}`;
  }

  #headers(): Record<string, string> {
    return this.#options.token === undefined ? {} : { authorization: `Bearer ${this.#options.token}` };
  }
}

function refusal(response: Response): Error {
  const problem = `${response.status}: ${response.statusText}`;
  return response.status >= 500 || response.status === 429 ? new Error(problem) : new ChatRefused(problem);
}
