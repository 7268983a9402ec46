import { describe, expect, test } from "vitest";
import { Isupport } from "../../../../services/adapters/irc/isupport.ts";
import { linesMax, wordsOf } from "../../../../services/adapters/irc/speech.ts";
import { linesOf, splitText } from "../../../../services/adapters/irc/split.ts";
import { addressedTo, plainWords } from "../../../../services/adapters/irc/words.ts";
import type { Action } from "../../../../services/sdk/action.ts";

const bytes = (text: string): number => Buffer.byteLength(text);

describe("a long text", () => {
  test("is cut between words, and nothing of it is lost", () => {
    const text = Array.from({ length: 200 }, (_, n) => `word${n}`).join(" ");
    const pieces = splitText(text, 100);
    expect(pieces.every((piece) => bytes(piece) <= 100)).toBe(true);
    expect(pieces.join(" ")).toBe(text);
  });

  test("with a word longer than a line is cut in it, at whole characters", () => {
    for (const sign of ["ä", "€", "😀", "e\u0301", "👍🏽", "👩‍👩‍👧"]) {
      const text = sign.repeat(100);
      const pieces = splitText(text, 70);
      expect(pieces.join("")).toBe(text);
      expect(pieces.every((piece) => bytes(piece) <= 70)).toBe(true);
      expect(pieces.every((piece) => piece.length % sign.length === 0)).toBe(true);
      expect(pieces.some((piece) => piece.includes("\uFFFD"))).toBe(false);
    }
  });

  test("in lines and paragraphs: empty ones go, too many are counted, hidden commands are words", () => {
    expect(linesOf("a\r\n\nb\rc", { bytesMax: 100, linesMax: 10 })).toEqual(["a", "b", "c"]);
    expect(linesOf("1\n2\n3\n4\n5", { bytesMax: 100, linesMax: 3 })).toEqual(["1", "2", "… (3 more lines)"]);
    expect(linesOf("\u0001VERSION\u0001", { bytesMax: 100, linesMax: 3 })).toEqual(["VERSION"]);
    expect(linesOf("", { bytesMax: 100, linesMax: 3 })).toEqual([" "]);
  });

  test("random texts: never over the limit, never broken, never changed", () => {
    let seed = 7;
    const next = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    const signs = ["a", "bc", " ", "  ", "ü", "漢", "😀", ".", "e\u0301"];
    for (let round = 0; round < 500; round++) {
      const text = Array.from({ length: next(300) }, () => signs[next(signs.length)]).join("");
      const max = 20 + next(80);
      const pieces = splitText(text, max);
      expect(pieces.every((piece) => bytes(piece) <= max && piece !== "")).toBe(true);
      expect(pieces.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
    }
  });
});

describe("an Action in lines", () => {
  const isupport = new Isupport();
  const options = {
    isupport,
    mask: { nick: "antiphon", user: "~bot", host: "host.example" },
    pace: { burst: 4, lineMs: 2_000 },
    key: undefined,
  };
  const action = (more: Partial<Action>): Action =>
    ({ id: "a", unit: "irc", room: "#ops", op: "send", text: "x", ...more }) as Action;

  test("fits 512 bytes with the name that the server puts before it", () => {
    const words = wordsOf(action({ text: "ü".repeat(2_000) }), options);
    if (typeof words === "string") throw new Error(words);
    const whole = words.lines.map(([, text = ""]) => `:antiphon!~bot@host.example PRIVMSG #ops :${text}\r\n`);
    expect(whole.every((line) => bytes(line) <= 512)).toBe(true);
    expect(bytes(whole[0] ?? "")).toBeGreaterThan(505);
  });

  test("whispers are notices; topics, joins and parts are commands; keys go along", () => {
    expect(wordsOf(action({ to: "~ann" } as Partial<Action>), options)).toMatchObject({
      command: "NOTICE",
      target: "ann",
    });
    expect(wordsOf(action({ op: "topic", text: "a\nb" }), options)).toMatchObject({
      command: "TOPIC",
      lines: [["#ops", "a b"]],
    });
    expect(wordsOf(action({ op: "join" }), { ...options, key: "k" })).toMatchObject({ lines: [["#ops", "k"]] });
    expect(wordsOf(action({ op: "leave" }), options)).toMatchObject({ command: "PART" });
    expect(wordsOf(action({ op: "react", emoji: "x" } as Partial<Action>), options)).toMatch("no react");
  });

  test.each(["#a,#b", "#a b", "ann\r\nQUIT", "$*", "a!b@c", "", ":x", "#a\u0007,"])("%j is no target", (room) => {
    expect(wordsOf(action({ room }), options)).toMatch("no channel and no nick");
  });

  test("an Action has as many lines as can be said in time", () => {
    expect(linesMax({ burst: 4, lineMs: 2_000 })).toBe(14);
    expect(linesMax({ burst: 1, lineMs: 10_000 })).toBe(4);
    expect(linesMax({ burst: 5, lineMs: 0 })).toBe(40);
  });
});

test("colours and bold are no words", () => {
  expect(plainWords("\u00034,12red\u0003 \u0002bold\u000f \u0004ff0000x\u001d5")).toBe("red bold x5");
});

test.each([
  ["bot: ping", true, "ping"],
  ["BOT, ping", true, "ping"],
  ["bot_: ping", true, "ping"],
  ["bot ping", false, "bot ping"],
  ["bottle: ping", false, "bottle: ping"],
  ["bot:", false, "bot:"],
])("%j by nick", (text, mentionsBot, rest) => {
  expect(addressedTo(text, ["bot_", "bot"])).toEqual({ mentionsBot, text: rest });
});
