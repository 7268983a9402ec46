// The IRC adapter alone, on real servers: ghosts, twins, servers that are deaf, restart or refuse.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { IrcBench } from "../support/irc-host.ts";
import { IrcPerson } from "../support/irc-person.ts";
import { type IrcKind, type IrcServer, startIrcServer } from "../support/irc-server.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const LONG = { timeoutMs: 30_000 };
const KINDS: readonly IrcKind[] = ["ngircd", "inspircd"];

describe.each(KINDS)("%s", (kind) => {
  withServer(kind, () => {
    const hasHistory = kind === "inspircd";
    let server: IrcServer;
    let ann: IrcPerson;
    let proxy: Proxy;
    const benches: IrcBench[] = [];

    const bench = (settings: Readonly<Record<string, unknown>> = {}): IrcBench => {
      const common = { host: "127.0.0.1", port: server.port, nick: "antiphon", channels: ["#ops"] };
      const made = new IrcBench({ ...common, ...settings });
      benches.push(made);
      return made;
    };

    beforeEach(async () => {
      server = await startIrcServer(kind, { pingSeconds: 3 });
      proxy = await startProxy(server.port);
      ann = await IrcPerson.join(server.port, "ann");
    });

    afterEach(async () => {
      for (const made of benches.splice(0)) await made.vanish();
      await ann.leave();
      await proxy.stop();
      await server.stop();
    });

    test("our ghost has the name: it goes on under another, and takes the name when the ghost is gone", async () => {
      const first = await bench({ port: proxy.port, pingMs: 60_000 }).start().ready();
      proxy.swallow();
      const second = await bench().start(undefined, 2).ready();
      expect(second.detail).toBe("as antiphon_, until antiphon is free");
      expect(await second.act({ room: "#ops", text: "still here" })).toMatchObject({ ok: true });
      await waitFor(() => ann.texts(/^antiphon_$/).includes("still here"), LONG);
      await ann.sees("nick antiphon_ antiphon", 40_000);
      expect(await second.act({ room: "#ops", text: "my name" })).toMatchObject({ ok: true });
      await waitFor(() => ann.texts(/^antiphon$/).includes("my name"), LONG);
      expect(first.is).toBe("ready");
    });

    test("two bots of one name: the second gives up, says why, and leaves the first alone", async () => {
      const first = await bench().start().ready();
      const second = bench().start();
      await waitFor(() => second.is === "failed", LONG);
      expect(second.detail).toMatch("two bots must not have the same nick");
      await ann.sees("quit antiphon_");
      expect(second.states.map(({ state }) => state)).not.toContain("ready");
      expect(first.is).toBe("ready");
      expect(await first.act({ room: "#ops", text: "one voice" })).toMatchObject({ ok: true });
    });

    test("a server that is deaf counts as down; what was missed is read where there is history, and told as a gap", async () => {
      if (hasHistory) ann.raw("MODE #ops +H 100:1h");
      const bot = await bench({ port: proxy.port, pingMs: 500 }).start().ready();
      ann.say("before");
      await waitFor(() => bot.texts.includes("before"), LONG);
      proxy.swallow();
      ann.say("missed 1");
      ann.say("missed 2");
      await waitFor(() => bot.is === "degraded" && bot.detail.includes("said nothing"), LONG);
      await proxy.mend();
      await bot.ready();
      ann.say("after");
      await waitFor(() => bot.texts.includes("after"), LONG);
      expect(bot.texts).toEqual(hasHistory ? ["before", "missed 1", "missed 2", "after"] : ["before", "after"]);
      expect(bot.gaps.map(({ repaired }) => repaired)).toEqual([hasHistory]);
    });

    test("the server restarts: it comes back by itself", async () => {
      const bot = await bench().start().ready();
      const { port } = server;
      await server.stop();
      await waitFor(() => bot.is === "degraded", LONG);
      server = await startIrcServer(kind, { port });
      await bot.ready();
      expect(await bot.act({ room: "#ops", text: "back" })).toMatchObject({ ok: true });
    });

    test("a wrong password: failed, with the reason, and not tried again and again", async () => {
      const guarded = await startIrcServer(kind, { password: "right" });
      try {
        const wrong = bench({ port: guarded.port, password: "wrong" }).start();
        await waitFor(() => wrong.is === "failed", LONG);
        expect(wrong.states.map(({ state }) => state)).toEqual(["connecting", "failed"]);
        expect(wrong.detail).toMatch(/password/i);
        await bench({ port: guarded.port, password: "right" }).start().ready();
        expect(wrong.states).toHaveLength(2);
      } finally {
        for (const made of benches.splice(0)) await made.vanish();
        await guarded.stop();
      }
    });
  });
});
