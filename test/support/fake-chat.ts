// A chat service of our own on a real socket. It keeps a ledger of all that was said and can be slow, limited, frozen or gone.

import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { ActionOutcome, Idempotency, Ingress } from "../../services/sdk/adapter.ts";
import { noFaults } from "./fake-faults.ts";
import type { Action } from "../../services/sdk/action.ts";
import {
  BOT,
  encodeLine,
  type FromService,
  Lines,
  type ToService,
  type WireEvent,
} from "../../services/adapters/fake/wire.ts";

/** Words of the bot as the service shows them. */
export interface Post {
  readonly messageId: string;
  readonly actionId: string;
  readonly room: string;
  text: string;
  readonly edits: string[];
  readonly reactions: string[];
  /** Which connection brought it. */
  readonly by: string;
}

/** Every Action that arrived, whether or not something came of it. */
export interface Attempt {
  readonly action: Action;
  readonly by: string;
  readonly at: number;
  readonly applied: boolean;
}

/** A connection that said hello. */
export interface Visit {
  readonly name: string;
  readonly at: number;
  /** When it ended, from whichever side. */
  leftAt: number | undefined;
}

interface Client {
  readonly socket: Socket;
  name: string;
  greeted: boolean;
}

type Done = ActionOutcome | "absent";

export class FakeChat {
  /** All events, in order; what people said and what became of the bot's words. */
  readonly events: WireEvent[] = [];
  readonly posts: Post[] = [];
  readonly attempts: Attempt[] = [];
  /** Names of the connections that came, or were refused, in order. */
  readonly hellos: string[] = [];
  readonly refusals: string[] = [];
  readonly visits: Visit[] = [];
  readonly topics = new Map<string, string>();
  readonly faults = noFaults();
  readonly #ingress: Ingress;
  readonly #idempotency: Idempotency;
  readonly #clients = new Set<Client>();
  readonly #byKey = new Map<string, Done>();
  #server: Server | undefined;
  #port = 0;
  #frozen = false;

  private constructor(options: { ingress?: Ingress; idempotency?: Idempotency }) {
    this.#ingress = options.ingress ?? "takeover";
    this.#idempotency = options.idempotency ?? "key";
  }

  static async start(options: { ingress?: Ingress; idempotency?: Idempotency } = {}): Promise<FakeChat> {
    const chat = new FakeChat(options);
    await chat.comeBack();
    return chat;
  }

  /** FAKE_URL. */
  get url(): string {
    return `tcp://127.0.0.1:${this.#port}?ingress=${this.#ingress}&idempotency=${this.#idempotency}`;
  }

