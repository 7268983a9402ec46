// Says something to a handler alone: matching is the real one, the ctx holds only what built-in handlers use.

import type { Handler } from "../../../services/sdk/handler.ts";
import { chatTable, commandsOf, matchMessage } from "../../../services/sdk/match.ts";
import type { ChatCtx, Groups, ReplyOptions } from "../../../services/sdk/context.ts";
import type { AnyRoute, ChatRoute } from "../../../services/sdk/routes.ts";

export interface Heard {
  readonly text: string;
  readonly route: string;
  readonly private: boolean;
}

export interface Surroundings {
  /** Routes of the team beside the built-in ones. */
  readonly team?: readonly AnyRoute[];
  readonly groups?: Groups;
  readonly may?: (route: ChatRoute) => boolean;
  readonly handlers?: readonly string[];
  readonly user?: string;
}

export function routesOf<C>(handler: Handler<C>): AnyRoute[] {
  return Object.values(handler.routes) as AnyRoute[];
}

/** What is answered, in order. */
export async function talk<C>(handler: Handler<C>, text: string, around: Surroundings = {}): Promise<Heard[]> {
  const table = chatTable(around.team ?? [], routesOf(handler));
  const { runs, body } = matchMessage(table, { text }, { name: "antiphon", alias: "!" });
  const heard: Heard[] = [];
  for (const { route, args } of runs) {
    const reply = async (text: string, options?: ReplyOptions): Promise<{ ref: string }> => {
      heard.push({ text, route: route.id, private: options?.private === true });
      return { ref: "r" };
    };
    const user = { id: around.user ?? "web:ann", name: "ann" };
    const ctx = {
      message: { id: "1", text, room: "web:lobby", user },
      said: body,
      bot: {
        name: "antiphon",
        alias: "!",
        version: "1.2.3",
        adapters: ["web", "irc"],
        handlers: around.handlers ?? [],
      },
      groups: around.groups,
      commands: () => commandsOf(table, around.may ?? (() => true)),
      reply,
      args,
    };
    const returned: unknown = await (route.run as (ctx: ChatCtx) => unknown)(ctx as unknown as ChatCtx);
    if (typeof returned === "string") heard.push({ text: returned, route: route.id, private: false });
  }
  return heard;
}
