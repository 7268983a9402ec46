// What the bot itself says to people when a route could not be run, or failed. One polite line, never an exception's text.

import type { Effect } from "../broker/effects.ts";
import { effectId } from "../sdk/action.ts";
import type { Message } from "../sdk/message.ts";
import type { CommandRoute } from "../sdk/routes.ts";
import type { Membership } from "../store/groups.ts";
import { carried } from "../telemetry/carrier.ts";
import { tellSay } from "./traced-effects.ts";
import type { Underway } from "./underway.ts";

/** As an effect of the settle, so that it is said once, however often the settle is repeated. */
export function politeEffect(underway: Underway, message: Message, said: { route: string; text: string }): Effect {
  const { bot, clock, rooms } = underway.parts;
  const { unit, id: room } = rooms.find(message.room);
  const { origin, failures } = underway;
  // Each attempt says its own, so that the new run of a dead letter speaks again.
  const content = `${failures}\n${said.text}`;
  const id = effectId({ origin, route: said.route, operation: "send", target: message.room, content });
  const thread = message.thread === undefined ? {} : { thread: message.thread };
  const action = { op: "send", id, unit, room, text: said.text, ...thread } as const;
  const trace = carried(tellSay(underway.parts, action));
  return rooms.effectOf(action, { from: bot.name, nowMs: clock.now(), answers: true, trace });
}

export function failureText(errorId: string): string {
  return `Sorry, that went wrong. If you report it, name the error ${errorId}.`;
}

export function refusalText(restrictTo: readonly string[], membership: Membership): string {
  if (membership.unreadable !== undefined)
    return "Sorry, I cannot look up your groups now, so I may not do that for you.";
  return `Sorry, that is only for ${listText(restrictTo)}.`;
}

export function usageText(name: string, routes: readonly CommandRoute[]): string {
  return routes.map(({ pattern }) => `Usage: ${name} ${pattern}`).join("\n");
}

export function misfitText(name: string, route: CommandRoute, issues: readonly string[]): string {
  return `${issues.join("; ")}\n${usageText(name, [route])}`;
}

/** Where no handler says so better. */
export function unknownText(name: string): string {
  return `I do not know that. Say "${name} help" to see what I can do.`;
}

function listText(groups: readonly string[]): string {
  const last = groups.at(-1) ?? "nobody";
  return groups.length < 2 ? last : `${groups.slice(0, -1).join(", ")} or ${last}`;
}
