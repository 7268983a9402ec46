// The client of one IRC network: keeps one connection, hands over what was said, executes Actions.
//
//   start ──▶ connecting ──▶ registering ──▶ catchingUp ──▶ ready ──ended──▶ degraded, or failed ──pause──▶ connecting …
//
// Not promised: that everything said is heard. IRC repeats nothing; what the server's history does not have is told as a gap.

import type { ActionOutcome, Adapter, Bucket, Host, ResumeState, StartOptions } from "../../sdk/adapter.ts";
import type { Action } from "../../sdk/action.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import { Loop } from "../../runtime/loop.ts";
import { withDeadline } from "../../runtime/part.ts";
import type { Wishes } from "./channels.ts";
import { enter } from "./entrance.ts";
import { Inbox } from "./inbox.ts";
import { Link } from "./link.ts";
import { IRC } from "./manifest.ts";
import { Marks } from "./marks.ts";
import type { Refusal } from "./refusal.ts";
import { Session } from "./session.ts";
import { type Prepared, Spare } from "./spare.ts";
import { type Network, networkNames, networkOf } from "./settings.ts";
import { linesMax } from "./speech.ts";

export interface IrcOptions {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly clock: Clock;
  readonly random: Random;
}

/** How long we stay away, by what ended the connection. */
const AWAY: Readonly<Record<Refusal["kind"], { readonly firstMs: number; readonly maxMs: number }>> = {
  lost: { firstMs: 500, maxMs: 60_000 },
  throttled: { firstMs: 20_000, maxMs: 300_000 },
  credentials: { firstMs: 600_000, maxMs: 3_600_000 },
  banned: { firstMs: 600_000, maxMs: 3_600_000 },
  twin: { firstMs: 600_000, maxMs: 3_600_000 },
};
/** Somebody has to change something before this gets better. */
const FAILED: ReadonlySet<Refusal["kind"]> = new Set(["credentials", "banned", "twin"]);
/** A connection that lasted so long forgives the failures before it. */
const SETTLED_MS = 60_000;
const PULSE_MS = 500;
/** What the server may take to answer a goodbye. */
const GOODBYE_MS = 500;
/** How much text goes into a line, for the count of lines alone. */
const LINE_BYTES = 400;

export class IrcAdapter implements Adapter {
  readonly name = IRC.name;
  readonly caps = IRC.caps;
  readonly ingress = IRC.ingress;
  readonly replay = IRC.replay;
  readonly idempotency = IRC.idempotency;
  readonly outbound = IRC.outbound;
  readonly #options: IrcOptions;
  readonly #ended = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  #settled: Network | undefined;
  #host: Host | undefined;
  #start: StartOptions | undefined;
  #loops: readonly Loop[] = [];
  #link: Link | undefined;
  #session: Session | undefined;
  #inbox: Inbox | undefined;
  #spare: Spare | undefined;
  #wishes: Wishes = { configured: [], joined: new Set(), left: new Set() };
  #marks = new Marks();
  /** When something was last heard by any leader; undefined when nothing ever was. */
  #since: number | undefined;
  #connections = 0;
  #failures = 0;
  #pauseMs = 0;
  #isReady = false;
  #isLeaving = false;

  constructor(options: IrcOptions) {
    this.#options = options;
  }

