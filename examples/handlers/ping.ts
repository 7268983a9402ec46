// The smallest handler: `antiphon ping`.

import { defineHandler } from "antiphon";

export default defineHandler({
  name: "ping",
  routes: (r) => ({
    ping: r.command("ping", { help: "Answers pong", run: () => "pong" }),
  }),
});
