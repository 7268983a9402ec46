// The bus in a browser: MessageBus' own client in new. `subscribe` gives callbacks `(data, globalId, messageId)` and misses
// nothing between two requests; a hole that cannot be filled is told by the event "gap", never passed over in silence.

import { iterate, type Message, type SubscribeOptions } from "./iterate.ts";
import { Listeners } from "./listeners.ts";
import { Poller, type State } from "./poller.ts";
import { randomId, Settings } from "./settings.ts";
import { type Callback, deliver, type Demand, type Subscription } from "./subscription.ts";
import { canShare, Tabs } from "./tabs.ts";
import { isHidden } from "./visibility.ts";
import type { Positions, WireMessage } from "./wire.ts";

export type { Message, SubscribeOptions } from "./iterate.ts";
export type { State } from "./poller.ts";

/** What `on` tells of. */
export interface BusEvents {
  state: { readonly state: State; readonly status?: number };
  /** Something was missed for good: the server keeps it no more. What follows begins after the gap. */
  gap: { readonly channel: string; readonly head: number };
  /** This channel may not be read. */
  denied: { readonly channel: string; readonly code: string };
  /** A callback threw, or an answer could not be understood. */
  error: { readonly error: unknown };
}

type Waiting = readonly [one: Subscription, message: WireMessage];

export class Bus extends Settings {
  state: State = "idle";
  readonly #listeners = new Listeners<BusEvents>();
  readonly #poller: Poller;
  #tabs: Tabs | undefined;
  #isStarted = false;
  #isStopped = false;
  #isPaused = false;
  #later: Waiting[] = [];
  #keys = 0;
  #refreshing = false;

