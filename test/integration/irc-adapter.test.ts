// The IRC adapter alone, on real servers, with an independent client as the person in the channel: what it hears and says.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { makeCertificate } from "../support/certificate.ts";
import { IrcBench } from "../support/irc-host.ts";
import { IrcPerson } from "../support/irc-person.ts";
import { type IrcKind, type IrcServer, startIrcServer } from "../support/irc-server.ts";
import { freePort, withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const LONG = { timeoutMs: 30_000 };
const KINDS: readonly IrcKind[] = ["ngircd", "inspircd"];

describe.each(KINDS)("%s", (kind) => {
  withServer(kind, () => {
    let server: IrcServer;
    let ann: IrcPerson;
    const benches: IrcBench[] = [];

    const bench = (settings: Readonly<Record<string, unknown>> = {}): IrcBench => {
      const common = { host: "127.0.0.1", port: server.port, nick: "antiphon", channels: ["#ops"] };
      const made = new IrcBench({ ...common, ...settings });
      benches.push(made);
      return made;
    };

    beforeAll(async () => {
      server = await startIrcServer(kind);
      ann = await IrcPerson.join(server.port, "ann");
    });

    afterEach(async () => {
      for (const made of benches.splice(0)) await made.vanish();
      await waitFor(async () => !(await ann.isOnline("antiphon")), { what: "the bot is gone" });
      ann.forget();
    });

    afterAll(async () => {
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

    test("a long text comes whole: no line cut by the server, no character broken", async () => {
      const bot = await bench().start().ready();
      const words = Array.from({ length: 250 }, (_, n) => `wörd${n}`).join(" ");
      expect(await bot.act({ room: "#ops", text: `${words}\n${"ü".repeat(700)}😀` })).toMatchObject({ ok: true });
      await waitFor(
        () =>
          ann
            .texts(/^antiphon$/)
            .at(-1)
            ?.endsWith("😀"),
        LONG,
      );
      const lines = ann.texts(/^antiphon$/);
      const at = lines.findIndex((line) => line.startsWith("ü"));
      expect(lines.slice(0, at).join(" ")).toBe(words);
      expect(lines.slice(at).join("")).toBe(`${"ü".repeat(700)}😀`);
    });

    test("what cannot be done is told as such, and words elsewhere go on", async () => {
      const bot = await bench().start().ready();
      const refused = { ok: false, kind: "permanent" };
      const [nobody, nowhere, topic, fine] = await Promise.all([
        bot.act({ room: "nobody", text: "hi" }),
        bot.act({ room: "#elsewhere", text: "hi" }),
        bot.act({ room: "#elsewhere", op: "topic", text: "ours" }),
        bot.act({ room: "#ops", text: "fine" }),
      ]);
      expect([nobody, nowhere, topic]).toMatchObject([refused, refused, refused]);
      expect(fine).toMatchObject({ ok: true });
    });

    test("it joins and leaves when told, with keys, remembers it, and comes back after a kick", async () => {
      ann.raw("JOIN #vault");
      await ann.sees("join ann #vault");
      ann.raw("MODE #vault +k sesame");
      const bot = await bench({ channels: ["#ops", "#vault sesame"] })
        .start()
        .ready();
      await ann.sees("join antiphon #vault");
      expect(await bot.act({ room: "#other", op: "join" })).toMatchObject({ ok: true });
      expect(await bot.act({ room: "#other", op: "topic", text: "of the day" })).toMatchObject({ ok: true });
      expect(await bot.act({ room: "#vault", op: "leave" })).toMatchObject({ ok: true });
      await ann.sees("part antiphon #vault");
      const before = ann.seen.length;
      ann.raw("KICK #ops antiphon :out");
      await ann.sees("kick antiphon #ops");
      await waitFor(() => ann.seen.slice(before).includes("join antiphon #ops"), LONG);
      const resume = await bot.stop();
      expect(resume?.data).toMatchObject({ joined: ["#other"], left: ["#vault"] });
      const from = ann.seen.length;
      ann.raw("JOIN #other");
      const next = await bench({ channels: ["#ops", "#vault sesame"] })
        .start(resume, 2)
        .ready();
      await waitFor(() => ann.seen.slice(from).includes("join antiphon #other"), LONG);
      expect(ann.seen.slice(from)).not.toContain("join antiphon #vault");
      expect(next.state).toBeDefined();
    });

    test("a server with its own limits is never outrun", async () => {
      const strict = await startIrcServer(kind, { paced: true });
      const reader = await IrcPerson.join(strict.port, "reader");
      try {
        const bot = await bench({ port: strict.port, burst: 4, lineMs: 400 }).start().ready();
        const lines = Array.from({ length: 10 }, (_, n) => `line ${n}`);
        expect(await bot.act({ room: "#ops", text: lines.join("\n") })).toMatchObject({ ok: true });
        await waitFor(() => reader.texts(/^antiphon$/).length === lines.length, LONG);
        expect(reader.texts(/^antiphon$/)).toEqual(lines);
        expect(bot.is).toBe("ready");
      } finally {
        for (const made of benches.splice(0)) await made.vanish();
        await reader.leave();
        await strict.stop();
      }
    });

    test("handed over: what was heard is stored, the name is free, and the next one was prepared", async () => {
      const first = await bench().start().ready();
      const next = bench();
      const stopped = new AbortController();
      await next.adapter.prepare({ unit: "irc", signal: stopped.signal });
      ann.raw("NAMES #ops");
      await waitFor(async () => (await ann.isOnline("antiphon_")) === true, LONG);
      ann.say("the last word");
      await waitFor(() => first.texts.includes("the last word"), LONG);
      const resume = await first.stop();
      await next.start(resume, 2).ready();
      expect(next.detail).toBe("as antiphon");
      expect(await ann.isOnline("antiphon_")).toBe(false);
      stopped.abort();
      expect(await next.act({ room: "#ops", text: "I have it" })).toMatchObject({ ok: true });
    });
  });
});

describe("inspircd, history", () => {
  withServer("inspircd", () => {
    test("words in doubt are found in the history, or known to be absent; nothing is told twice", async () => {
      const server = await startIrcServer("inspircd");
      const ann = await IrcPerson.join(server.port, "ann");
      ann.raw("MODE #ops +H 100:1h");
      const settings = { host: "127.0.0.1", port: server.port, nick: "antiphon", channels: ["#ops"] };
      const first = await new IrcBench(settings).start().ready();
      const next = new IrcBench(settings);
      try {
        ann.say("question");
        await waitFor(() => first.texts.includes("question"), LONG);
        const said = await first.act({ id: "said", room: "#ops", text: "an answer\nin two lines" });
        expect(said).toMatchObject({ ok: true });
        const { resume } = first;
        await first.vanish();
        ann.say("meanwhile");
        await next.start(resume, 2).ready();
        await waitFor(() => next.texts.includes("meanwhile"), LONG);
        expect(next.texts).not.toContain("question");
        expect(next.gaps).toMatchObject([{ repaired: true }]);
        const of = (id: string) => ({ id, unit: "irc", room: "#ops", op: "send", text: "x" }) as const;
        expect(await next.adapter.reconcile(of("said"))).toMatchObject({ ok: true, messageId: expect.any(String) });
        expect(await next.adapter.reconcile(of("unsaid"))).toBe("absent");
        expect(await next.adapter.reconcile({ ...of("said"), room: "#else" })).toBe("unknown");
      } finally {
        await first.vanish();
        await next.vanish();
        await ann.leave();
        await server.stop();
      }
    });
  });
});

describe("ngircd, TLS", () => {
  withServer("ngircd", () => {
    test("the certificate is checked: one that nobody vouches for is refused, one of our own authority is taken", async () => {
      const folder = mkdtempSync(join(tmpdir(), "antiphon-tls-"));
      const { key, cert } = makeCertificate();
      const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
      writeFileSync(certFile, cert);
      writeFileSync(keyFile, key);
      const port = await freePort();
      const more = `[SSL]\nCertFile = ${certFile}\nKeyFile = ${keyFile}\nPorts = ${port}`;
      const server = await startIrcServer("ngircd", { more });
      const settings = { host: "localhost", port, tls: true, nick: "antiphon", channels: ["#ops"] };
      const trusting = new IrcBench({ ...settings, tlsCa: certFile });
      const careful = new IrcBench({ ...settings, nick: "careful" }).start();
      try {
        await trusting.start().ready();
        await waitFor(() => careful.is === "degraded", LONG);
        expect(careful.detail).toMatch(/self.signed|certificate/i);
        expect(careful.states.map(({ state }) => state)).not.toContain("ready");
      } finally {
        await trusting.vanish();
        await careful.vanish();
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
});
