// The IRC adapter alone, on real servers, with an independent client as the person in the channel.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { IrcBench } from "../support/irc-host.ts";
import { IrcPerson } from "../support/irc-person.ts";
import { type IrcKind, type IrcServer, startIrcServer } from "../support/irc-server.ts";
import { withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const LONG = { timeoutMs: 20_000 };
const KINDS: readonly IrcKind[] = ["ngircd", "inspircd"];

describe.each(KINDS)("%s", (kind) => {
  withServer(kind, () => {
    let server: IrcServer;
    let ann: IrcPerson;
    const benches: IrcBench[] = [];

    const bench = (settings: Readonly<Record<string, unknown>> = {}): IrcBench => {
      const made = new IrcBench({
        host: "127.0.0.1",
        port: server.port,
        nick: "antiphon",
        channels: ["#ops"],
        ...settings,
      });
      benches.push(made);
      return made;
    };

    beforeEach(async () => {
      server = await startIrcServer(kind, { pingSeconds: 3 });
      ann = await IrcPerson.join(server.port, "ann");
    });

    afterEach(async () => {
      for (const made of benches.splice(0)) await made.vanish();
      await ann.leave();
      await server.stop();
    });

    test("it joins, hears, speaks, and answers who it is", async () => {
      const bot = await bench().start().ready();
      expect(bot.states.map(({ state }) => state)).toEqual(["connecting", "catchingUp", "ready"]);
      ann.say("hello there");
      await waitFor(() => bot.texts.includes("hello there"), LONG);
      const [heard] = bot.events.flatMap((event) => (event.type === "message" ? [event.message] : []));
      expect(heard).toMatchObject({
        room: { id: "#ops", kind: "channel" },
        user: { id: "~ann", name: "ann", isSelf: false },
      });
      expect(await bot.act({ room: "#ops", text: "good morning" })).toMatchObject({ ok: true });
      await waitFor(() => ann.texts(/^antiphon$/).includes("good morning"), LONG);
      ann.say("just us", "antiphon");
      await waitFor(() => bot.texts.includes("just us"), LONG);
      expect(await bot.act({ room: "ann", text: "yes?" })).toMatchObject({ ok: true });
      await waitFor(() => ann.texts(/^antiphon$/, "ann").includes("yes?"), LONG);
      ann.say("\u0001VERSION\u0001", "antiphon");
      await waitFor(() => ann.notices.some(({ text }) => text.includes("VERSION Antiphon")), LONG);
    });
  });
});