  async units(): Promise<readonly string[]> {
    return networkNames(this.#options.settings);
  }

  async prepare({ unit, signal }: Pick<StartOptions, "unit" | "signal">): Promise<void> {
    const network = networkOf(this.#options.settings, unit.split("/")[1] ?? "");
    if (!network.standby || signal.aborted) return;
    const { clock, random } = this.#options;
    const spare = new Spare({ network, clock, random });
    this.#spare = spare;
    signal.addEventListener("abort", () => void spare.stop(), { once: true });
    await spare.start();
  }

  async start(host: Host, options: StartOptions): Promise<void> {
    this.#host = host;
    this.#start = options;
    this.#settled = networkOf(this.#options.settings, options.unit.split("/")[1] ?? "");
    this.#recall(options.resume);
    const { clock, random } = this.#options;
    this.#inbox = new Inbox({
      host,
      clock,
      random,
      fenced: () => this.#leave(),
      gapTold: () => this.#isReady && host.state("ready"),
      gap: (from, reason) => this.#gap(from, reason),
    });
    const onError = (error: unknown): void => host.state("degraded", textOf(error));
    const name = `${options.unit} connection`;
    this.#loops = [
      new Loop({ name, intervalMs: () => this.#pauseMs, tick: () => this.#tick(), onError, clock, random }),
      new Loop({
        name: `${options.unit} pulse`,
        intervalMs: PULSE_MS,
        tick: async () => this.#session?.pulse(),
        onError,
        clock,
        random,
      }),
    ];
    options.signal.addEventListener("abort", () => void this.stop("fenced", 0), { once: true });
    for (const loop of this.#loops) await loop.start();
    await this.#ready.promise;
  }

  async stop(mode: "handover" | "shutdown" | "fenced", deadlineMs: number): Promise<ResumeState | undefined> {
    const { clock } = this.#options;
    this.#isLeaving = true;
    if (mode !== "fenced" && !this.#ended.signal.aborted) {
      this.#host?.state("draining");
      // Heard to the end: what the server told before it let us go is ours, and the nick is free when we say so.
      this.#session?.quit();
      await Promise.race([this.#link?.closed, clock.sleep(Math.min(GOODBYE_MS, deadlineMs / 2))]);
      await withDeadline(this.#inbox?.flushed() ?? Promise.resolve(), deadlineMs / 2, "storing").catch(() => {});
    }
    this.#leave();
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    this.#host?.state("closed", mode);
    return this.#resume();
  }

  buckets(action: Action): readonly Bucket[] {
    const { pace } = this.#network;
    const text = action.op === "send" ? action.text : "";
    const lines = Math.min(
      linesMax(pace),
      text.split("\n").length - 1 + Math.ceil(Buffer.byteLength(text) / LINE_BYTES),
    );
    const refillPerSec = pace.lineMs === 0 ? 1_000 : 1_000 / pace.lineMs;
    return [{ key: "lines", capacity: pace.burst, refillPerSec, cost: Math.min(pace.burst, Math.max(1, lines)) }];
  }

  async execute(action: Action, _attempt: number, signal: AbortSignal): Promise<ActionOutcome> {
    const session = this.#isReady ? this.#session : undefined;
    if (!session) return { ok: false, kind: "transient", error: "not connected" };
    return session.execute(action, AbortSignal.any([signal, this.#ended.signal]));
  }

  async reconcile(action: Action): Promise<ActionOutcome | "absent" | "unknown"> {
    return this.#session?.find(action) ?? "unknown";
  }

  /** One connection, from the first byte to the last, and how long to stay away after it. */
  async #tick(): Promise<void> {
    if (this.#isLeaving || this.#ended.signal.aborted) return;
    const { clock, random } = this.#options;
    const from = clock.monotonic();
    const reason = await this.#connection().catch((error: unknown): Refusal => ({
      kind: "lost",
      detail: textOf(error),
    }));
    const wasReady = this.#isReady;
    const silentMs = this.#link?.silentMs ?? 0;
    this.#isReady = false;
    this.#session = undefined;
    this.#link = undefined;
    if (this.#isLeaving || this.#ended.signal.aborted) return;
    if (wasReady) this.#since = clock.now() - silentMs;
    if (wasReady && clock.monotonic() - from > SETTLED_MS) this.#failures = 0;
    this.#pauseMs = backoffMs(this.#failures++, AWAY[reason.kind], random);
    this.#host?.state(FAILED.has(reason.kind) ? "failed" : "degraded", reason.detail);
  }

  async #connection(): Promise<Refusal> {
    const host = this.#host as Host;
    const { clock } = this.#options;
    host.assert();
    host.state("connecting", `${this.#network.address.host}:${this.#network.address.port}`);
    const entered = await this.#enter(clock);
    if ("refusal" in entered) return entered.refusal;
    const { link, welcome } = entered;
    host.state("catchingUp");
    const session = this.#sessionOn(link, welcome);
    this.#session = session;
    await session.catchUp(this.#since);
    await this.#inbox?.flushed();
    this.#announce(session);
    return link.closed;
  }

  /** Through the connection that was prepared, or a new one. */
  async #enter(clock: Clock): Promise<Prepared | { readonly refusal: Refusal }> {
    const prepared = this.#spare?.take();
    this.#spare = undefined;
    const link = prepared?.link ?? (await Link.open(this.#network.address, clock, this.#ended.signal));
    this.#link = link;
    if (this.#ended.signal.aborted) link.end({ kind: "lost", detail: "stopped" });
    // Connecting took time: a process that was frozen meanwhile must not come in beside its successor.
    this.#assertOr(link);
    if (prepared) return prepared;
    const entered = await enter({ link, identity: this.#network.identity, clock });
    if ("refusal" in entered) link.end(entered.refusal);
    else this.#assertOr(link);
    return "refusal" in entered ? entered : { link, welcome: entered.welcome };
  }

  #announce(session: Session): void {
    if (this.#ended.signal.aborted || session.isOver) return;
    this.#isReady = true;
    const { nick, wanted, isWanted } = session.keeper;
    this.#host?.state("ready", isWanted ? `as ${nick}` : `as ${nick}, until ${wanted} is free`);
    this.#ready.resolve();
  }

  #sessionOn(link: Link, welcome: ConstructorParameters<typeof Session>[0]["welcome"]): Session {
    const { clock, random } = this.#options;
    const { unit = "", epoch = 0 } = this.#start ?? {};
    return new Session({
      link,
      welcome,
      network: this.#network,
      unit,
      connection: `${epoch}-${++this.#connections}`,
      wishes: this.#wishes,
      marks: this.#marks,
      clock,
      random,
      resume: () => this.#resume(),
      heard: (...inbound) => this.#inbox?.push(...inbound),
      leads: () => this.#leads(),
      warn: (text, fields) => this.#host?.log("warn", text, fields),
    });
  }

  #assertOr(link: Link): void {
    try {
      this.#host?.assert();
    } catch (error) {
      link.end({ kind: "lost", detail: "not the leader any more" });
      throw error;
    }
  }

  /** Asked for its units alone, an adapter needs no address. */
  get #network(): Network {
    const { settings } = this.#options;
    return (this.#settled ??= networkOf(settings, networkNames(settings)[0] ?? ""));
  }

  #leads(): boolean {
    try {
      this.#host?.assert();
      return true;
    } catch {
      return false;
    }
  }

  #gap(from: number, reason: string): ReturnType<Session["gap"]> {
    const session = this.#session;
    if (session) return session.gap(from, reason);
    const { clock } = this.#options;
    const { unit = "", epoch = 0 } = this.#start ?? {};
    const id = `${epoch}-${this.#connections}-late-gap-${from}`;
    const event = { id, adapter: IRC.name, unit, at: clock.now(), replayed: false } as const;
    const gap = { type: "gap", from, to: clock.now(), repaired: false, reason } as const;
    return { event: { ...event, ...gap }, dedupe: [id], resume: this.#resume() };
  }

  /** Another leads, or we are to end: say no more and hear no more. */
  #leave(): void {
    void this.#spare?.stop();
    this.#ended.abort("left");
    this.#isReady = false;
    this.#inbox?.close();
    this.#link?.end({ kind: "lost", detail: "stopped" });
    this.#ready.resolve();
    for (const loop of this.#loops) loop.wake();
  }

  #recall(resume: ResumeState | undefined): void {
    const { channels } = this.#network;
    const data = resume?.kind === "irc" ? resume.data : {};
    const names = (value: unknown): Set<string> => new Set(Array.isArray(value) ? value.map(String) : []);
    this.#wishes = { configured: channels, joined: names(data["joined"]), left: names(data["left"]) };
    this.#marks = new Marks(data["marks"]);
    this.#since = resume?.kind === "irc" ? resume.at : undefined;
  }

  #resume(): ResumeState {
    const { joined, left } = this.#wishes;
    const data = { marks: this.#marks.toData(), joined: [...joined], left: [...left] };
    return { v: 1, kind: "irc", data, at: this.#options.clock.now() };
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
