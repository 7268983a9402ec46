// One connection to a network after its welcome: joins, catches up on what was missed, then hears and speaks until it ends.
//
//   welcome ──▶ joining ──▶ catching up (probe, histories) ──▶ live ──▶ over

import type { ActionOutcome, Inbound, ResumeState } from "../../sdk/adapter.ts";
import type { Action } from "../../sdk/action.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import { Channels, type Wishes } from "./channels.ts";
import { answerTo, formatCtcp, parseCtcp } from "./ctcp.ts";
import { Hearing } from "./hearing.ts";
import { Histories } from "./histories.ts";
import { NickKeeper, PROBE_MS } from "./keeper.ts";
import { formatLine, type Line } from "./line.ts";
import type { Link } from "./link.ts";
import { type Marks, timeOf } from "./marks.ts";
import { Outgoing } from "./outgoing.ts";
import { refusalOf } from "./refusal.ts";
import type { Welcome } from "./registration.ts";
import { Sayings } from "./sayings.ts";
import type { Network } from "./settings.ts";
import { type Mask, wordsOf } from "./speech.ts";

export interface SessionOptions {
  readonly link: Link;
  readonly welcome: Welcome;
  readonly network: Network;
  readonly unit: string;
  /** See HearingOptions. */
  readonly connection: string;
  readonly wishes: Wishes;
  readonly marks: Marks;
  readonly clock: Clock;
  readonly random: Random;
  readonly resume: () => ResumeState;
  readonly heard: (...inbound: readonly Inbound[]) => void;
  /** Whether it is still ours to be here. A frozen process that goes on finds questions that are not meant for it any more. */
  readonly leads: () => boolean;
  readonly warn: (text: string, fields: Readonly<Record<string, unknown>>) => void;
}

const SYNC_MS = 20_000;
/** Answers to CTCP: so many at once, and one more in so long. */
const CTCP_PACE = { burst: 3, refillMs: 4_000 };
/** Lines that come while history is read. */
const LATER_MAX = 1_000;
/** A backlog above it says "later" instead of waiting. */
const BACKLOG_MS_MAX = 8_000;
const ANSWER_MS = 5_000;

export class Session {
  readonly keeper: NickKeeper;
  readonly #options: SessionOptions;
  readonly #channels: Channels;
  readonly #outgoing: Outgoing;
  readonly #sayings: Sayings;
  readonly #hearing: Hearing;
  readonly #histories: Histories;
  readonly #over = new AbortController();
  readonly #mask: { user: string | undefined; host: string | undefined } = { user: undefined, host: undefined };
  /** Words that came while history is read; undefined when live. */
  #later: Line[] | undefined = [];
  #sync: { readonly text: string; readonly done: () => void } | undefined;
  #syncs = 0;
  #pingedAt: number | undefined;
  #ctcp = { tokens: CTCP_PACE.burst, at: 0 };