  constructor(settings: Partial<Settings> = {}) {
    super();
    Object.assign(this, settings);
    this.#poller = new Poller({
      settings: this,
      subscriptions: () => [...(this.#isFull ? [] : this.callbacks), ...(this.#tabs?.subscriptions ?? [])],
      onMessages: (messages, asked) => this.#arrived(messages, asked),
      onState: (state, status) => {
        if (this.#turn(state, status) || state === "connecting") this.#tabs?.say(this.clientId, this.state, status);
      },
      onError: (error) => this.#fail(error),
    });
  }

  /** @returns `func`. Throws when the channel is no string or the position no number. */
  subscribe<T = unknown>(
    channel: string,
    func: (data: T, globalId: number, messageId: number) => unknown,
    options: number | SubscribeOptions | null = -1,
  ): typeof func {
    const { lastId = -1, signal } = typeof options === "object" ? (options ?? {}) : { lastId: options };
    if (typeof lastId !== "number") throw new TypeError(`lastId has type ${typeof lastId} but a number was expected.`);
    if (typeof channel !== "string") throw new TypeError("Channel name must be a string!");
    if (signal?.aborted) return func;
    const one: Subscription = { channel, func: func as Callback, last_id: lastId, key: ++this.#keys };
    this.callbacks.push(one);
    signal?.addEventListener("abort", () => this.#drop((other) => other === one));
    if (!this.#isStopped) this.start();
    this.#changed();
    return func;
  }

  /** `*` at the end of the channel: all that begin so. Without `func`: whoever is subscribed. */
  unsubscribe(channel: string, func?: (...told: never[]) => unknown): boolean {
    const start = channel.endsWith("*") ? channel.slice(0, -1) : undefined;
    return this.#drop(
      (one) =>
        (start === undefined ? one.channel === channel : one.channel.startsWith(start)) &&
        (func === undefined || one.func === (func as Callback)),
    );
  }

  /** The next message of a channel. Rejects when the signal says so. */
  async once<T = unknown>(channel: string, options: SubscribeOptions = {}): Promise<Message<T>> {
    for await (const message of this.messages<T>(channel, options)) return message;
    throw options.signal?.reason;
  }

  /** The messages of a channel, until the signal ends it or the loop is left. */
  messages<T = unknown>(channel: string, options: SubscribeOptions = {}): AsyncGenerator<Message<T>, void> {
    return iterate<T>((take, all) => this.subscribe(channel, take, all), options);
  }

  /** Resolves when the server has answered; at once when it is connected. */
  async ready(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.state === "connected") return;
    await new Promise<void>((done, fail) => {
      const off = this.on("state", ({ state }) => {
        if (state !== "connected") return;
        off();
        done();
      });
      signal?.addEventListener("abort", () => {
        off();
        fail(signal.reason as Error);
      });
    });
  }

  /** @returns what ends it */
  on<K extends keyof BusEvents>(type: K, listener: (detail: BusEvents[K]) => void): () => void {
    return this.#listeners.add(type, listener);
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#isStopped = false;
    globalThis.document?.addEventListener("visibilitychange", this.onVisibilityChange);
    globalThis.addEventListener?.("online", this.#onOnline);
    if (this.#tabs || !this.shareTabs || !canShare()) this.#changed();
    else this.#share();
  }

  stop(): void {
    this.#isStarted = false;
    this.#isStopped = true;
    globalThis.document?.removeEventListener("visibilitychange", this.onVisibilityChange);
    globalThis.removeEventListener?.("online", this.#onOnline);
    this.#poller.stop();
    this.#tabs?.close();
    this.#tabs = undefined;
    this.#turn("stopped");
  }

  /** Messages wait until `resume`. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (this.#isFull) this.#changed();
    this.#isPaused = false;
    for (const [one, message] of this.#later.splice(0)) this.#hand(one, message);
  }

  status(): "started" | "paused" | "stopped" {
    return this.#isPaused ? "paused" : this.#isStarted ? "started" : "stopped";
  }

  /** What it is doing; written to the console too, as MessageBus' client does. */
  diagnostics(): Record<string, unknown> {
    const { failures, requests, startedAt } = this.#poller;
    const lastRequestMs = Math.round(performance.now() - startedAt);
    const leads = this.#tabs?.leads ?? true;
    const now = { state: this.state, status: this.status(), leads, requests, failures, lastRequestMs };
    const all = { ...now, callbacks: this.callbacks, later: this.#later.length };
    // oxlint-disable-next-line no-console -- That is what it is for.
    console.log(all);
    return all;
  }

  /** May be called by hand where the page knows better. */
  readonly onVisibilityChange = (): void => {
    this.#tabs?.seen();
    if (!isHidden()) this.#poller.hurry();
  };

  readonly #onOnline = (): void => this.#poller.hurry();

  get #isFull(): boolean {
    return this.#isPaused && this.#later.length >= this.maxPaused;
  }

  #share(): void {
    const wish = ({ key = 0, channel, last_id }: Subscription) => [key, channel, last_id] as const;
    this.#tabs = new Tabs({
      name: `antiphon-bus ${this.baseUrl} ${JSON.stringify(this.headers)}`,
      tab: randomId(),
      wishes: () => (this.#isFull ? [] : this.callbacks.map(wish)),
      onLead: (leads) => (leads ? this.#poller.refresh() : this.#poller.stop()),
      onWishes: () => this.#changed(),
      onGift: (key, lastId, message) => {
        const one = this.callbacks.find((other) => other.key === key);
        if (one === undefined || (message && one.last_id >= 0 && lastId <= one.last_id)) return;
        one.last_id = lastId;
        if (message) this.#hand(one, message);
      },
      onNotes: (notes) => this.#tell(notes),
      onState: (client, state, status) => {
        this.clientId = client;
        this.#turn(state, status);
      },
    });
  }

  /** Once for all that changes in one go. */
  #changed(): void {
    if (this.#refreshing) return;
    this.#refreshing = true;
    queueMicrotask(() => {
      this.#refreshing = false;
      if (!this.#isStarted) return;
      if (this.#tabs && !this.#tabs.leads) this.#tabs.wish();
      else this.#poller.refresh();
    });
  }

  #drop(which: (one: Subscription) => boolean): boolean {
    const left = this.callbacks.filter((one) => !which(one));
    if (left.length === this.callbacks.length) return false;
    this.callbacks.splice(0, this.callbacks.length, ...left);
    this.#changed();
    return true;
  }

  #arrived(messages: readonly WireMessage[], asked: Demand): void {
    const all = [...this.callbacks, ...(this.#tabs?.subscriptions ?? [])];
    const notes = deliver(all, asked, { messages, hand: (one, message) => this.#hand(one, message) });
    this.#tabs?.flush(notes);
    this.#tell(notes);
  }

  #hand(one: Subscription, message: WireMessage): void {
    const { data, global_id, message_id } = message;
    if (this.#isPaused && one.moved === undefined) {
      if (this.#later.push([one, message]) === this.maxPaused) this.#changed();
    } else void (async () => one.func(data as never, global_id, message_id))().catch((error) => this.#fail(error));
  }

  #tell(notes: readonly WireMessage[]): void {
    for (const { channel: kind, data } of notes) {
      for (const [channel, value] of Object.entries(data as Positions)) {
        if (!this.callbacks.some((one) => one.channel === channel)) continue;
        if (kind === "/__gap") this.#listeners.tell("gap", { channel, head: value });
        else if (kind === "/__denied") this.#listeners.tell("denied", { channel, code: String(value) });
      }
    }
  }

  /** @returns whether that is new */
  #turn(state: State, status?: number): boolean {
    // Between two requests it is as connected as before.
    if (state === this.state || (state === "connecting" && this.state === "connected")) return false;
    this.state = state;
    if (state === "denied") this.#isStarted = false;
    this.#listeners.tell("state", { state, ...(status !== undefined && { status }) });
    return true;
  }

  #fail(error: unknown): void {
    this.#listeners.tell("error", { error });
    // As if nobody had caught it: consoles and error trackers hear of it.
    globalThis.reportError?.(error);
  }
}
