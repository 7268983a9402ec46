// The client of the fake chat service: keeps one connection, hands over what was said, executes Actions.
// For tests only; written as every adapter is: store first, advance after; never connect without asking whether we lead.

import type {
  ActionOutcome,
  Adapter,
  Bucket,
  Host,
  Idempotency,
  Inbound,
  Ingress,
  ResumeState,
  StartOptions,
} from "../../sdk/adapter.ts";
import type { Action } from "../../sdk/action.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import { Loop } from "../../runtime/loop.ts";
import { withDeadline } from "../../runtime/part.ts";
import { Link } from "./link.ts";
import { FAKE, type FakeAddress } from "./manifest.ts";
import { toInbound } from "./translate.ts";
import type { FromService } from "./wire.ts";

export interface FakeOptions {
  readonly address: FakeAddress;
  readonly clock: Clock;
  readonly random: Random;
}

const BATCH_MAX = 100;
/** Events in memory; then the socket is not read. */
const HELD_MAX = 256;
const RECONNECT_MS = 100;
const STORE_AGAIN = { firstMs: 50, maxMs: 1_000 };

export class FakeAdapter implements Adapter {
  readonly name = FAKE.name;
  readonly caps = FAKE.caps;
  readonly replay = FAKE.replay;
  readonly outbound = FAKE.outbound;
  readonly ingress: Ingress;
  readonly idempotency: Idempotency;
  readonly reconcile?: (action: Action) => Promise<ActionOutcome | "absent" | "unknown">;
  readonly #options: FakeOptions;
  readonly #ended = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  #host: Host | undefined;
  #start: StartOptions | undefined;
  #link: Link | undefined;
  #loop: Loop | undefined;
  #held: Inbound[] = [];
  #storing: Promise<void> | undefined;
  #reading = true;
  /** The number of the last event that is stored. */
  #seq = 0;

  constructor(options: FakeOptions) {
    this.#options = options;
    this.ingress = options.address.ingress;
    this.idempotency = options.address.idempotency;
    if (this.idempotency === "reconcile") this.reconcile = (action) => this.#find(action);
  }

  async start(host: Host, options: StartOptions): Promise<void> {
    this.#host = host;
    this.#start = options;
    this.#seq = Number(options.resume?.data["seq"] ?? 0);
    const { clock, random } = this.#options;
    this.#loop = new Loop({
      name: `fake ${options.unit}`,
      intervalMs: RECONNECT_MS,
      tick: () => this.#connection(),
      onError: (error) => host.state("degraded", error instanceof Error ? error.message : String(error)),
      clock,
      random,
    });
    await this.#loop.start();
    options.signal.addEventListener("abort", () => void this.stop("fenced", 0), { once: true });
    await this.#ready.promise;
  }

  async stop(mode: "handover" | "shutdown" | "fenced", deadlineMs: number): Promise<ResumeState | undefined> {
    this.#reading = false;
    this.#link?.pause();
    if (mode !== "fenced") {
      this.#host?.state("draining");
      await withDeadline(this.#storing ?? Promise.resolve(), deadlineMs, "storing").catch(() => {});
    }
    this.#ended.abort();
    if (mode === "fenced") this.#link?.destroy();
    else this.#link?.end();
    this.#link?.destroy();
    this.#ready.resolve();
    await this.#loop?.stop();
    this.#host?.state("closed", mode);
    return this.#resume(this.#seq);
  }

  buckets(action: Action): readonly Bucket[] {
    return [
      { key: "all", capacity: 200, refillPerSec: 200 },
      { key: `room:${action.room}`, capacity: 50, refillPerSec: 50 },
      { key: `op:${action.op}`, capacity: 200, refillPerSec: 200 },
    ];
  }

  async execute(action: Action, _attempt: number, signal: AbortSignal): Promise<ActionOutcome> {
    const link = this.#link;
    if (!link) return { ok: false, kind: "transient", error: "not connected" };
    const question = { t: "do" as const, action };
    const outcome = await link.ask(this.idempotency === "key" ? { ...question, key: action.id } : question, signal);
    return outcome === "absent" ? { ok: false, kind: "permanent", error: "no outcome" } : outcome;
  }

  async #find(action: Action): Promise<ActionOutcome | "absent" | "unknown"> {
    const answer = await this.#link?.ask({ t: "find", id: action.id }, this.#ended.signal);
    return answer === undefined || (answer !== "absent" && !answer.ok) ? "unknown" : answer;
  }

  /** The life of one connection. */
  async #connection(): Promise<void> {
    const host = this.#host as Host;
    if (this.#ended.signal.aborted) return;
    host.assert();
    host.state("connecting");
    const { address, clock } = this.#options;
    const onMessage = (message: FromService): void => this.#hear(message);
    const link = await Link.open({ host: address.host, port: address.port, clock, onMessage }, this.#ended.signal);
    // Connecting took time: a process that was frozen meanwhile must not evict its successor.
    host.assert();
    this.#link = link;
    this.#held = [];
    host.state("catchingUp");
    const token = address.token === undefined ? {} : { token: address.token };
    link.say({ t: "hello", client: `${this.#start?.unit} ${this.#start?.epoch}`, after: this.#seq, ...token });
    await link.closed;
    this.#link = undefined;
    await this.#storing;
    if (!this.#ended.signal.aborted) throw new Error("the connection was lost");
  }

  #hear(message: FromService): void {
    const host = this.#host as Host;
    if (message.t === "ready") {
      host.state("ready");
      this.#ready.resolve();
    } else if (message.t === "evicted") {
      host.state("evicted", "a newer connection took over");
    } else if (message.t === "refused") {
      this.#refused(host, message.why);
    } else if (message.t === "event" && this.#reading) {
      this.#held.push(toInbound(message, this.#start?.unit ?? "", (seq) => this.#resume(seq)));
      if (this.#held.length >= HELD_MAX) this.#link?.pause();
      this.#storing ??= this.#store().finally(() => (this.#storing = undefined));
    }
  }

  /** Hands over what is held, in order; what the host does not take now stays first in line. */
  async #store(): Promise<void> {
    const host = this.#host as Host;
    for (let failures = 0; this.#held.length > 0 && !this.#ended.signal.aborted;) {
      const batch = this.#held.slice(0, BATCH_MAX);
      const answer = await host.intake(batch);
      if (answer === "fenced") return this.#leave();
      if (answer === "ok") {
        failures = 0;
        this.#seq = Math.max(this.#seq, Number(batch.at(-1)?.resume?.data["seq"]));
        this.#held.splice(0, batch.length);
        if (this.#held.length < HELD_MAX && this.#reading) this.#link?.resume();
      } else {
        await this.#options.clock.sleep(backoffMs(failures++, STORE_AGAIN, this.#options.random), this.#ended.signal);
      }
    }
  }

  #refused(host: Host, why: "credentials" | "busy"): void {
    if (why === "busy") return host.state("degraded", "refused: another connection is open");
    host.state("failed", "refused: the token is wrong");
    this.#leave();
  }

  /** Another leads: say no more and ask for no more. */
  #leave(): void {
    this.#ended.abort();
    this.#link?.destroy();
  }

  #resume(seq: number): ResumeState {
    return { v: 1, kind: "fake", data: { seq }, at: this.#options.clock.now() };
  }
}
