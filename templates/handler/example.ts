// What `antiphon example` does.

import { defineHandler } from "antiphon";

export default defineHandler({
  name: "example",
  routes: (r) => ({
    greet: r.command("example <who>", {
      help: "says hello",
      run: ({ args, reply }) => reply(`Hello ${args.who}!`),
    }),
  }),
});