  /** Names of the connections that are open now. */
  get connected(): string[] {
    return [...this.#clients].filter((client) => client.greeted).map((client) => client.name);
  }

  say(said: { room: string; user: string; text: string; mention?: boolean }): WireEvent {
    const { room, user, text, mention = false } = said;
    return this.happen({ type: "said", room, user: { id: user, name: user }, text, mention });
  }

  /** Anything that the service may tell its clients. */
  happen(what: Omit<WireEvent, "id" | "at">): WireEvent {
    const event = { id: `e${this.events.length + 1}`, at: Date.now(), ...what };
    this.events.push(event);
    for (const client of this.#clients) if (client.greeted) this.#tell(client, this.events.length, false);
    return event;
  }

  /** What the bot said in a room, as it reads now. */
  said(room: string): string[] {
    return this.posts.filter((post) => post.room === room).map((post) => post.text);
  }

  /** Tells an event once more, as services do that got no acknowledgement in time. */
  repeat(seq: number): void {
    for (const client of this.#clients) if (client.greeted) this.#tell(client, seq, true);
  }

  /** Reads and answers nothing, as after SIGSTOP; connections stay open. */
  freeze(): void {
    this.#frozen = true;
    for (const { socket } of this.#clients) socket.pause();
  }

  thaw(): void {
    this.#frozen = false;
    for (const { socket } of this.#clients) socket.resume();
  }

  /** Bytes that are no line of ours. */
  babble(): void {
    for (const { socket } of this.#clients) socket.write(Buffer.from("\xff\xfe {half\n\0\n", "latin1"));
  }

  cut(): void {
    for (const { socket } of this.#clients) socket.destroy();
  }

  /** Nobody listens any more. */
  async goAway(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    this.cut();
    await closed;
  }

  async comeBack(): Promise<void> {
    const server = createServer((socket) => this.#welcome(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  stop(): Promise<void> {
    return this.goAway();
  }

  #welcome(socket: Socket): void {
    const client: Client = { socket, name: "", greeted: false };
    const lines = new Lines();
    this.#clients.add(client);
    socket.setNoDelay(true);
    socket.setEncoding("utf8");
    socket.on("data", (bytes: string) => {
      for (const line of lines.push(bytes)) void this.#hear(client, JSON.parse(line) as ToService);
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#clients.delete(client));
    if (this.#frozen) socket.pause();
  }

  async #hear(client: Client, message: ToService): Promise<void> {
    if (message.t === "hello") {
      if (this.faults.helloMs > 0) await new Promise((resolve) => setTimeout(resolve, this.faults.helloMs));
      this.#greet(client, message);
    } else if (message.t === "find") this.#send(client, { t: "answer", n: message.n, outcome: this.#find(message.id) });
    else await this.#doAndAnswer(client, message);
  }

  #greet(client: Client, hello: Extract<ToService, { t: "hello" }>): void {
    const isWrong = this.faults.token !== undefined && hello.token !== this.faults.token;
    const isBusy = this.#ingress === "exclusive" && [...this.#clients].some((other) => other.greeted);
    if (isWrong || isBusy) return this.#refuse(client, hello.client, isWrong ? "credentials" : "busy");
    if (this.#ingress === "takeover") {
      for (const older of this.#clients) {
        if (older === client || !older.greeted) continue;
        this.#send(older, { t: "evicted" });
        older.socket.end();
        older.greeted = false;
      }
    }
    client.name = hello.client;
    client.greeted = true;
    this.hellos.push(hello.client);
    const visit: Visit = { name: hello.client, at: Date.now(), leftAt: undefined };
    this.visits.push(visit);
    client.socket.once("close", () => (visit.leftAt = Date.now()));
    for (let seq = hello.after + 1; seq <= this.events.length; seq++) this.#tell(client, seq, true);
    this.#send(client, { t: "ready" });
  }

  #refuse(client: Client, name: string, why: "credentials" | "busy"): void {
    this.refusals.push(name);
    this.#send(client, { t: "refused", why });
    client.socket.end();
  }

  #tell(client: Client, seq: number, replayed: boolean): void {
    const event = this.events[seq - 1];
    if (event) this.#send(client, { t: "event", seq, replayed, event });
  }

  #find(id: string): Done {
    const post = this.posts.find((one) => one.actionId === id);
    return post ? { ok: true, messageId: post.messageId } : "absent";
  }

  async #doAndAnswer(client: Client, { n, action, key }: Extract<ToService, { t: "do" }>): Promise<void> {
    const { faults } = this;
    if (faults.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, faults.delayMs));
    // Whoever was cut off or evicted meanwhile has no say any more.
    if (!client.greeted || client.socket.destroyed) return;
    const limit = faults.limited.get(action.room);
    const before = limit !== undefined || faults.cutBeforeDoing > 0;
    this.attempts.push({ action, by: client.name, at: Date.now(), applied: !before });
    if (limit) {
      const { retryAfterMs, scope = `room:${action.room}` } = limit;
      const outcome: Done = { ok: false, kind: "rateLimited", retryAfterMs, scope, error: "too many" };
      return this.#send(client, { t: "answer", n, outcome });
    }
    if (faults.cutBeforeDoing > 0) {
      faults.cutBeforeDoing--;
      return void client.socket.destroy();
    }
    const outcome = this.#once(key, () => this.#do(client, action));
    if (faults.cutAfterDoing > 0) {
      faults.cutAfterDoing--;
      return void client.socket.destroy();
    }
    if (faults.silentAfterDoing > 0) return void faults.silentAfterDoing--;
    this.#send(client, { t: "answer", n, outcome });
  }

  #once(key: string | undefined, act: () => Done): Done {
    if (key === undefined || this.#idempotency !== "key") return act();
    const known = this.#byKey.get(key);
    if (known) return known;
    const outcome = act();
    this.#byKey.set(key, outcome);
    return outcome;
  }

  #do(client: Client, action: Action): Done {
    const { room } = action;
    switch (action.op) {
      case "send": {
        const messageId = `m${this.posts.length + 1}`;
        const { id: actionId, text } = action;
        this.posts.push({ messageId, actionId, room, text, edits: [], reactions: [], by: client.name });
        this.happen({ type: "said", room, user: { id: BOT, name: BOT }, text, actionId });
        return { ok: true, messageId };
      }
      case "edit":
      case "react": {
        const post = this.posts.find((one) => one.messageId === action.messageId && one.room === room);
        if (!post) return { ok: false, kind: "permanent", error: "no such message" };
        if (action.op === "react") post.reactions.push(action.emoji);
        else post.edits.push((post.text = action.text));
        return { ok: true };
      }
      case "topic":
        this.topics.set(room, action.text);
        return { ok: true };
      default:
        return { ok: true };
    }
  }

  #send(client: Client, message: FromService): void {
    if (client.socket.writable) client.socket.write(encodeLine(message));
  }
}
