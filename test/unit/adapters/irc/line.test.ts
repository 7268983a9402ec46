import { describe, expect, test } from "vitest";
import { fold } from "../../../../services/adapters/irc/casemap.ts";
import { Frame, LINE_BYTES_MAX } from "../../../../services/adapters/irc/frame.ts";
import { Isupport } from "../../../../services/adapters/irc/isupport.ts";
import { formatLine, parseLine } from "../../../../services/adapters/irc/line.ts";

const plain = (text: string) => {
  const line = parseLine(text);
  return line && { ...line, tags: Object.fromEntries(line.tags) };
};

test.each([
  ["PING", "PING", []],
  ["ping :a b", "PING", ["a b"]],
  [":irc.test 001 bot :Welcome to it", "001", ["bot", "Welcome to it"]],
  ["foo bar baz asdf", "FOO", ["bar", "baz", "asdf"]],
  ["foo bar baz :", "FOO", ["bar", "baz", ""]],
  ["foo bar baz ::asdf", "FOO", ["bar", "baz", ":asdf"]],
  ["foo bar baz :  asdf quux ", "FOO", ["bar", "baz", "  asdf quux "]],
  [":coolguy foo bar baz :  asdf", "FOO", ["bar", "baz", "  asdf"]],
  [":gravel.mozilla.org MODE #tckk +n ", "MODE", ["#tckk", "+n"]],
  [":services.esper.net MODE #foo-bar +o foobar  ", "MODE", ["#foo-bar", "+o", "foobar"]],
  ["@a=b   :src   PRIVMSG   #c   :x  y", "PRIVMSG", ["#c", "x  y"]],
])("%j is read", (text, command, params) => {
  expect(plain(text)).toMatchObject({ command, params });
});

test.each(["", " ", ":only.a.source", "@tags=only", "12 x", "1234 x", "PRIV!MSG x", "\u0001\u0002", ":a b: c"])(
  "%j is no line",
  (text) => expect(parseLine(text)).toBeUndefined(),
);

test("tags are unescaped, sources are taken apart", () => {
  expect(plain(String.raw`@a=b\\and\nk;c=72\s45;d=gh\:764;e;f=\bx;g=end\ :n!u@h FOO`)).toEqual({
    tags: { a: "b\\and\nk", c: "72 45", d: "gh;764", e: "", f: "bx", g: "end" },
    source: { nick: "n", user: "u", host: "h" },
    command: "FOO",
    params: [],
  });
  expect(plain(":n@h FOO")?.source).toEqual({ nick: "n", host: "h" });
  expect(plain(":n!u FOO")?.source).toEqual({ nick: "n", user: "u" });
});

describe("a line that is written", () => {
  test("is read again as it was", () => {
    const tags = { "+a/b": "x; y\\\r\n", label: "1" };
    const line = parseLine(formatLine("PRIVMSG", ["#c", ": two  words"], tags));
    expect(line).toMatchObject({ command: "PRIVMSG", params: ["#c", ": two  words"] });
    expect(Object.fromEntries(line?.tags ?? [])).toEqual(tags);
  });

  test("is one line, whatever somebody said", () => {
    expect(formatLine("PRIVMSG", ["#c\r\nQUIT", "a\r\nQUIT :b\0"])).toBe("PRIVMSG #cQUIT :a  QUIT :b ");
    expect(formatLine("PRIVMSG", [": #c x", ""])).toBe("PRIVMSG #cx :");
  });
});

describe("bytes become lines", () => {
  const lines = (frame: Frame, ...chunks: (string | Buffer)[]): string[] =>
    chunks.flatMap((chunk) => [...frame.push(Buffer.from(chunk))]);

  test("in whatever pieces they come", () => {
    expect(lines(new Frame(), "PI", "NG :a\r", "\nPING :b\nPING", " :c\r\n\r\n")).toEqual([
      "PING :a",
      "PING :b",
      "PING :c",
    ]);
  });

  test("a character cut in two is whole again; what is no UTF-8 is read as Latin-1", () => {
    const ae = Buffer.from("ä");
    expect(lines(new Frame(), ae.subarray(0, 1), Buffer.concat([ae.subarray(1), Buffer.from("\n")]))).toEqual(["ä"]);
    expect(lines(new Frame(), Buffer.from([0xfc, 0x62, 0x0a]))).toEqual(["üb"]);
  });

  test("a line of a megabyte is thrown away, the next one is read, and little is kept", () => {
    const frame = new Frame();
    const chunk = Buffer.alloc(64 * 1024, 0x61);
    for (let n = 0; n < 16; n++) expect(lines(frame, chunk)).toEqual([]);
    expect(lines(frame, "tail\r\nPING :x\r\n")).toEqual(["PING :x"]);
    expect(frame.overlong).toBe(1);
    expect(lines(frame, `${"b".repeat(LINE_BYTES_MAX)}\n`)).toEqual(["b".repeat(LINE_BYTES_MAX)]);
  });
});

test.each([
  ["ascii", "A[]\\~Ä", "a[]\\~Ä"],
  ["rfc1459", "A[]\\~", "a{}|^"],
  ["rfc1459-strict", "A[]\\~", "a{}|~"],
  ["rfc8265", "ÄB", "äb"],
  ["something new", "A[", "a{"],
])("names are the same name by %s", (mapping, name, folded) => expect(fold(name, mapping)).toBe(folded));

describe("what a server says of itself", () => {
  const read = (...tokens: string[]): Isupport => {
    const isupport = new Isupport();
    isupport.read(["bot", ...tokens, "are supported by this server"]);
    return isupport;
  };

  test("limits, names and kinds of channels", () => {
    const isupport = read(
      "CASEMAPPING=ascii",
      "NICKLEN=30",
      "LINELEN=1024",
      "CHANTYPES=#!",
      "STATUSMSG=@+",
      String.raw`NETWORK=A\x20B`,
    );
    expect(isupport.size("NICKLEN")).toBe(30);
    expect(isupport.size("LINELEN")).toBe(1024);
    expect(isupport.text("NETWORK")).toBe("A B");
    expect(isupport.isSame("#A[", "#a{")).toBe(false);
    expect(["#a", "!a", "@#a", "&a", "ann", "@", ""].map((name) => isupport.isChannel(name))).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  test("what it takes back or says without sense counts as unsaid", () => {
    const isupport = read("NICKLEN=x", "LINELEN=-5", "CHATHISTORY=99999999");
    expect([isupport.size("NICKLEN"), isupport.size("LINELEN"), isupport.size("CHATHISTORY")]).toEqual([9, 512, 0]);
    isupport.read(["bot", "CASEMAPPING=ascii", "end"]);
    isupport.read(["bot", "-CASEMAPPING", "end"]);
    expect(isupport.isSame("a[", "A{")).toBe(true);
  });
});
