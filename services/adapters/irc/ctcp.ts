// Questions from client to client, hidden in messages: which program are you, and are you there? Pure.

import { VERSION } from "../../runtime/version.ts";

export interface Ctcp {
  readonly name: string;
  readonly text: string;
}

const MARK = "\u0001";
/** Also how another Antiphon is recognised. */
export const PROGRAM = "Antiphon";
const PING_MAX = 64;

/** Undefined for plain words. Some clients leave the closing mark out. */
export function parseCtcp(text: string): Ctcp | undefined {
  if (!text.startsWith(MARK)) return undefined;
  const end = text.indexOf(MARK, 1);
  const inside = text.slice(1, end < 0 ? undefined : end);
  const blank = inside.indexOf(" ");
  const name = blank < 0 ? inside : inside.slice(0, blank);
  return { name: name.toUpperCase(), text: blank < 0 ? "" : inside.slice(blank + 1) };
}

export function formatCtcp({ name, text }: Ctcp): string {
  return `${MARK}${name}${text === "" ? "" : ` ${text}`}${MARK}`;
}

/** Undefined for what is not answered. */
export function answerTo({ name, text }: Ctcp): Ctcp | undefined {
  switch (name) {
    case "VERSION":
      return { name, text: `${PROGRAM} ${VERSION}` };
    case "PING":
      return { name, text: text.slice(0, PING_MAX) };
    case "CLIENTINFO":
      return { name, text: "CLIENTINFO PING VERSION" };
    default:
      return undefined;
  }
}
