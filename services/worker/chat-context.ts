// ctx of chat routes: what was said, `reply`, what the asker may call, groups.

import { AntiphonError } from "../runtime/errors.ts";
import type { ChatCtx, CommandInfo, GroupChange, Groups } from "../sdk/context.ts";
import { commandsOf } from "../sdk/match.ts";
import type { Message } from "../sdk/message.ts";
import type { Membership } from "../store/groups.ts";
import { checkedText, RunCtx, sayOptions } from "./context.ts";
import { untilAnswered } from "./patience.ts";
import type { RouteRun } from "./route-run.ts";

export interface Heard {
  readonly message: Message;
  /** Without the bot's name. */
  readonly said: string;
  /** Of who said it. */
  readonly membership: Membership;
}

export class ChatRunCtx extends RunCtx implements ChatCtx {
  readonly #run: RouteRun;
  readonly #heard: Heard;

  constructor(run: RouteRun, heard: Heard) {
    super(run);
    this.#run = run;
    this.#heard = heard;
  }

  get message(): Message {
    return this.#heard.message;
  }

  get said(): string {
    return this.#heard.said;
  }

  get reply(): ChatCtx["reply"] {
    return (text, options = {}) =>
      this.tracked(async () => {
        const { message } = this.#heard;
        const { rooms } = this.#run.parts;
        const threaded = options.thread === true && rooms.can(rooms.find(message.room), "thread");
        const thread = threaded ? (message.thread ?? message.id) : message.thread;
        const deed = {
          op: "send",
          text: checkedText(text),
          ...(thread === undefined ? {} : { thread }),
          ...(options.private === true ? { to: ownId(message.user.id) } : {}),
          ...sayOptions(options),
        } as const;
        return this.act(message.room, deed, { content: text, id: options.id });
      });
  }

  get commands(): () => readonly CommandInfo[] {
    const { membership } = this.#heard;
    return () => commandsOf(this.#run.parts.manifest.chat, (route) => membership.may(route.restrictTo));
  }

  get groups(): Groups {
    const { groups } = this.#run.parts;
    return {
      list: async () => groups.names.map((name) => ({ name, fixed: groups.isFixed(name) })),
      members: (group) => this.tracked(async () => (groups.isDeclared(group) ? groups.members(group) : undefined)),
      add: (user, group) => this.tracked(() => this.#change(user, group, true)),
      remove: (user, group) => this.tracked(() => this.#change(user, group, false)),
    };
  }

  async #change(user: string, group: string, member: boolean): Promise<GroupChange> {
    const { groups } = this.#run.parts;
    if (!/^[^\s:]+:\S+$/.test(user)) throw new AntiphonError("INPUT_INVALID", `"${user}" is no id such as web:ann.`);
    if (!groups.isDeclared(group)) return "unknown";
    if (groups.isFixed(group)) return "fixed";
    const isMember = await untilAnswered(this.#run.underway.patience, () => groups.has(group, user));
    if (isMember === member) return "unchanged";
    await this.#run.write({ kind: "group", id: "", group, user, member });
    return "changed";
  }
}

/** `web:ann` is `ann` to the service. */
export function ownId(person: string): string {
  return person.slice(person.indexOf(":") + 1);
}
