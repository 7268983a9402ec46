import { describe, expect, test } from "vitest";
import { Capabilities } from "../../../../services/adapters/irc/capabilities.ts";
import { parseLine, type Line } from "../../../../services/adapters/irc/line.ts";
import { isVariant, nextNick } from "../../../../services/adapters/irc/nick.ts";
import { type Identity, Registration, type Step } from "../../../../services/adapters/irc/registration.ts";
import { refusalOf } from "../../../../services/adapters/irc/refusal.ts";
import { SaslExchange } from "../../../../services/adapters/irc/sasl.ts";

const line = (text: string): Line => parseLine(text) as Line;
const IDENTITY: Identity = { nick: "antiphon", username: "bot", realname: "A bot" };
const PLAIN = { mechanism: "plain", account: "bot", password: "secret" } as const;

/** Tells the lines one after the other; answers what was sent, and the last step. */
function told(identity: Identity, ...lines: string[]): { sent: string[]; last: Step } {
  const registration = new Registration(identity);
  const sent = registration.begin();
  let last: Step = { send: [] };
  for (const text of lines) {
    last = registration.heard(line(text));
    sent.push(...last.send);
  }
  return { sent, last };
}

const WELCOME = [":s 001 antiphon :hi", ":s 005 antiphon NICKLEN=20 :are supported", ":s 422 antiphon :no motd"];

