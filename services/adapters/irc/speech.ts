// An Action as lines of IRC, none longer than the server takes with our name before it. Pure.

import type { Action } from "../../sdk/action.ts";
import type { Isupport } from "./isupport.ts";
import type { Pace } from "./outgoing.ts";
import type { Words } from "./sayings.ts";
import { linesOf, splitText } from "./split.ts";

/** What the server puts before our words when it tells them to others. */
export interface Mask {
  readonly nick: string;
  readonly user: string | undefined;
  readonly host: string | undefined;
}

export interface SpeechOptions {
  readonly mask: Mask;
  readonly isupport: Isupport;
  readonly pace: Pace;
  /** Of the channel, should it be joined. */
  readonly key: string | undefined;
}

/** Where the server has not shown it yet: `~` and ten letters, and a host as long as they may be. */
const USER_BYTES = 11;
const HOST_BYTES = 63;
const TEXT_BYTES_MIN = 64;
/** An Action must be said within its attempt. */
const SAYING_MS_MAX = 20_000;
const LINES_MIN = 4;
const LINES_MAX = 40;

/** Why it cannot be said, as a text. */
export function wordsOf(action: Action, options: SpeechOptions): Words | string {
  const { isupport } = options;
  const target = action.op === "send" && action.to !== undefined ? nickOf(action.to) : action.room;
  if (!isTarget(target)) return `${JSON.stringify(target.slice(0, 60))} is no channel and no nick`;
  const common = { actionId: action.id, target };
  switch (action.op) {
    case "send": {
      const command = action.to === undefined ? "PRIVMSG" : "NOTICE";
      const bounds = { bytesMax: textBytes(command, target, options), linesMax: linesMax(options.pace) };
      return { ...common, command, lines: linesOf(action.text, bounds).map((line) => [target, line]) };
    }
    case "topic": {
      const [topic = ""] = splitText(action.text.replace(/[\r\n]+/g, " "), isupport.size("TOPICLEN"));
      return { ...common, command: "TOPIC", lines: [[target, topic]] };
    }
    case "join":
      return { ...common, command: "JOIN", lines: [options.key === undefined ? [target] : [target, options.key]] };
    case "leave":
      return { ...common, command: "PART", lines: [[target]] };
    default:
      return `IRC has no ${action.op}`;
  }
}

/** How many lines of an Action are said; the rest is told as a number. */
export function linesMax({ burst, lineMs }: Pace): number {
  const lines = lineMs === 0 ? LINES_MAX : Math.floor(burst + SAYING_MS_MAX / lineMs);
  return Math.min(LINES_MAX, Math.max(LINES_MIN, lines));
}

/** `:nick!user@host PRIVMSG target :text` and the end of the line. */
function textBytes(command: string, target: string, { mask, isupport }: SpeechOptions): number {
  const { nick, user, host } = mask;
  const name = Buffer.byteLength(nick) + (user?.length ?? USER_BYTES) + (host?.length ?? HOST_BYTES);
  const frame = `:!@ ${command}  :\r\n`.length + name + Buffer.byteLength(target);
  return Math.max(TEXT_BYTES_MIN, isupport.size("LINELEN") - frame);
}

/** People without an account are known as `~nick`; one with an account most often has it as nick too. */
function nickOf(user: string): string {
  return user.startsWith("~") ? user.slice(1) : user;
}

// oxlint-disable-next-line no-control-regex -- what would end the parameter
const CHANNEL = /^[@%~&+]?[#&+!][^\x00-\x20,]{0,199}$/;
// oxlint-disable-next-line no-control-regex -- what would end the parameter
const NICK = /^[^\x00-\x20,:$*?!@#&+][^\x00-\x20,:*?!@]{0,63}$/;

/** Nothing that could name several, or a mask of many. */
function isTarget(target: string): boolean {
  return CHANNEL.test(target) || NICK.test(target);
}
