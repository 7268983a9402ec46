// The load of the soak test: a steady stream of webhooks, web chat lines and lines of the fake chat service. Whoever gets
// no answer, or a 503, says the same again to another worker until it is accepted; under one key one after another.

import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import type { FakeChat } from "../support/fake-chat.ts";
import * as words from "./soak-words.ts";

export type Kind = "keyed webhook" | "webhook" | "web chat line" | "fake chat line";

export interface SoakEvent {
  readonly id: string;
  readonly kind: Kind;
  /** The key of its deliveries; "" for none. */
  readonly key: string;
  readonly ms: number;
  /** Names it for repeats. */
  readonly uid: string;
}

export interface LoadOptions {
  readonly perSecond: number;
  readonly runMsMax: number;
  readonly random: () => number;
  readonly chat: FakeChat;
  /** URLs of the workers that serve, at least one. */
  readonly workers: () => readonly string[];
}

/** Of 10 events. */
const MIX: readonly Kind[] = [
  ...Array.from({ length: 4 }, () => "keyed webhook" as const),
  ...Array.from({ length: 2 }, () => "webhook" as const),
  ...Array.from({ length: 2 }, () => "web chat line" as const),
  ...Array.from({ length: 2 }, () => "fake chat line" as const),
];
/** So many that the runs of a key, one after another, keep up. */
const HOOK_KEYS = 100;
const SESSIONS = 50;
const USERS_PER_ROOM = 5;
const ANSWER_MS = 5000;
const AGAIN_MS = 50;
const GIVE_UP_MS = 30_000;
const TICK_MS = 20;

export class Load {
  /** In the order in which they were accepted. */
  readonly accepted: SoakEvent[] = [];
  /** Their senders never got a 202 in time. They may have been stored all the same. */
  readonly givenUp: SoakEvent[] = [];
  /** Answers that are neither 202 nor 503. */
  readonly strange: string[] = [];
  begun = 0;
  /** Said again, because nobody answered or the answer was 503. */
  repeats = 0;
  readonly #options: LoadOptions;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 32 });
  readonly #tails = new Map<string, Promise<void>>();
  readonly #since = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #ms = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** How long it has run. */
  get ms(): number {
    return this.#timer === undefined ? this.#ms : performance.now() - this.#since;
  }

  /** The newest line of the fake chat service. */
  get lastSaid(): SoakEvent {
    return this.accepted.findLast(({ kind }) => kind === "fake chat line") as SoakEvent;
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Nothing new is begun. */
  end(): void {
    this.#ms = this.ms;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Resolves when everything that was begun is accepted. */
  async sent(): Promise<void> {
    await Promise.all(this.#tails.values());
    this.#agent.destroy();
  }

  #tick(): void {
    const due = Math.floor((this.ms / 1000) * this.#options.perSecond);
    while (this.begun < due) this.#begin(this.#event(++this.begun));
  }

  #event(number: number): SoakEvent {
    const { random, runMsMax } = this.#options;
    const kind = MIX[number % MIX.length] as Kind;
    const id = String(number);
    return { id, kind, key: this.#key(kind, id), ms: Math.floor(random() * runMsMax), uid: randomUUID() };
  }

  #key(kind: Kind, id: string): string {
    const one = (of: number): number => Math.floor(this.#options.random() * of);
    switch (kind) {
      case "keyed webhook":
        return `key${one(HOOK_KEYS)}`;
      case "webhook":
        return "";
      case "web chat line":
        return `session${one(SESSIONS)}`;
      case "fake chat line":
        return `${words.fakeRoomOf(id)}-user${one(USERS_PER_ROOM)}`;
    }
  }

  #begin(event: SoakEvent): void {
    if (event.kind === "fake chat line") return this.#say(event);
    const chain = event.key === "" ? event.id : event.key;
    const before = this.#tails.get(chain) ?? Promise.resolve();
    this.#tails.set(
      chain,
      before.then(() => this.#sendUntilAccepted(event)),
    );
  }

  #say(event: SoakEvent): void {
    const { id, key } = event;
    this.#options.chat.say({ room: words.fakeRoomOf(id), user: key, text: textOf(event) });
    this.accepted.push(event);
  }

  async #sendUntilAccepted(event: SoakEvent): Promise<void> {
    const from = performance.now();
    while (performance.now() - from < GIVE_UP_MS) {
      const status = await this.#send(event).catch(() => undefined);
      if (status === 202) return void this.accepted.push(event);
      if (status !== undefined && status !== 503) this.strange.push(`${event.kind}: ${status}`);
      this.repeats++;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
    this.givenUp.push(event);
  }

  async #send(event: SoakEvent): Promise<number> {
    const { random, workers } = this.#options;
    const urls = workers();
    const url = urls[Math.floor(random() * urls.length)] ?? "";
    const { id, key, ms, uid } = event;
    const isLine = event.kind === "web chat line";
    const path = isLine ? `/chat/${key}/messages` : `/soak?key=${key}`;
    return post(`${url}${path}`, {
      agent: this.#agent,
      headers: isLine ? {} : { "idempotency-key": uid },
      body: JSON.stringify(isLine ? { id: uid, text: textOf(event) } : { event: id, key, ms }),
    });
  }
}

interface Posting {
  readonly agent: Agent;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Resolves with the status. */
function post(url: string, { agent, headers, body }: Posting): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { method: "POST", agent, headers: { "content-type": "application/json", ...headers } };
    const asked = request(url, { ...options, timeout: ANSWER_MS });
    asked.once("timeout", () => asked.destroy(new Error("no answer")));
    asked.once("error", reject);
    asked.once("response", (answer) => {
      answer.once("error", reject);
      answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
    });
    asked.end(body);
  });
}

function textOf({ id, key, ms }: SoakEvent): string {
  return `antiphon soak ${id} ${key} ${ms}`;
}
