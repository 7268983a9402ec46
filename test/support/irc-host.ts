// A host that keeps what an IRC adapter hands over, and the adapter around it, in this process.

import { IrcAdapter } from "../../services/adapters/irc/adapter.ts";
import type { ChatEvent, ConnState, Host, Inbound, NackReason, ResumeState } from "../../services/sdk/adapter.ts";
import type { Action } from "../../services/sdk/action.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { waitFor } from "./wait-for.ts";

export class IrcBench implements Host {
  readonly events: ChatEvent[] = [];
  readonly states: { readonly state: ConnState; readonly detail: string }[] = [];
  readonly logs: string[] = [];
  /** What the host answers. */
  answer: "ok" | NackReason = "ok";
  /** Of the last event. */
  resume: ResumeState | undefined;
  readonly adapter: IrcAdapter;
  readonly #stopped = new AbortController();
  readonly #seen = new Set<string>();
  #actions = 0;

  constructor(settings: Readonly<Record<string, unknown>>) {
    this.adapter = new IrcAdapter({
      settings: { tls: false, burst: 100, lineMs: 1, ...settings },
      clock: systemClock,
      random: Math.random,
    });
  }

  /** Does not wait until it is ready. */
  start(resume?: ResumeState, epoch = 1): this {
    const options = { unit: "irc", role: "leader", epoch, signal: this.#stopped.signal } as const;
    void this.adapter.start(this, resume ? { ...options, resume } : options);
    return this;
  }

  async ready(): Promise<this> {
    await waitFor(() => this.is === "ready", { timeoutMs: 30_000, what: `ready, not ${JSON.stringify(this.states)}` });
    return this;
  }

  state(state: ConnState, detail = ""): void {
    this.states.push({ state, detail });
  }

  get is(): ConnState | undefined {
    return this.states.at(-1)?.state;
  }

  get detail(): string {
    return this.states.at(-1)?.detail ?? "";
  }

  /** Words of people, once each. */
  get texts(): string[] {
    return this.events.flatMap((event) =>
      event.type === "message" && !event.message.user.isSelf ? [event.message.text] : [],
    );
  }

  get gaps(): Extract<ChatEvent, { type: "gap" }>[] {
    return this.events.filter((event) => event.type === "gap");
  }

  async intake(batch: readonly Inbound[]): Promise<"ok" | NackReason> {
    await Promise.resolve();
    if (this.answer !== "ok") return this.answer;
    for (const inbound of batch) {
      this.resume = inbound.resume ?? this.resume;
      const [key = ""] = inbound.dedupe;
      if (!this.#seen.has(key)) this.events.push(inbound.event);
      this.#seen.add(key);
    }
    return "ok";
  }

  assert(): void {}

  log(_level: string, text: string, fields?: Readonly<Record<string, unknown>>): void {
    this.logs.push(`${text} ${JSON.stringify(fields ?? {})}`);
  }

  now(): number {
    return Date.now();
  }

  act(action: Partial<Action> & { room: string }): ReturnType<IrcAdapter["execute"]> {
    const whole = { id: `action${++this.#actions}`, unit: "irc", op: "send", text: "hello", ...action } as Action;
    return this.adapter.execute(whole, 0, this.#stopped.signal);
  }

  /** As SIGKILL: nothing is said, nothing is stored. */
  async vanish(): Promise<void> {
    await this.adapter.stop("fenced", 0);
  }

  async stop(): Promise<ResumeState | undefined> {
    return this.adapter.stop("handover", 4_000);
  }
}