describe("into a network", () => {
  test("without capabilities: an old server answers CAP with 421", () => {
    const { sent, last } = told(IDENTITY, ":s 421 * CAP :Unknown command", ...WELCOME);
    expect(sent).toEqual(["CAP LS 302", "NICK antiphon", "USER bot 0 * :A bot"]);
    expect(last.outcome).toMatchObject({ welcome: { nick: "antiphon", account: undefined } });
  });

  test("with a server's password, and what the server asks in between", () => {
    const { sent } = told({ ...IDENTITY, password: "pw" }, "PING :12 34", ...WELCOME);
    expect(sent).toEqual(["CAP LS 302", "PASS pw", "NICK antiphon", "USER bot 0 * :A bot", "PONG :12 34"]);
  });

  test("with capabilities in several lines: what is wanted and offered is asked for, then the end is told", () => {
    const { sent, last } = told(
      IDENTITY,
      ":s CAP * LS * :server-time batch foo=bar",
      ":s CAP * LS :labeled-response echo-message draft/chathistory message-tags sasl=PLAIN",
      ":s CAP * ACK :server-time message-tags echo-message batch labeled-response draft/chathistory",
      ...WELCOME,
    );
    expect(sent.slice(3)).toEqual([
      "CAP REQ :server-time message-tags echo-message batch labeled-response draft/chathistory",
      "CAP END",
    ]);
    const welcome = last.outcome && "welcome" in last.outcome ? last.outcome.welcome : undefined;
    expect(welcome?.capabilities.enabled).toContain("draft/chathistory");
    expect(welcome?.isupport.size("NICKLEN")).toBe(20);
  });

  test("SASL PLAIN before the end of the negotiation", () => {
    const { sent, last } = told(
      { ...IDENTITY, credentials: PLAIN },
      ":s CAP * LS :sasl=EXTERNAL,PLAIN",
      ":s CAP * ACK :sasl",
      "AUTHENTICATE +",
      ":s 900 * *!*@* bot :You are now logged in as bot",
      ":s 903 * :SASL authentication successful",
      ...WELCOME,
    );
    const secret = Buffer.from("bot\0bot\0secret").toString("base64");
    expect(sent.slice(3)).toEqual(["CAP REQ :sasl", "AUTHENTICATE PLAIN", `AUTHENTICATE ${secret}`, "CAP END"]);
    expect(last.outcome).toMatchObject({ welcome: { account: "bot" } });
  });

  test.each([
    [
      [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 904 * :SASL authentication failed"],
      "credentials",
    ],
    [[":s CAP * LS :sasl=SCRAM-SHA-256", ":s CAP * ACK :sasl"], "credentials"],
    [[":s CAP * LS :sasl=PLAIN", ":s CAP * ACK :sasl", ":s 908 * SCRAM :are available"], "credentials"],
    [[":s CAP * LS :server-time", ":s CAP * ACK :server-time"], "lost"],
    [[":s 421 * CAP :Unknown", ...WELCOME], "lost"],
    [[":s 464 * :Password incorrect"], "credentials"],
    [[":s 465 * :You are banned"], "banned"],
    [["ERROR :Closing link: (bot@h) [Throttled: try later]"], "throttled"],
    [["ERROR :Closing link: (bot@h) [K-Lined]"], "banned"],
    [["ERROR :Closing link: (bot@h) [Bad Password]"], "credentials"],
    [["ERROR :Closing link: Killed (NickServ (REGAIN command used by ann))"], "twin"],
    [["ERROR :Ping timeout"], "lost"],
    [[":s 432 * antiphon :Erroneous nickname"], "credentials"],
  ])("refused with %j: %s", (lines, kind) => {
    const { last } = told({ ...IDENTITY, credentials: PLAIN }, ...lines);
    expect(last.outcome).toMatchObject({ refusal: { kind } });
  });

  test("a nick in use: the next one, until one is free", () => {
    const { sent, last } = told(
      IDENTITY,
      ":s 433 * antiphon :in use",
      ":s 433 * antiphon_ :in use",
      ":s 437 * antipho__ :unavailable",
      ":s 001 antiphon3 :hi",
      ":s 376 antiphon3 :end",
    );
    expect(sent.slice(3)).toEqual(["NICK antiphon_", "NICK antipho__", "NICK antiphon3"]);
    expect(last.outcome).toMatchObject({ welcome: { nick: "antiphon3" } });
  });

  test("a nick too long for an old server is cut", () => {
    const { sent } = told({ ...IDENTITY, nick: "antiphonary" }, ":s 432 * antiphonary :Erroneous");
    expect(sent.at(-1)).toBe("NICK antiphona");
  });

  test("no nick at all: later", () => {
    const { last } = told(IDENTITY, ...Array.from({ length: 21 }, () => ":s 433 * x :in use"));
    expect(last.outcome).toMatchObject({ refusal: { kind: "lost" } });
  });
});

test("names that we may have had are known as ours", () => {
  const names = [0, 1, 2, 3, 9].map((tries) => nextNick("antiphon", tries, 9));
  expect(names).toEqual(["antiphon", "antiphon_", "antipho__", "antiphon3", "antiphon9"]);
  expect(names.every((name) => isVariant(name, "antiphon"))).toBe(true);
  expect(["ann", "antiphonX", "antiphon99"].some((name) => isVariant(name, "antiphon"))).toBe(false);
});

describe("capabilities", () => {
  test("a refusal of all is asked again one by one; what is refused alone is done without", () => {
    const capabilities = new Capabilities({ sasl: false });
    expect(capabilities.heard(line(":s CAP * LS :batch server-time sasl"))).toEqual(["CAP REQ :server-time batch"]);
    expect(capabilities.heard(line(":s CAP * NAK :server-time batch"))).toEqual([
      "CAP REQ :server-time",
      "CAP REQ :batch",
    ]);
    expect(capabilities.heard(line(":s CAP * NAK :batch"))).toEqual([]);
    expect(capabilities.settled).toBe(false);
    capabilities.heard(line(":s CAP * ACK :server-time"));
    expect([capabilities.settled, capabilities.has("server-time"), capabilities.has("batch")]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("what comes later is asked for, what goes is gone", () => {
    const capabilities = new Capabilities({ sasl: false });
    capabilities.heard(line(":s CAP * LS :"));
    expect(capabilities.settled).toBe(true);
    expect(capabilities.heard(line(":s CAP bot NEW :account-tag"))).toEqual(["CAP REQ :account-tag"]);
    capabilities.heard(line(":s CAP bot ACK :account-tag"));
    expect(capabilities.has("account-tag")).toBe(true);
    capabilities.heard(line(":s CAP bot DEL :account-tag"));
    expect(capabilities.has("account-tag")).toBe(false);
  });

  test("a flood of offers is not remembered", () => {
    const capabilities = new Capabilities({ sasl: false });
    for (let page = 0; page < 100; page++)
      capabilities.heard(line(`:s CAP * LS * :${Array.from({ length: 50 }, (_, n) => `c${page}.${n}`).join(" ")}`));
    expect(capabilities.heard(line(":s CAP * LS :batch"))).toEqual([]);
  });
});

describe("SASL", () => {
  test("a secret of exactly 400 signs is followed by an empty piece", () => {
    const exchange = new SaslExchange({ mechanism: "plain", account: "a", password: "x".repeat(300 - 4) });
    const { send } = exchange.heard(line("AUTHENTICATE +"));
    expect(send.map((one) => one.length - "AUTHENTICATE ".length)).toEqual([400, 1]);
  });

  test("EXTERNAL says nothing but that it is us", () => {
    const exchange = new SaslExchange({ mechanism: "external" });
    expect(exchange.begin()).toEqual(["AUTHENTICATE EXTERNAL"]);
    expect(exchange.heard(line("AUTHENTICATE +")).send).toEqual(["AUTHENTICATE +"]);
    expect(exchange.heard(line(":s 903 * :ok")).outcome).toBe("done");
  });

  test("the secret is told once only", () => {
    const exchange = new SaslExchange(PLAIN);
    exchange.heard(line("AUTHENTICATE +"));
    expect(exchange.heard(line("AUTHENTICATE +")).send).toEqual(["AUTHENTICATE *"]);
  });
});

test("plain talk about bans and ghosts ends nothing", () => {
  expect(refusalOf(line(":ann!a@h PRIVMSG #ops :you are banned, ghost"))).toBeUndefined();
});
