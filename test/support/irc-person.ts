// The person in the channel: a client that others wrote (irc-framework), so that our notion of IRC is not tested by itself.

import { createRequire } from "node:module";
import { waitFor } from "./wait-for.ts";

/** What of irc-framework is used here; it has no types of its own. */
interface Framework {
  connect(options: Readonly<Record<string, unknown>>): void;
  on(event: string, hear: (event: Heard) => void): void;
  join(channel: string, key?: string): void;
  part(channel: string): void;
  say(target: string, text: string): void;
  raw(line: string): void;
  quit(text?: string): void;
  readonly user: { readonly nick: string };
  readonly connection: { readonly connected: boolean; end(): void };
}

interface Heard {
  readonly nick?: string;
  readonly target?: string;
  readonly channel?: string;
  readonly message?: string;
  readonly new_nick?: string;
  readonly topic?: string;
  readonly type?: string;
  readonly kicked?: string;
  readonly line?: string;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Something heard, and when (monotonic ms). */
export interface Said {
  readonly nick: string;
  readonly target: string;
  readonly text: string;
  readonly at: number;
}

const { Client } = createRequire(import.meta.url)("irc-framework") as { Client: new () => Framework };

export class IrcPerson {
  readonly nick: string;
  readonly said: Said[] = [];
  readonly notices: Said[] = [];
  /** `join bot #ops`, `quit bot`, `nick bot bot_` …, in order. */
  readonly seenAt: { readonly what: string; readonly at: number }[] = [];
  readonly topics = new Map<string, string>();
  readonly #client: Framework;
  readonly #ison: string[] = [];

  private constructor(nick: string, client: Framework) {
    this.nick = nick;
    this.#client = client;
    client.on("privmsg", (event) => this.said.push(saidOf(event)));
    client.on("notice", (event) => this.notices.push(saidOf(event)));
    client.on("ctcp response", (event) =>
      this.notices.push({ ...saidOf(event), text: `${event.type} ${event.message}` }),
    );
    client.on("join", (event) => this.#saw(`join ${event.nick} ${event.channel}`));
    client.on("part", (event) => this.#saw(`part ${event.nick} ${event.channel}`));
    client.on("quit", (event) => this.#saw(`quit ${event.nick}`));
    client.on("kick", (event) => this.#saw(`kick ${event.kicked} ${event.channel}`));
    client.on("nick", (event) => this.#saw(`nick ${event.nick} ${event.new_nick}`));
    client.on("raw", ({ line = "" }) => / 303 /.test(line) && this.#ison.push(line));
    client.on("topic", (event) => this.topics.set(event.channel ?? "", event.topic ?? ""));
  }

  /** In the channel when it answers. */
  static async join(at: number | Address, nick: string, channel = "#ops", password?: string): Promise<IrcPerson> {
    const { host, port } = typeof at === "number" ? { host: "127.0.0.1", port: at } : at;
    const client = new Client();
    const person = new IrcPerson(nick, client);
    client.connect({
      host,
      port,
      nick,
      username: nick,
      gecos: nick,
      ...(password !== undefined && { password }),
      auto_reconnect: false,
      ping_interval: 0,
      ping_timeout: 0,
    });
    client.on("registered", () => client.join(channel));
    const isIn = (): boolean => person.seen.includes(`join ${nick} ${channel}`);
    await waitFor(isIn, { timeoutMs: 20_000, what: `${nick} is in ${channel}` });
    return person;
  }

  get seen(): string[] {
    return this.seenAt.map(({ what }) => what);
  }

  say(text: string, target = "#ops"): void {
    this.#client.say(target, text);
  }

  raw(line: string): void {
    this.#client.raw(line);
  }

  /** What was said in a room, by whom it may be. */
  texts(by: RegExp, target = "#ops"): string[] {
    return this.said.filter((one) => by.test(one.nick) && one.target === target).map((one) => one.text);
  }

  /** Who is in the channel, as the server says. */
  async sees(what: string, timeoutMs = 20_000): Promise<void> {
    await waitFor(() => this.seen.includes(what), {
      timeoutMs,
      what: `${this.nick} sees "${what}" in ${this.seen.join("; ")}`,
    });
  }

  /** What was heard and seen so far. */
  forget(): void {
    for (const list of [this.said, this.notices, this.seenAt]) list.length = 0;
  }

  #saw(what: string): void {
    this.seenAt.push({ what, at: performance.now() });
  }

  /** Whether somebody of this nick is connected. */
  async isOnline(nick: string): Promise<boolean> {
    const answers = this.#ison.length;
    this.#client.raw(`ISON ${nick}`);
    await waitFor(() => this.#ison.length > answers, { what: "an answer to ISON" });
    return this.#ison.at(-1)?.includes(nick) ?? false;
  }

  async leave(): Promise<void> {
    if (!this.#client.connection.connected) return;
    this.#client.quit("bye");
    this.#client.connection.end();
    await waitFor(() => !this.#client.connection.connected, { what: `${this.nick} is gone` });
  }
}

function saidOf(event: Heard): Said {
  return { nick: event.nick ?? "", target: event.target ?? "", text: event.message ?? "", at: performance.now() };
}
