// The client of the service: keeps one connection, hands over what was said, does what it is told. It stores first and
// advances after, and asks before each connect whether it still leads.

import { connect, type Socket } from "node:net";
import type {
  Action,
  ActionOutcome,
  Adapter,
  AdapterSurroundings,
  Bucket,
  ChatEvent,
  Host,
  Inbound,
  ResumeState,
  StartOptions,
} from "antiphon/adapter";
import { type ExampleSettings, manifest } from "./adapter.ts";
import { type FromService, Lines, type ToService } from "./wire.ts";

const BATCH_MAX = 100;
/** Events in memory; beyond it the socket is not read. */
const HELD_MAX = 256;
const ANSWER_MS = 10_000;

export class ExampleClient implements Adapter {
  readonly name = manifest.name;
  readonly caps = manifest.caps;
  readonly ingress = manifest.ingress;
  readonly replay = manifest.replay;
  readonly idempotency = manifest.idempotency;
  readonly outbound = manifest.outbound;
  readonly #around: AdapterSurroundings<ExampleSettings>;
  readonly #ended = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, (outcome: ActionOutcome) => void>();
  #host: Host | undefined;
  #unit = "";
  #socket: Socket | undefined;
  #held: Inbound[] = [];
  #storing: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #isRefused = false;
  #questions = 0;
  /** The position of the last event that is stored. */
  #seq = 0;

  constructor(around: AdapterSurroundings<ExampleSettings>) {
    this.#around = around;
  }

  async start(host: Host, { unit, resume, signal }: StartOptions): Promise<void> {
    this.#host = host;
    this.#unit = unit;
    this.#seq = Number(resume?.data["seq"] ?? 0);
    signal.addEventListener("abort", () => void this.stop("fenced", 0), { once: true });
    this.#running = this.#run(host);
    await this.#ready.promise;
  }

