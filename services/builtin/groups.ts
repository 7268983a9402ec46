// Built in, for admins: who is in the groups that `restrictTo` names. Which groups exist is decided by the configuration.

import { type ChatCtx, defineHandler, type GroupChange } from "../sdk/index.ts";

const MEMBERS_MAX = 50;
const ADMINS = ["admins"];

export default defineHandler({
  name: "groups",
  routes: (r) => ({
    overview: r.command("groups [what...]", {
      help: "The groups, and how to change them",
      restrictTo: ADMINS,
      run: async ({ args, groups, bot }) => {
        if (args.what !== undefined) return usage(bot.name);
        const names = (await groups.list()).map(({ name, fixed }) => (fixed ? `${name} (fixed)` : name));
        return names.length === 0 ? NO_GROUPS : `Groups: ${names.join(", ")}\n${usage(bot.name)}`;
      },
    }),
    list: r.command("groups list [group]", {
      help: "Who is in which group",
      restrictTo: ADMINS,
      run: (ctx) => listText(ctx, ctx.args.group),
    }),
    add: r.command("groups add <user> <group>", {
      help: "Put somebody into a group",
      restrictTo: ADMINS,
      run: async ({ args, groups, message }) => {
        const user = personId(args.user, message.user.id);
        return changed(await groups.add(user, args.group), {
          group: args.group,
          done: `${user} is in ${args.group} now.`,
          before: `${user} is in ${args.group} already.`,
        });
      },
    }),
    remove: r.command("groups remove <user> <group>", {
      help: "Take somebody out of a group",
      restrictTo: ADMINS,
      run: async ({ args, groups, message }) => {
        const user = personId(args.user, message.user.id);
        return changed(await groups.remove(user, args.group), {
          group: args.group,
          done: `${user} is no longer in ${args.group}.`,
          before: `${user} is not in ${args.group}.`,
        });
      },
    }),
  }),
});

const NO_GROUPS = "No groups are declared. The configuration declares them, as in: groups: { deployers: [] }";

function usage(name: string): string {
  return `Say "${name} groups list [GROUP]", "${name} groups add USER GROUP" or "${name} groups remove USER GROUP".`;
}

async function listText({ groups }: ChatCtx, only: string | undefined): Promise<string> {
  const all = await groups.list();
  const wanted = only === undefined ? all : all.filter(({ name }) => name === only);
  if (only !== undefined && wanted.length === 0) return unknown(only);
  if (wanted.length === 0) return NO_GROUPS;
  const lines: string[] = [];
  for (const { name, fixed } of wanted) {
    lines.push(`${name}${fixed ? " (fixed)" : ""}: ${names((await groups.members(name)) ?? [])}`);
  }
  return lines.join("\n");
}

function names(members: readonly string[]): string {
  if (members.length === 0) return "nobody";
  const more = members.length - MEMBERS_MAX;
  return members.slice(0, MEMBERS_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function changed(change: GroupChange, words: { group: string; done: string; before: string }): string {
  if (change === "changed") return words.done;
  if (change === "unchanged") return words.before;
  if (change === "unknown") return unknown(words.group);
  return `${words.group} is fixed by the configuration and cannot be changed here.`;
}

function unknown(group: string): string {
  return `There is no group "${group.slice(0, 64)}". The configuration declares groups, and "groups" lists them.`;
}

/** `ann` and `@ann` are people of the asker's own chat service; `irc:ann` says which. */
function personId(typed: string, asker: string): string {
  const name = typed.startsWith("@") ? typed.slice(1) : typed;
  return name.includes(":") ? name : `${asker.slice(0, asker.indexOf(":"))}:${name}`;
}
