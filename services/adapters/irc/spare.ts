// A connection of a standby: registered under another nick, in no channel, hearing and saying nothing. Whoever becomes the
// leader has only to take the name and join, instead of some seconds of greetings.

import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock, Random } from "../../runtime/clock.ts";
import { Loop } from "../../runtime/loop.ts";
import { enter } from "./entrance.ts";
import { formatLine, type Line } from "./line.ts";
import { Link } from "./link.ts";
import { nextNick } from "./nick.ts";
import type { Welcome } from "./registration.ts";
import type { Network } from "./settings.ts";

export interface SpareOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Prepared {
  readonly link: Link;
  readonly welcome: Welcome;
}

const AGAIN = { firstMs: 5_000, maxMs: 300_000 };
/** Refused: the leader tells why, so nothing is said of it here. */
const REFUSED_MS = 900_000;

export class Spare {
  readonly #options: SpareOptions;
  readonly #over = new AbortController();
  readonly #loop: Loop;
  #open: { readonly link: Link; readonly welcome: Welcome; nick: string } | undefined;
  #link: Link | undefined;
  #taken = false;
  #failures = 0;
  #pauseMs = 0;

  constructor(options: SpareOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#loop = new Loop({
      name: "irc spare",
      intervalMs: () => this.#pauseMs,
      tick: () => this.#tick(),
      onError: () => {},
      clock,
      random,
    });
  }

  async start(): Promise<void> {
    await this.#loop.start();
  }

  get isReady(): boolean {
    return this.#open !== undefined;
  }

  /** The connection, which from now on is the caller's; undefined when there is none. Ends this object either way. */
  take(): Prepared | undefined {
    const open = this.#open;
    this.#taken = open !== undefined;
    void this.stop();
    if (open === undefined) return undefined;
    open.link.hold();
    return { link: open.link, welcome: { ...open.welcome, nick: open.nick } };
  }

  async stop(): Promise<void> {
    this.#over.abort("stopped");
    if (!this.#taken) this.#link?.end({ kind: "lost", detail: "stopped" });
    this.#open = undefined;
    await this.#loop.stop();
  }

  async #tick(): Promise<void> {
    const { network, clock, random } = this.#options;
    this.#pauseMs = backoffMs(this.#failures++, AGAIN, random);
    const link = await Link.open(network.address, clock, this.#over.signal);
    this.#link = link;
    const { nick } = network.identity;
    const identity = { ...network.identity, firstNick: nextNick(nick, 1, nick.length > 8 ? 30 : 9) };
    const entered = this.#over.signal.aborted ? undefined : await enter({ link, identity, clock });
    if (entered && "welcome" in entered && !this.#over.signal.aborted) {
      this.#failures = 0;
      await this.#keep(link, entered.welcome);
    } else {
      if (entered && "refusal" in entered && entered.refusal.kind !== "lost") this.#pauseMs = REFUSED_MS;
      link.end({ kind: "lost", detail: "of no use" });
    }
  }

  /** Until it is lost or taken. */
  async #keep(link: Link, welcome: Welcome): Promise<void> {
    const open = { link, welcome, nick: welcome.nick };
    this.#open = open;
    link.listen((line) => heard(line, open));
    const { clock, network } = this.#options;
    const stopped = new AbortController();
    const ended = AbortSignal.any([this.#over.signal, stopped.signal]);
    void link.closed.then(() => stopped.abort("closed"));
    while (!ended.aborted) {
      await clock.sleep(network.pingMs, ended);
      if (ended.aborted) break;
      if (link.silentMs > 2 * network.pingMs) link.end({ kind: "lost", detail: "the server says nothing" });
      else link.write(formatLine("PING", ["antiphon"]));
    }
    if (this.#open === open) this.#open = undefined;
  }
}

function heard(line: Line, open: { readonly link: Link; readonly welcome: Welcome; nick: string }): void {
  const { isupport } = open.welcome;
  if (line.command === "PING") open.link.write(formatLine("PONG", line.params.slice(-1)));
  else if (line.command === "005") isupport.read(line.params);
  else if (line.command === "NICK" && line.source && isupport.isSame(line.source.nick, open.nick))
    open.nick = line.params[0] ?? open.nick;
}
