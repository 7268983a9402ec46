// Names of channels: which are names at all, which belong to a site, which are nobody's but ours.

import { AntiphonError } from "../runtime/errors.ts";

const CHANNEL_CHARS_MAX = 255;

/** Between a channel and its site; as MessageBus stores them. */
const SITE = "$|$";
const GLOBAL = "/global/";
/** Not for readers of the web, whatever `authorize` says. */
const RESERVED = ["/__", "/distributed_hash", "/internal/", "/admin/"];

/** Why it cannot be the name of a channel. */
export function channelProblem(name: unknown): string | undefined {
  if (typeof name !== "string" || name === "") return "A channel is named by a text.";
  if (name.length > CHANNEL_CHARS_MAX) return `A channel's name may have ${CHANNEL_CHARS_MAX} characters.`;
  if (name.includes(SITE)) return `A channel's name may not contain ${SITE}.`;
  // oxlint-disable-next-line no-control-regex -- Names stand in lines of ours.
  return /[\u0000-\u001f]/.test(name) ? "A channel's name may not contain control characters." : undefined;
}

/** Throws OPTIONS_INVALID. */
export function checkChannel(name: unknown): asserts name is string {
  const problem = channelProblem(name);
  if (problem !== undefined) throw new AntiphonError("OPTIONS_INVALID", problem);
}

export function isReserved(name: string): boolean {
  return RESERVED.some((prefix) => name.startsWith(prefix));
}

/** As it is stored: with the site, unless it is for all of them. */
export function storedName(name: string, site: string | undefined): string {
  return site === undefined || name.startsWith(GLOBAL) ? name : `${name}${SITE}${site}`;
}

/** The reverse: as readers call it. */
export function readerName(stored: string): string {
  const at = stored.indexOf(SITE);
  return at === -1 ? stored : stored.slice(0, at);
}

export function siteOf(stored: string): string | undefined {
  const at = stored.indexOf(SITE);
  return at === -1 ? undefined : stored.slice(at + SITE.length);
}
