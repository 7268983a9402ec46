// Built in: says what the asker may run, in private and never as a flood; whoever mistypes a command gets a suggestion.

import { type ChatCtx, type CommandInfo, defineHandler } from "../sdk/index.ts";
import { nearest } from "./nearest.ts";

const LINES_MAX = 20;
const LINE_CHARS_MAX = 160;
const ECHO_CHARS_MAX = 40;

export default defineHandler({
  name: "help",
  routes: (r) => ({
    help: r.command("help [query...]", {
      help: "What I can do, or what I know about a word",
      run: ({ args, bot, commands, reply }) => reply(helpText(commands(), args.query, bot.name), { private: true }),
    }),
    suggest: r.fallback({ run: (ctx) => suggestion(ctx) }),
  }),
});

function helpText(commands: readonly CommandInfo[], query: string | undefined, name: string): string {
  const found = query === undefined ? commands : commands.filter((command) => isAbout(command, query));
  if (query !== undefined && found.length === 0) return `I know nothing about "${echo(query)}". Say "${name} help".`;
  const lines = found.map(line);
  if (query === undefined) lines.unshift(`Say "${name}" and then:`);
  if (lines.length <= LINES_MAX) return lines.join("\n");
  const more = lines.length - LINES_MAX + 1;
  return [...lines.slice(0, LINES_MAX - 1), `… and ${more} more: say "${name} help WORD".`].join("\n");
}

function isAbout(command: CommandInfo, query: string): boolean {
  const word = query.toLowerCase();
  return [command.handler, command.usage, command.help ?? ""].some((text) => text.toLowerCase().includes(word));
}

function line(command: CommandInfo): string {
  const text = command.help === undefined ? command.usage : `${command.usage} – ${command.help}`;
  return clip(text, LINE_CHARS_MAX);
}

function suggestion({ said, bot, commands }: ChatCtx): string {
  const remedy = `Say "${bot.name} help" to see what I can do.`;
  if (said === "") return `Yes? ${remedy}`;
  const near = nearest(said, commands());
  const meant = near.length === 0 ? "" : ` Did you mean ${near.map((command) => `"${command.usage}"`).join(" or ")}?`;
  return `I do not know "${echo(said)}".${meant} ${remedy}`;
}

/** What somebody typed, made harmless to say again: it mentions nobody. */
function echo(text: string): string {
  return clip(text, ECHO_CHARS_MAX).replace(/[<>@"`*]/g, "");
}

function clip(text: string, chars: number): string {
  const start = text.slice(0, chars * 2).replace(/\s+/g, " ");
  return start.length > chars || text.length > chars * 2 ? `${start.slice(0, chars - 1)}…` : start;
}
