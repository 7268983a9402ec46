// What is heard on IRC as every adapter tells it. Pure but for the marks that it moves.
//
// People are known by their account where the server vouches for one, and by `~nick` where anybody could have taken the
// nick: so nobody becomes a member of a group by changing their nick.

import { hash } from "node:crypto";
import type { ChatEvent, ChatMessage, ChatRoom, Inbound, ResumeState } from "../../sdk/adapter.ts";
import { parseCtcp } from "./ctcp.ts";
import type { Isupport } from "./isupport.ts";
import type { Line } from "./line.ts";
import { type Marks, timeOf } from "./marks.ts";
import { isVariant } from "./nick.ts";
import { addressedTo, plainWords } from "./words.ts";

export interface HearingOptions {
  readonly unit: string;
  /** Names this connection, differently from every other that the bot ever had. */
  readonly connection: string;
  readonly isupport: Isupport;
  readonly marks: Marks;
  readonly wanted: string;
  readonly nick: () => string;
  readonly now: () => number;
  readonly resume: () => ResumeState;
  /** Whose words an echo is. */
  readonly echoed: (line: Line) => string | undefined;
}

/** Worth telling, besides words. */
const OTHERS: ReadonlySet<string> = new Set(["JOIN", "PART", "KICK", "QUIT", "NICK", "TOPIC", "NOTICE", "INVITE"]);

export class Hearing {
  readonly #options: HearingOptions;
  #lines = 0;

  constructor(options: HearingOptions) {
    this.#options = options;
  }

  /** Undefined for what tells nothing. Live words move the mark of their channel. */
  toInbound(line: Line, replayed = false): Inbound | undefined {
    const { unit, now } = this.#options;
    const id = this.#idOf(line);
    const at = timeOf(line, now());
    const common = { id, adapter: "irc", unit, at, replayed, raw: rawOf(line) };
    const [target = "", said = ""] = line.params;
    if (line.command === "PRIVMSG" && line.source && target !== "" && parseCtcp(said) === undefined) {
      const message = this.#messageOf(line, { id, at, replayed });
      if (message.room.kind === "channel") this.#note(message.room.id, line, at);
      return this.#inbound({ ...common, type: "message", message });
    }
    if (line.command !== "PRIVMSG" && !OTHERS.has(line.command)) return undefined;
    return this.#inbound({ ...common, type: "other", name: nameOf(line) });
  }

  /** A time in which something may have been said that we do not know. */
  gap(from: number | undefined, repaired: boolean, reason: string): Inbound {
    const { unit, now } = this.#options;
    const to = now();
    const id = `${this.#options.connection}-gap-${++this.#lines}`;
    const common = { id, adapter: "irc", unit, at: to, replayed: false };
    const event: ChatEvent = { ...common, type: "gap", ...(from === undefined ? {} : { from }), to, repaired, reason };
    return this.#inbound(event);
  }

  isSelf(nick: string): boolean {
    return this.#options.isupport.isSame(nick, this.#options.nick());
  }

  #inbound(event: ChatEvent): Inbound {
    return { event, dedupe: [event.id], resume: this.#options.resume() };
  }

  /** The server's id; else what would be the same if it were told again; else the place in this connection. */
  #idOf(line: Line): string {
    const place = ++this.#lines;
    const msgid = line.tags.get("msgid");
    if (msgid !== undefined && msgid !== "") return msgid;
    const time = line.tags.get("time");
    if (time === undefined) return `${this.#options.connection}-${place}`;
    return hash("sha256", JSON.stringify([time, line.source?.nick, line.command, line.params]), "base64url").slice(
      0,
      22,
    );
  }

  #messageOf(line: Line, about: { id: string; at: number; replayed: boolean }): ChatMessage {
    const { wanted, nick, echoed } = this.#options;
    const [target = "", said = ""] = line.params;
    const speaker = line.source?.nick ?? "";
    // In a history also what an earlier leader said, under whichever of our nicks.
    const isSelf = this.isSelf(speaker) || (about.replayed && isVariant(speaker, wanted));
    const { text, mentionsBot } = addressedTo(plainWords(said), [nick(), wanted]);
    const actionId = isSelf ? echoed(line) : undefined;
    return {
      id: about.id,
      room: this.#roomOf(target, speaker, isSelf),
      user: { id: this.#userId(line), name: speaker, isBot: isSelf || line.tags.has("bot"), isSelf },
      text,
      mentionsBot,
      sentAt: about.at,
      ...(actionId === undefined ? {} : { actionId }),
    };
  }

  #roomOf(target: string, speaker: string, isSelf: boolean): ChatRoom {
    const { isupport } = this.#options;
    if (isupport.isChannel(target)) return { id: isupport.fold(target), name: target, kind: "channel" };
    const other = isSelf ? target : speaker;
    return { id: isupport.fold(other), name: other, kind: "dm" };
  }

  #userId(line: Line): string {
    const { isupport } = this.#options;
    const account = line.tags.get("account");
    if (account !== undefined && account !== "" && account !== "*") return isupport.fold(account);
    return `~${isupport.fold(line.source?.nick ?? "")}`;
  }

  #note(channel: string, line: Line, at: number): void {
    const id = line.tags.get("msgid");
    this.#options.marks.note(channel, id === undefined ? { at } : { at, id });
  }
}

function nameOf({ command, params }: Line): string {
  return command === "PRIVMSG" ? `ctcp ${parseCtcp(params[1] ?? "")?.name.toLowerCase()}` : command.toLowerCase();
}

function rawOf({ command, params, source, tags }: Line): unknown {
  return { command, params, ...(source && { source }), ...(tags.size > 0 && { tags: Object.fromEntries(tags) }) };
}
