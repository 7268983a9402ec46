// Keeps the bot's name: takes it back from our own ghost, with the services' help where we have an account, and finds out
// whether who has it is another living bot of the same name. Of two such, the one that came later gives up.
//
//   ours ◀──NICK── asking (probe, then NICK and REGAIN again and again) ◀── in use at the connect
//   ours ──renamed by others──▶ asking;   a living Antiphon answers the probe ──▶ twin

import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import { formatCtcp, parseCtcp, PROGRAM } from "./ctcp.ts";
import type { Isupport } from "./isupport.ts";
import { formatLine, type Line } from "./line.ts";

export interface KeeperOptions {
  readonly wanted: string;
  /** What the server calls us now. */
  readonly nick: string;
  /** Logged in: the services may give us the nick. */
  readonly hasAccount: boolean;
  readonly isupport: Isupport;
  readonly clock: Clock;
  readonly random: Random;
  readonly send: (line: string) => void;
  readonly twin: (detail: string) => void;
}

const AGAIN = { firstMs: 2_000, maxMs: 15_000 };
/** How long a living bot may take to answer. */
export const PROBE_MS = 1_000;
const PROBE_AGAIN_MS = 60_000;
/** An answer that comes later is no sign of life: it may have lain in the socket of a process that was frozen. */
const ANSWER_MS_MAX = 10_000;
const SERVICES_AGAIN_MS = 60_000;
const SERVICES = "NickServ";
/** Atheme, Anope 2, and what both have had for long. */
const VERBS = ["REGAIN", "RECOVER", "GHOST"] as const;
const UNKNOWN_VERB = /unknown command|invalid command/i;

export class NickKeeper {
  readonly wanted: string;
  readonly #options: KeeperOptions;
  #nick: string;
  #failures = 0;
  #againAt: number;
  #probedAt: number | undefined;
  #servicesAt = -Infinity;
  #verb = 0;
  #askedAt = -Infinity;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.wanted = options.wanted.slice(
      0,
      options.isupport.has("NICKLEN") ? options.isupport.size("NICKLEN") : undefined,
    );
    this.#nick = options.nick;
    this.#againAt = options.clock.monotonic() + PROBE_MS;
  }

  get nick(): string {
    return this.#nick;
  }

  get isWanted(): boolean {
    return this.#isSame(this.#nick, this.wanted);
  }

  isSelf(nick: string | undefined): boolean {
    return nick !== undefined && this.#isSame(nick, this.#nick);
  }

  /** Asks for the name at once. */
  claim(): void {
    this.#askedAt = this.#options.clock.monotonic();
    this.#options.send(formatLine("NICK", [this.wanted]));
  }

  /** Asks who has the name. A ghost says nothing. */
  probe(): void {
    this.#probedAt = this.#options.clock.monotonic();
    this.#options.send(formatLine("PRIVMSG", [this.wanted, formatCtcp({ name: "VERSION", text: "" })]));
  }

  heard(line: Line): void {
    const { command, params, source } = line;
    if (command === "NICK" && this.isSelf(source?.nick)) this.#renamed(params[0] ?? this.#nick);
    else if ((command === "QUIT" || command === "NICK") && this.#isHolder(source?.nick)) this.#ask();
    else if (command === "NOTICE" && !this.isWanted) this.#told(line);
  }

  /** Now and then. */
  pulse(): void {
    const now = this.#options.clock.monotonic();
    if (this.isWanted || now < this.#againAt) return;
    if (this.#probedAt === undefined || now - this.#probedAt > PROBE_AGAIN_MS) this.probe();
    if (this.#options.hasAccount && now - this.#servicesAt > SERVICES_AGAIN_MS) this.#askServices();
    this.#ask();
  }

  #ask(): void {
    const { clock, random, send } = this.#options;
    this.#askedAt = clock.monotonic();
    this.#againAt = this.#askedAt + backoffMs(this.#failures++, AGAIN, random);
    send(formatLine("NICK", [this.wanted]));
  }

  /** Logged in, so no password is ever said to whoever may be called NickServ. */
  #askServices(): void {
    this.#servicesAt = this.#options.clock.monotonic();
    this.#options.send(formatLine("PRIVMSG", [SERVICES, `${VERBS[this.#verb % VERBS.length]} ${this.wanted}`]));
  }

  #renamed(nick: string): void {
    const { clock, hasAccount, twin } = this.#options;
    const wasWanted = this.isWanted;
    this.#nick = nick;
    if (this.isWanted) {
      this.#failures = 0;
      return;
    }
    const isForced = wasWanted && clock.monotonic() - this.#askedAt > PROBE_MS;
    if (isForced && hasAccount) twin(`another client of the same account took the nick ${this.wanted}`);
    else this.#againAt = clock.monotonic() + AGAIN.maxMs;
  }

  #told({ params, source }: Line): void {
    const said = params.at(-1) ?? "";
    if (source && this.#isSame(source.nick, SERVICES)) {
      if (UNKNOWN_VERB.test(said) && this.#verb < VERBS.length - 1) {
        this.#verb++;
        this.#askServices();
      } else if (this.#servicesAt > this.#askedAt) this.#ask();
      return;
    }
    const answer = parseCtcp(said);
    if (!this.#isHolder(source?.nick) || answer?.name !== "VERSION" || !answer.text.startsWith(PROGRAM)) return;
    const waitedMs = this.#options.clock.monotonic() - (this.#probedAt ?? -Infinity);
    if (waitedMs > ANSWER_MS_MAX) return;
    this.#options.twin(`another ${PROGRAM} speaks as ${this.wanted} already: two bots must not have the same nick`);
  }

  #isHolder(nick: string | undefined): boolean {
    return nick !== undefined && !this.isWanted && this.#isSame(nick, this.wanted);
  }

  #isSame(one: string, other: string): boolean {
    return this.#options.isupport.isSame(one, other);
  }
}
