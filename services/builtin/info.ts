// Built in: what runs here.

import { defineHandler } from "../sdk/index.ts";

const NAMES_MAX = 30;

export default defineHandler({
  name: "info",
  routes: (r) => ({
    info: r.command("info", {
      help: "Version, adapters and handlers",
      run: ({ bot }) =>
        `${bot.name} runs Antiphon ${bot.version}\nadapters: ${list(bot.adapters)}\nhandlers: ${list(bot.handlers)}`,
    }),
  }),
});

function list(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const more = names.length - NAMES_MAX;
  return names.slice(0, NAMES_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
