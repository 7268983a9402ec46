import { describe, expect, test } from "vitest";
import { IrcAdapter } from "../../../../services/adapters/irc/adapter.ts";
import { Channels } from "../../../../services/adapters/irc/channels.ts";
import { Isupport } from "../../../../services/adapters/irc/isupport.ts";
import { NickKeeper } from "../../../../services/adapters/irc/keeper.ts";
import { type Line, parseLine } from "../../../../services/adapters/irc/line.ts";
import { Marks, missedSince } from "../../../../services/adapters/irc/marks.ts";
import { Outgoing } from "../../../../services/adapters/irc/outgoing.ts";
import { networkNames, networkOf } from "../../../../services/adapters/irc/settings.ts";

import { readConfig } from "../../../../services/config/read.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const line = (text: string): Line => parseLine(text) as Line;
const half = (): number => 0.5;

describe("the pace of lines", () => {
  async function paced() {
    const clock = new ManualClock();
    const written: string[] = [];
    const outgoing = new Outgoing({ burst: 2, lineMs: 1_000, write: (text) => written.push(text), clock });
    return { clock, written, outgoing };
  }

  test("so many at once, then one by one; rooms take turns; what is urgent does not wait", async () => {
    const { clock, written, outgoing } = await paced();
    for (const text of ["a1", "a2", "a3", "a4"]) outgoing.push("a", text);
    outgoing.push("b", "b1");
    expect(written).toEqual(["a1", "a2"]);
    outgoing.urgent("PONG");
    await clock.advance(1_000);
    await clock.advance(1_000);
    await clock.advance(1_000);
    expect(written[2]).toBe("PONG");
    expect([...written].sort()).toEqual(["PONG", "a1", "a2", "a3", "a4", "b1"]);
    expect(written.indexOf("b1")).toBeLessThan(written.indexOf("a4"));
  });

  test("a backlog is told, what is taken back is never written, nothing is after the end", async () => {
    const { clock, written, outgoing } = await paced();
    for (const text of ["1", "2", "3", "4", "5"]) outgoing.push("a", text);
    expect(outgoing.backlogMs).toBe(4_000);
    expect(outgoing.drop("a")).toBe(3);
    await clock.advance(5_000);
    outgoing.close();
    outgoing.urgent("x");
    expect(outgoing.push("a", "6")).toBe(false);
    expect(written).toEqual(["1", "2"]);
  });

  test("long lines are spread although many lines are allowed: a server reads so many bytes at once", async () => {
    const clock = new ManualClock();
    const written: string[] = [];
    const outgoing = new Outgoing({ burst: 1_000, lineMs: 0, write: (text) => written.push(text), clock });
    for (let n = 0; n < 20; n++) outgoing.push("a", "x".repeat(510));
    expect(written.length).toBeLessThan(8);
    await clock.advance(250);
    expect(written.length).toBeLessThan(12);
    await clock.advance(2_000);
    expect(written).toHaveLength(20);
  });

  test("more than can wait is refused", async () => {
    const { outgoing } = await paced();
    const taken = Array.from({ length: 1_100 }, (_, n) => outgoing.push("a", String(n))).filter(Boolean);
    expect(taken.length).toBeLessThan(1_010);
    outgoing.close();
  });
});