  constructor(options: SessionOptions) {
    const { link, welcome, network, clock, random, marks } = options;
    const { isupport, capabilities } = welcome;
    this.#options = options;
    this.#outgoing = new Outgoing({ ...network.pace, write: (line) => link.write(line), clock });
    const send = (line: string): void => void this.#outgoing.push("housekeeping", line);
    const refused = (channel: string, why: string): void =>
      options.warn("A channel does not let us in.", { channel, why });
    this.#channels = new Channels({ wishes: options.wishes, isupport, clock, random, refused });
    this.#sayings = new Sayings({
      outgoing: this.#outgoing,
      isupport,
      has: (name) => capabilities.has(name),
      isAway: (target) => this.#channels.isAway(target),
    });
    this.keeper = new NickKeeper({
      wanted: network.identity.nick,
      nick: welcome.nick,
      hasAccount: welcome.account !== undefined,
      isupport,
      clock,
      random,
      send,
      twin: (detail) => link.end({ kind: "twin", detail }),
    });
    this.#hearing = new Hearing({
      unit: options.unit,
      connection: options.connection,
      isupport,
      marks,
      wanted: network.identity.nick,
      nick: () => this.keeper.nick,
      now: () => clock.now(),
      resume: options.resume,
      echoed: (line) => this.#sayings.echoed(line),
    });
    const isOurs = (nick: string): boolean => this.keeper.isSelf(nick);
    this.#histories = new Histories({ welcome, wanted: network.identity.nick, before: marks.copy(), marks, isOurs });
    void link.closed.then(() => this.close());
    link.listen((line) => this.#heard(line));
  }

  /** Joins and reads what was missed; afterwards everything that was heard is handed on, in order. */
  async catchUp(since: number | undefined): Promise<void> {
    const { clock } = this.#options;
    // The name first, so that the channels see it come in.
    if (!this.keeper.isWanted) this.keeper.claim();
    for (const line of this.#channels.joinLines()) this.#outgoing.push("housekeeping", line);
    await this.#inSync();
    if (!this.keeper.isWanted) {
      this.keeper.probe();
      await clock.sleep(PROBE_MS, this.#over.signal);
    }
    await this.#histories.ask(
      this.#channels.joined,
      (line) => this.#outgoing.push("housekeeping", line),
      (ms) => clock.sleep(Math.min(ms, ANSWER_MS), this.#over.signal),
    );
    if (this.#over.signal.aborted) return;
    const joined = [...this.#channels.joined];
    const missed = joined.flatMap((channel) => this.#histories.missed(channel));
    const repaired = joined.every((channel) => this.#histories.isComplete(channel));
    for (const line of missed) this.#tell(line, true);
    if (since !== undefined && joined.length > 0) {
      const reason = repaired ? "read from the server's history" : "not connected, and the server kept no history";
      this.#options.heard(this.#hearing.gap(since, repaired, reason));
    }
    const live = this.#later ?? [];
    this.#later = undefined;
    for (const line of live) this.#tell(line, false);
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  gap(from: number, reason: string): Inbound {
    return this.#hearing.gap(from, false, reason);
  }

  async execute(action: Action, signal: AbortSignal): Promise<ActionOutcome> {
    if (this.#over.signal.aborted) return { ok: false, kind: "transient", error: "not connected" };
    const { backlogMs } = this.#outgoing;
    if (backlogMs > BACKLOG_MS_MAX)
      return { ok: false, kind: "rateLimited", retryAfterMs: backlogMs, error: "many lines wait to be said" };
    if (action.op === "join") this.#channels.enter(action.room);
    if (action.op === "leave") this.#channels.leave(action.room);
    const { isupport } = this.#options.welcome;
    const key = this.#channels.keyOf(action.room);
    const words = wordsOf(action, { mask: this.#maskNow(), isupport, pace: this.#options.network.pace, key });
    if (typeof words === "string") return { ok: false, kind: "permanent", error: words };
    const outcome = await this.#sayings.say(words, signal);
    if (action.op === "join" && !outcome.ok && outcome.kind === "permanent") this.#channels.withdraw(action.room);
    return outcome;
  }

  find(action: Action): ActionOutcome | "absent" | "unknown" {
    return this.#histories.find(action, this.#options.welcome.isupport.fold(action.room));
  }

  /** Now and then: is the server there, is the nick ours, are we in our channels? */
  pulse(): void {
    const { link, network } = this.#options;
    const { silentMs } = link;
    if (silentMs < network.pingMs) this.#pingedAt = undefined;
    else if (this.#pingedAt === undefined) {
      this.#pingedAt = silentMs;
      this.#outgoing.urgent(formatLine("PING", ["antiphon"]));
    } else if (silentMs > this.#pingedAt + network.pingMs / 2) {
      link.end({ kind: "lost", detail: `the server said nothing for ${Math.round(silentMs / 1000)} s` });
    }
    if (this.#later !== undefined) return;
    this.keeper.pulse();
    for (const line of this.#channels.due()) this.#outgoing.push("housekeeping", line);
  }

  /** Says goodbye; the server ends the connection when everything before has been said. */
  quit(): void {
    this.#options.link.expectEnd({ kind: "lost", detail: "we left" });
    this.#outgoing.urgent(formatLine("QUIT", ["handing over"]));
  }

  close(): void {
    this.#over.abort("closed");
    this.#sayings.close();
    this.#outgoing.close();
    this.#sync?.done();
    this.#histories.close();
  }

  #heard(line: Line): void {
    const { link, welcome } = this.#options;
    const refusal = refusalOf(line);
    if (refusal) return link.expectEnd(refusal);
    if (line.command === "PING") return this.#outgoing.urgent(formatLine("PONG", line.params.slice(-1)));
    if (line.command === "005") welcome.isupport.read(line.params);
    if (line.command === "CAP")
      for (const answer of welcome.capabilities.heard(line)) this.#outgoing.push("housekeeping", answer);
    if (line.command === "PONG" && line.params.at(-1) === this.#sync?.text) return this.#sync?.done();
    const played = this.#histories.heard(line, this.#later !== undefined);
    if (played) for (const missed of played) this.#tell(missed, true);
    else if (!this.#sayings.heard(line)) this.#others(line);
  }

  #others(line: Line): void {
    const isSelf = this.keeper.isSelf(line.source?.nick);
    const isKicked = line.command === "KICK" && this.keeper.isSelf(line.params[1]);
    if (isSelf) this.#learnMask(line);
    this.keeper.heard(line);
    this.#channels.heard(line, line.command === "KICK" ? isKicked : isSelf);
    if (line.command === "JOIN" && isSelf) this.#entered(line);
    if (line.command === "PRIVMSG" && !isSelf) this.#answer(line);
    if (this.#later === undefined) this.#tell(line, false);
    else if (this.#later.length < LATER_MAX) this.#later.push(line);
  }

  #tell(line: Line, replayed: boolean): void {
    const inbound = this.#hearing.toInbound(line, replayed);
    if (inbound) this.#options.heard(inbound);
  }

  /** From here on its history is ours. */
  #entered(line: Line): void {
    const { marks, welcome, clock } = this.#options;
    const name = welcome.isupport.fold(line.params[0] ?? "");
    if (!marks.get(name)) marks.note(name, { at: timeOf(line, clock.now()) });
  }

  #answer({ params, source }: Line): void {
    const question = parseCtcp(params[1] ?? "");
    const answer = question && answerTo(question);
    if (!answer || !source || !this.#options.leads() || !this.#mayAnswer()) return;
    this.#outgoing.push("housekeeping", formatLine("NOTICE", [source.nick, formatCtcp(answer)]));
  }

  #mayAnswer(): boolean {
    const now = this.#options.clock.monotonic();
    const refilled = this.#ctcp.tokens + (now - this.#ctcp.at) / CTCP_PACE.refillMs;
    const tokens = Math.min(CTCP_PACE.burst, refilled);
    this.#ctcp = { tokens: tokens < 1 ? tokens : tokens - 1, at: now };
    return tokens >= 1;
  }

  /** Resolves when everything sent before was dealt with, or nothing more is to be waited for. */
  async #inSync(): Promise<void> {
    const done = Promise.withResolvers<void>();
    const waited = new AbortController();
    const text = `sync${++this.#syncs}`;
    this.#sync = { text, done: () => done.resolve() };
    this.#outgoing.push("housekeeping", formatLine("PING", [text]));
    await Promise.race([done.promise, this.#options.clock.sleep(SYNC_MS, waited.signal)]);
    waited.abort("done");
    this.#sync = undefined;
  }

  #learnMask({ source }: Line): void {
    if (source?.user !== undefined) this.#mask.user = source.user;
    if (source?.host !== undefined) this.#mask.host = source.host;
  }

  #maskNow(): Mask {
    const { keeper } = this;
    const nick = keeper.wanted.length > keeper.nick.length ? keeper.wanted : keeper.nick;
    return { nick, ...this.#mask };
  }
}