  async stop(mode: "handover" | "shutdown" | "fenced", deadlineMs: number): Promise<ResumeState | undefined> {
    this.#socket?.pause();
    if (mode !== "fenced" && this.#storing !== undefined) {
      this.#host?.state("draining");
      await Promise.race([this.#storing, this.#around.clock.sleep(deadlineMs)]);
    }
    this.#ended.abort();
    this.#socket?.destroy();
    await this.#running;
    this.#ready.resolve();
    this.#host?.state("closed", mode);
    return this.#position(this.#seq);
  }

  buckets({ room }: Action): readonly Bucket[] {
    return [
      { key: "all", capacity: 100, refillPerSec: 100 },
      { key: `room:${room}`, capacity: 20, refillPerSec: 20 },
    ];
  }

  /** One attempt. Not heard in time, or cut off meanwhile: nobody knows whether it was done. */
  async execute(action: Action, _attempt: number, signal: AbortSignal): Promise<ActionOutcome> {
    if (action.op !== "send") return { ok: false, kind: "permanent", error: `the service has no ${action.op}` };
    if (!this.#socket?.writable) return { ok: false, kind: "transient", error: "not connected" };
    const n = ++this.#questions;
    const answered = new AbortController();
    const answer = new Promise<ActionOutcome>((resolve) => this.#waiting.set(n, resolve));
    this.#say({ t: "say", n, room: action.room, text: action.text, key: action.id });
    const late = this.#around.clock
      .sleep(ANSWER_MS, AbortSignal.any([signal, answered.signal]))
      .then((): ActionOutcome => ({ ok: false, kind: "ambiguous", error: "no answer" }));
    try {
      return await Promise.race([answer, late]);
    } finally {
      answered.abort();
      this.#waiting.delete(n);
    }
  }

  async #run(host: Host): Promise<void> {
    const { clock, random } = this.#around;
    for (let failures = 0; !this.#ended.signal.aborted && !this.#isRefused; failures++) {
      try {
        host.assert();
        host.state("connecting");
        await this.#connection(host, () => (failures = 0));
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        host.state("degraded", error instanceof Error ? error.message : String(error));
      }
      const pauseMs = Math.min(100 * 2 ** failures, 30_000) * (0.5 + random() / 2);
      if (!this.#isRefused) await clock.sleep(pauseMs, this.#ended.signal);
    }
  }

  /** The life of one connection; rejects when it ended though nobody wanted it to. */
  async #connection(host: Host, welcomed: () => void): Promise<void> {
    const { settings } = this.#around;
    const socket = connect(settings.port, settings.host);
    this.#socket = socket;
    this.#held = [];
    const lines = new Lines();
    socket.setEncoding("utf8");
    socket.on("connect", () => {
      host.state("catchingUp");
      this.#say({ t: "hello", token: settings.token, after: this.#seq });
    });
    socket.on("data", (bytes: string) => {
      try {
        for (const line of lines.push(bytes)) this.#hear(host, JSON.parse(line) as FromService, welcomed);
      } catch {
        socket.destroy(new Error("not the service's protocol"));
      }
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("close", () =>
        this.#ended.signal.aborted ? resolve() : reject(new Error("the connection was lost")),
      );
    }).finally(() => this.#forget());
    await this.#storing;
  }

  #forget(): void {
    for (const answer of this.#waiting.values()) answer({ ok: false, kind: "ambiguous", error: "cut off" });
    this.#waiting.clear();
  }

  #hear(host: Host, message: FromService, welcomed: () => void): void {
    switch (message.t) {
      case "ready":
        welcomed();
        host.state("ready");
        return this.#ready.resolve();
      case "evicted":
        return host.state("evicted", "a newer connection took over");
      case "refused":
        // Nothing that we could try again would help.
        this.#isRefused = true;
        this.#socket?.destroy();
        return host.state("failed", "refused: the token is wrong");
      case "answer":
        return this.#waiting.get(message.n)?.(message.outcome);
      case "event":
        this.#held.push(this.#inbound(message));
        if (this.#held.length >= HELD_MAX) this.#socket?.pause();
        this.#storing ??= this.#store(host).finally(() => (this.#storing = undefined));
    }
  }

  /** Hands over what is held, in order; what cannot be stored now stays first in line. */
  async #store(host: Host): Promise<void> {
    while (this.#held.length > 0 && !this.#ended.signal.aborted) {
      const batch = this.#held.slice(0, BATCH_MAX);
      const answer = await host.intake(batch);
      if (answer === "fenced") return void this.#socket?.destroy();
      if (answer === "ok") {
        this.#seq = Number(batch.at(-1)?.resume?.data["seq"]);
        this.#held.splice(0, batch.length);
        this.#socket?.resume();
      } else {
        await this.#around.clock.sleep(100 + 100 * this.#around.random(), this.#ended.signal);
      }
    }
  }

  #inbound(message: Extract<FromService, { t: "event" }>): Inbound {
    const { seq, id, at, room, user, text } = message;
    const common = { id, adapter: this.name, unit: this.#unit, at, replayed: message.replayed, raw: message };
    const resume = this.#position(seq);
    if (room === undefined || user === undefined || text === undefined) {
      const event: ChatEvent = { ...common, type: "other", name: message.type };
      return { event, dedupe: [id], resume };
    }
    const isSelf = user === "bot";
    const said = {
      id,
      room: { id: room, kind: "channel" },
      user: { id: user, name: user, isBot: isSelf, isSelf },
      text,
      mentionsBot: false,
      sentAt: at,
    } as const;
    return { event: { ...common, type: "message", message: said }, dedupe: [id], resume };
  }

  #position(seq: number): ResumeState {
    return { v: 1, kind: this.name, data: { seq }, at: this.#around.clock.now() };
  }

  #say(message: ToService): void {
    this.#socket?.write(`${JSON.stringify(message)}\n`);
  }
}
