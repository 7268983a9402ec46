// The adapter on a server that does what the test wants: services, histories, hostility.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { HELD_MAX } from "../../../../services/adapters/irc/inbox.ts";
import { makeCertificate } from "../../../support/certificate.ts";
import { IrcBench } from "../../../support/irc-host.ts";
import { type Script, ScriptedIrc } from "../../../support/irc-script.ts";
import { waitFor } from "../../../support/wait-for.ts";

const LONG = { timeoutMs: 30_000 };
let irc: ScriptedIrc | undefined;
const benches: IrcBench[] = [];

async function start(script: Script, settings: Readonly<Record<string, unknown>> = {}): Promise<IrcBench> {
  irc = await ScriptedIrc.start(script);
  const made = new IrcBench({ host: "127.0.0.1", port: irc.port, nick: "antiphon", channels: ["#ops"], ...settings });
  benches.push(made);
  return made;
}

const server = (): ScriptedIrc => irc as ScriptedIrc;

afterEach(async () => {
  for (const made of benches.splice(0)) await made.vanish();
  await irc?.stop();
  irc = undefined;
});

describe("services", () => {
  const sasl = { sasl: "plain", account: "bot", password: "secret" };
  const login: NonNullable<Script["heard"]> = (guest, { command, params }) => {
    if (command !== "AUTHENTICATE") return false;
    if (params[0] === "PLAIN") guest.tell("AUTHENTICATE +");
    else if (Buffer.from(params[0] ?? "", "base64").toString() === "bot\0bot\0secret")
      guest.tell(":s 900 * * bot :in", ":s 903 * :ok");
    else guest.tell(":s 904 * :SASL authentication failed");
    return true;
  };

  test("SASL PLAIN: logged in before it is let in, and people are known by their accounts", async () => {
    const bot = await start({ capabilities: "sasl=PLAIN account-tag message-tags", heard: login }, sasl);
    await bot.start().ready();
    expect(server().lines.indexOf("CAP END")).toBeGreaterThan(server().lines.indexOf("AUTHENTICATE PLAIN"));
    server().last?.tell("@account=Ann :ann_!a@h PRIVMSG #Ops :antiphon: hi", ":bob!b@h PRIVMSG #ops :I am ann");
    await waitFor(() => bot.texts.length === 2);
    const messages = bot.events.flatMap((event) => (event.type === "message" ? [event.message] : []));
    expect(messages).toMatchObject([
      { user: { id: "ann", name: "ann_" }, room: { id: "#ops" }, text: "hi", mentionsBot: true },
      { user: { id: "~bob" }, mentionsBot: false },
    ]);
  });

  test("SASL EXTERNAL: known by the certificate of its TLS connection, which is read anew at each connect", async () => {
    const folder = mkdtempSync(join(tmpdir(), "antiphon-external-"));
    const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const { key, cert } = makeCertificate();
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const shown: string[] = [];
    const heard: NonNullable<Script["heard"]> = (guest, { command, params }) => {
      if (command !== "AUTHENTICATE") return false;
      if (params[0] === "EXTERNAL") guest.tell("AUTHENTICATE +");
      else {
        shown.push((guest.socket as TLSSocket).getPeerCertificate().subject.CN as string);
        guest.tell(":s 900 * * bot :in", ":s 903 * :ok");
      }
      return true;
    };
    try {
      const files = { tls: true, tlsCa: certFile, tlsCert: certFile, tlsKey: keyFile };
      const script = { capabilities: "sasl=EXTERNAL", heard, tls: { key, cert } };
      const bot = await start(script, { host: "localhost", sasl: "external", ...files });
      await bot.start().ready();
      server().last?.socket.destroy();
      await waitFor(() => shown.length === 2, LONG);
      expect(shown).toEqual(["localhost", "localhost"]);
      await bot.ready();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("a wrong secret: failed, once", async () => {
    const bot = await start({ capabilities: "sasl", heard: login }, { ...sasl, password: "wrong" });
    bot.start();
    await waitFor(() => bot.is === "failed", LONG);
    expect(bot.detail).toMatch("SASL authentication failed");
    expect(server().guests).toHaveLength(1);
    expect(bot.states.some(({ detail }) => detail.includes("wrong"))).toBe(false);
  });

  test("the nick in use: the services are asked for it, in the words that they know", async () => {
    let taken = true;
    const heard: NonNullable<Script["heard"]> = (guest, line) => {
      const { command, params } = line;
      if (command === "NICK" && params[0] === "antiphon" && taken) {
        guest.tell(":s 433 * antiphon :in use");
        return true;
      }
      if (command === "PRIVMSG" && params[0] === "NickServ") {
        const [verb] = (params[1] ?? "").split(" ");
        if (verb === "RECOVER") taken = false;
        guest.tell(
          `:NickServ!s@services NOTICE ${guest.nick} :${verb === "RECOVER" ? "Ghost released" : "Unknown command"}`,
        );
        return true;
      }
      return login(guest, line);
    };
    const bot = await start({ capabilities: "sasl", heard }, sasl);
    await bot.start().ready();
    expect(bot.detail).toMatch("as antiphon_");
    await waitFor(() => server().last?.nick === "antiphon", LONG);
    expect(server().lines).toEqual(
      expect.arrayContaining(["PRIVMSG NickServ :REGAIN antiphon", "PRIVMSG NickServ :RECOVER antiphon"]),
    );
    expect(server().lines.join("\n")).not.toContain("secret");
  });

  test.each([
    ["is renamed by the services", ":antiphon!bot@host NICK Guest1"],
    ["is killed by the services", "ERROR :Closing link: Killed (NickServ (GHOST command used by other))"],
  ])("the account's other client takes the nick and it %s: it steps down", async (_how, line) => {
    const bot = await start({ capabilities: "sasl", heard: login }, sasl);
    await bot.start().ready();
    server().last?.tell(line);
    if (line.startsWith("ERROR")) server().last?.socket.end();
    await waitFor(() => bot.is === "failed", LONG);
    expect(bot.detail).toMatch("took the nick");
    expect(server().guests).toHaveLength(1);
  });
});

describe("history that is asked for", () => {
  test("page by page after the last known words, before anything new, and nothing twice", async () => {
    const said = Array.from(
      { length: 25 },
      (_, n) => `@time=2026-01-01T00:00:${String(n).padStart(2, "0")}.000Z;msgid=m${n}`,
    );
    const heard: NonNullable<Script["heard"]> = (guest, { command, params }) => {
      if (command !== "CHATHISTORY") return false;
      const [, channel, after, limit] = params;
      const from = Number(/^msgid=m(\d+)$/.exec(after ?? "")?.[1]) + 1;
      const page = said
        .slice(from, from + Number(limit))
        .map((tags, at) => `${tags};batch=h :ann!a@h PRIVMSG #ops :${from + at}`);
      if (from === 4) guest.tell("@msgid=live :ann!a@h PRIVMSG #ops :new");
      guest.tell(`:s BATCH +h chathistory ${channel}`, ...page, ":s BATCH -h");
      return true;
    };
    const capabilities = "batch server-time message-tags draft/chathistory";
    const bot = await start({ capabilities, isupport: "CHATHISTORY=10 MSGREFTYPES=msgid,timestamp", heard });
    const at = Date.parse("2026-01-01T00:00:03.000Z");
    await bot.start({ v: 1, kind: "irc", at, data: { marks: { "#ops": [at, "m3"] }, joined: [], left: [] } }).ready();
    expect(bot.texts).toEqual([...Array.from({ length: 21 }, (_, n) => String(n + 4)), "new"]);
    expect(bot.gaps).toMatchObject([{ from: at, repaired: true }]);
    expect(server().lines.filter((line) => line.startsWith("CHATHISTORY"))).toHaveLength(3);
    expect(bot.resume?.data["marks"]).toMatchObject({ "#ops": [expect.any(Number), "live"] });
  });

  test("refused: a gap that is not repaired, and it goes on", async () => {
    const heard: NonNullable<Script["heard"]> = (guest, { command }) => {
      if (command === "CHATHISTORY") guest.tell("FAIL CHATHISTORY MESSAGE_ERROR #ops :Messages could not be retrieved");
      return command === "CHATHISTORY";
    };
    const bot = await start({ capabilities: "batch draft/chathistory", heard });
    await bot.start({ v: 1, kind: "irc", at: 5, data: { marks: { "#ops": [5] } } }).ready();
    expect(bot.gaps).toMatchObject([{ from: 5, repaired: false }]);
  });
});

describe("signs that words were said", () => {
  test("a label, with the server's id; a refusal under a label is of those words alone", async () => {
    const heard: NonNullable<Script["heard"]> = (guest, { command, params, tags }) => {
      if (command !== "PRIVMSG") return false;
      const label = tags.get("label");
      guest.tell(
        params[0] === "#no"
          ? `@label=${label} :s 404 ${guest.nick} #no :Cannot send to channel`
          : `@label=${label};msgid=x${label} :${guest.nick}!bot@host PRIVMSG ${params[0]} :${params[1]}`,
      );
      return true;
    };
    const bot = await start({ capabilities: "batch labeled-response echo-message message-tags", heard });
    await bot.start().ready();
    const [yes, no] = await Promise.all([bot.act({ room: "#ops", text: "a\nb" }), bot.act({ room: "#no" })]);
    expect(yes).toMatchObject({ ok: true, messageId: expect.stringMatching(/^xa/) });
    expect(no).toMatchObject({ ok: false, kind: "permanent" });
  });

  test("without any: an answer to the PING behind them; cut off before it, they are in doubt", async () => {
    const bot = await start({});
    await bot.start().ready();
    expect(await bot.act({ room: "#ops" })).toEqual({ ok: true });
    await bot.vanish();
    await server().stop();
    const silent = await start({
      heard: (_guest, { command, params }) => command === "PING" && params[0]?.startsWith("a"),
    });
    await silent.start().ready();
    const outcome = silent.act({ room: "#ops" });
    await waitFor(() => server().lines.some((line) => line.startsWith("PRIVMSG #ops")));
    server().last?.socket.destroy();
    expect(await outcome).toMatchObject({ ok: false, kind: "ambiguous" });
    expect(await silent.act({ room: "#ops" })).toMatchObject({ ok: false, kind: "transient" });
  });

  test("more than can be said in time is put off, and nothing of it was said", async () => {
    const bot = await start({}, { burst: 1, lineMs: 2_000 });
    await bot.start().ready();
    const long = bot.act({ room: "#ops", text: Array.from({ length: 11 }, (_, n) => `line ${n}`).join("\n") });
    expect(await bot.act({ room: "#other" })).toMatchObject({
      ok: false,
      kind: "rateLimited",
      retryAfterMs: expect.any(Number),
    });
    expect(server().lines.some((line) => line.includes("#other"))).toBe(false);
    await bot.vanish();
    expect(await long).toMatchObject({ ok: false });
  });
});

test("what the host cannot store is kept for a while, in order; what is beyond it is told as a gap", async () => {
  const bot = await start({});
  await bot.start().ready();
  bot.answer = "redisDown";
  const lines = Array.from({ length: HELD_MAX + 200 }, (_, n) => `:ann!a@h PRIVMSG #ops :${n}`);
  server().last?.tell(...lines);
  server().last?.tell("PING :all of it");
  await waitFor(() => server().lines.includes("PONG :all of it"));
  bot.answer = "ok";
  await waitFor(() => bot.gaps.length === 1, LONG);
  expect(bot.texts).toEqual(Array.from({ length: HELD_MAX }, (_, n) => String(n)));
  expect(bot.is).toBe("ready");
  server().last?.tell(":ann!a@h PRIVMSG #ops :and on");
  await waitFor(() => bot.texts.includes("and on"));
});

test("another leads: no word is said or heard any more", async () => {
  const bot = await start({});
  await bot.start().ready();
  bot.answer = "fenced";
  server().last?.tell(":ann!a@h PRIVMSG #ops :hello");
  await waitFor(() => server().last?.socket.destroyed === true || server().last?.socket.readableEnded === true);
  expect(await bot.act({ room: "#ops" })).toMatchObject({ ok: false, kind: "transient" });
  expect(server().guests).toHaveLength(1);
});

describe("hostile servers", () => {
  const heapMiB = (): number => process.memoryUsage().rss / 2 ** 20;

  test.each<[string, (socket: Socket) => void]>([
    ["accepts and says nothing", () => {}],
    ["sends half a line and no more", (socket) => socket.write(":s 001 antiphon :Wel")],
    [
      "sends bytes that are nothing",
      (socket) => socket.write(Buffer.from(Array.from({ length: 4_096 }, (_, n) => (n * 7) % 256))),
    ],
    ["closes at once", (socket) => socket.destroy()],
    [
      "asks for secrets that nobody has",
      (socket) => socket.write("AUTHENTICATE +\r\nCAP * LS\r\nCAP\r\nPING\r\n001\r\n005\r\n433\r\n"),
    ],
  ])("one that %s: no exception, and an end when it is told to", async (_what, act) => {
    const bot = await start({ welcome: ({ socket }) => act(socket) });
    bot.start();
    await waitFor(() => server().guests.length > 0);
    await bot.stop();
    expect(bot.states.map(({ state }) => state)).not.toContain("ready");
    expect(bot.is).toBe("closed");
  });

  test("nonsense without end is left, and tried again later", async () => {
    const noise = Buffer.from("\u0000\u0001 what \r\n".repeat(500));
    const bot = await start({ welcome: ({ socket }) => socket.write(noise) });
    bot.start();
    await waitFor(() => bot.is === "degraded", LONG);
    expect(bot.detail).toMatch("not IRC");
  });

  test("lines of a megabyte, invalid UTF-8 and unknown numerics among good lines: the good ones are heard, memory stays", async () => {
    const bot = await start({});
    await bot.start().ready();
    const guest = server().last;
    const before = heapMiB();
    for (let round = 0; round < 40; round++) {
      guest?.socket.write(`:ann!a@h PRIVMSG #ops :${"x".repeat(2 ** 20)}\r\n`);
      guest?.socket.write(
        Buffer.from(":s 9\xff9 nobody :\xfe\xff\r\n:s 987 antiphon :new in town\r\n@;=; :x\r\n", "latin1"),
      );
      guest?.tell(`:ann!a@h PRIVMSG #ops :round ${round}`);
    }
    guest?.socket.write(Buffer.from(":ann!a@h PRIVMSG #ops :gr\xfc\xdf\r\n", "latin1"));
    await waitFor(() => bot.texts.includes("grüß"), LONG);
    expect(bot.texts.filter((text) => text.startsWith("round"))).toHaveLength(40);
    expect(heapMiB() - before).toBeLessThan(150);
    expect(bot.is).toBe("ready");
  });

  test("batches, labels, channels and offers without end are not remembered without end", async () => {
    const bot = await start({ capabilities: "batch message-tags labeled-response echo-message" });
    await bot.start().ready();
    const guest = server().last;
    for (let round = 0; round < 200; round++) {
      const lines = Array.from({ length: 100 }, (_, n) => {
        const id = `${round}x${n}`;
        return [
          `@label=${id} :s BATCH +${id} labeled-response`,
          `:s BATCH +h${id} chathistory #c${id}`,
          `@batch=h${id} :a!b@c TAGMSG #c${id}`,
        ];
      });
      guest?.tell(...lines.flat(), ":s CAP antiphon NEW :a b c", `:s 005 antiphon T${round}=1 :are supported`);
    }
    guest?.tell(":ann!a@h PRIVMSG #ops :still there?");
    await waitFor(() => bot.texts.includes("still there?"), LONG);
    expect(await bot.act({ room: "#ops" })).toMatchObject({ ok: true });
  });
});
