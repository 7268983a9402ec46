// Built in: shows that the bot is alive.

import { defineHandler } from "../sdk/index.ts";

export default defineHandler({
  name: "ping",
  routes: (r) => ({
    ping: r.command("ping", { help: "Answers pong", run: () => "pong" }),
  }),
});