describe("the nick", () => {
  function keeper(hasAccount = false) {
    const clock = new ManualClock();
    const sent: string[] = [];
    const twins: string[] = [];
    const isupport = new Isupport();
    isupport.read(["x", "NICKLEN=20", "end"]);
    const kept = new NickKeeper({
      wanted: "antiphon",
      nick: "antiphon_",
      hasAccount,
      isupport,
      clock,
      random: half,
      send: (text) => sent.push(text),
      twin: (detail) => twins.push(detail),
    });
    return { clock, sent, twins, kept };
  }

  test("is asked for at once when whoever has it goes or takes another", () => {
    const { sent, kept } = keeper();
    kept.heard(line(":ann!a@h QUIT :bye"));
    expect(sent).toEqual([]);
    kept.heard(line(":Antiphon!a@h QUIT :ping timeout"));
    kept.heard(line(":antiphon!a@h NICK other"));
    expect(sent).toEqual(["NICK antiphon", "NICK antiphon"]);
    kept.heard(line(":antiphon_!a@h NICK antiphon"));
    expect(kept.isWanted).toBe(true);
  });

  test("is asked for again and again, less and less often", async () => {
    const { clock, sent, kept } = keeper();
    for (let second = 0; second < 120; second++) {
      await clock.advance(1_000);
      kept.pulse();
    }
    const asked = sent.filter((text) => text === "NICK antiphon").length;
    expect(asked).toBeGreaterThan(8);
    expect(asked).toBeLessThan(20);
    expect(sent.filter((text) => text.includes("VERSION")).length).toBeLessThanOrEqual(2);
    expect(sent.some((text) => text.includes("NickServ"))).toBe(false);
  });

  test("held by a living bot of the same kind: a twin; by somebody else, unasked or too late: not", async () => {
    const { clock, twins, kept } = keeper();
    kept.heard(line(":antiphon!a@h NOTICE antiphon_ :\u0001VERSION Antiphon 1\u0001"));
    expect(twins).toEqual([]);
    kept.probe();
    kept.heard(line(":ann!a@h NOTICE antiphon_ :\u0001VERSION Antiphon 1\u0001"));
    kept.heard(line(":antiphon!a@h NOTICE antiphon_ :\u0001VERSION WeeChat 4\u0001"));
    await clock.advance(11_000);
    kept.heard(line(":antiphon!a@h NOTICE antiphon_ :\u0001VERSION Antiphon 1\u0001"));
    expect(twins).toEqual([]);
    kept.probe();
    kept.heard(line(":antiphon!a@h NOTICE antiphon_ :\u0001VERSION Antiphon 1\u0001"));
    expect(twins).toHaveLength(1);
  });
});

describe("channels", () => {
  function channels(configured: readonly { name: string; key?: string }[]) {
    const refusals: string[] = [];
    const wishes = { configured, joined: new Set<string>(), left: new Set<string>() };
    const clock = new ManualClock();
    const refused = (channel: string, why: string): void => void refusals.push(`${channel} ${why}`);
    return {
      made: new Channels({ wishes, isupport: new Isupport(), clock, random: half, refused }),
      refusals,
      clock,
      wishes,
    };
  }

  test("are joined in few lines, keyed ones first", () => {
    const many = Array.from({ length: 60 }, (_, n) => ({ name: `#channel${n}` }));
    const { made } = channels([...many, { name: "#secret", key: "k" }]);
    const lines = made.joinLines();
    expect(lines[0]).toMatch(/^JOIN #secret,#channel0,.* k$/);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.every((text) => text.length <= 512)).toBe(true);
  });

  test("that refuse are told and tried again later, each by itself", async () => {
    const { made, refusals, clock } = channels([{ name: "#Full" }, { name: "#ops" }]);
    made.heard(line(":s 471 bot #full :Channel is full"), false);
    made.heard(line(":bot!b@h JOIN #ops"), true);
    expect(refusals).toEqual(["#full Channel is full"]);
    expect([made.isAway("#full"), made.isAway("#ops"), made.isAway("#other")]).toEqual([true, false, false]);
    expect(made.due()).toEqual([]);
    await clock.advance(5_000);
    expect(made.due()).toEqual(["JOIN #Full"]);
    expect(made.due()).toEqual([]);
  });
});

describe("what was missed", () => {
  const said = (...ids: string[]): Line[] =>
    ids.map((id) => line(`@msgid=${id};time=2026-01-01T00:00:0${id}.000Z :a!b@c PRIVMSG #c :${id}`));
  const ids = (lines: readonly Line[]): (string | undefined)[] => lines.map(({ tags }) => tags.get("msgid"));
  const at = (second: number): number => Date.parse(`2026-01-01T00:00:0${second}.500Z`);

  test("is what follows the last words that are known", () => {
    const missed = missedSince({ id: "2", at: at(2) }, said("1", "2", "3", "4"));
    expect([ids(missed.lines), missed.complete]).toEqual([["3", "4"], true]);
  });

  test("without them: what is later, and all of it only if the history goes back further", () => {
    const far = missedSince({ id: "x", at: at(3) }, said("1", "2", "3", "4"));
    expect([ids(far.lines), far.complete]).toEqual([["3", "4"], true]);
    const near = missedSince({ id: "x", at: at(1) }, said("3", "4"));
    expect([ids(near.lines), near.complete]).toEqual([["3", "4"], false]);
  });

  test("a channel that was never heard has missed nothing", () => {
    expect(missedSince(undefined, said("1", "2"))).toEqual({ lines: [], complete: true });
  });

  test("marks survive as JSON, also what others wrote into it", () => {
    const marks = new Marks();
    marks.note("#a", { at: 5, id: "m" });
    marks.note("#b", { at: 6 });
    const back = new Marks(JSON.parse(JSON.stringify(marks.toData())));
    expect([back.get("#a"), back.get("#b"), back.get("#c")]).toEqual([{ at: 5, id: "m" }, { at: 6 }, undefined]);
    expect(new Marks({ "#x": "nonsense", "#y": [1, 2] }).toData()).toEqual({ "#y": [1] });
  });
});

describe("settings", () => {
  const around = (env: Record<string, string>) => ({ env, cwd: "/nowhere", cores: 2, terminal: false, dev: false });
  const common = { REDIS_URL: "redis://127.0.0.1", ANTIPHON_ADAPTERS: "irc" };
  const irc = { IRC_HOST: "irc.test", IRC_TLS: "off", IRC_CHANNELS: "#ops, #secret key", IRC_NETWORK: "libera" };

  test("from variables", async () => {
    const { adapterSettings } = await readConfig("master", around({ ...common, ...irc, IRC_PASSWORD: "pw" }));
    const settings = adapterSettings["irc"] ?? {};
    expect(networkNames(settings)).toEqual(["libera"]);
    expect(networkOf(settings, "libera")).toMatchObject({
      address: { host: "irc.test", port: 6667, tls: false },
      identity: { nick: "antiphon", username: "antiphon", password: "pw" },
      channels: [{ name: "#ops" }, { name: "#secret", key: "key" }],
      pace: { burst: 4, lineMs: 2_000 },
    });
  });

  test("several networks: each has what it sets, and the rest of all", () => {
    const settings = {
      nick: "bot",
      sasl: "plain",
      password: "pw",
      networks: { a: { host: "a.test" }, b: { host: "b.test", nick: "bee" } },
    };
    expect(networkNames(settings)).toEqual(["a", "b"]);
    expect(networkOf(settings, "a")).toMatchObject({
      address: { host: "a.test", port: 6697, tls: true },
      identity: { nick: "bot" },
    });
    expect(networkOf(settings, "b").identity).toMatchObject({
      nick: "bee",
      credentials: { account: "bee", password: "pw" },
    });
  });

  test.each<[Record<string, string>, string]>([
    [{}, "IRC_HOST is missing"],
    [{ ...irc, IRC_SASL: "plain" }, "IRC_PASSWORD is missing"],
    [{ ...irc, IRC_SASL: "external" }, "IRC_TLS_CERT"],
    [{ ...irc, IRC_NICK: "two words" }, "IRC_NICK must be"],
    [{ ...irc, IRC_CHANNELS: "ops" }, "IRC_CHANNELS must be"],
    [{ ...irc, IRC_TLS: "maybe" }, "IRC_TLS must be"],
  ])("%j stops a master", async (env, problem) => {
    await expect(readConfig("master", around({ ...common, ...env }))).rejects.toThrow(problem);
  });

  test("whoever asks for the units alone needs no address", async () => {
    const { adapterSettings } = await readConfig("tool", around({ ...common, IRC_NETWORK: "libera" }));
    const clock = new ManualClock();
    const adapter = new IrcAdapter({ settings: adapterSettings["irc"] ?? {}, clock, random: half });
    expect(await adapter.units()).toEqual(["libera"]);
  });

  test("workers need no address and no secret", async () => {
    await expect(readConfig("worker", around(common))).resolves.toMatchObject({ adapters: ["irc"] });
  });
});
