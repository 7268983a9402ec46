// What a command pattern may say.

import { describe, expect, test } from "vitest";
import { readPattern } from "../../../services/sdk/pattern.ts";

test("a pattern is fixed words and arguments", () => {
  expect(readPattern("deploy <app> [env]")).toEqual({
    problems: [],
    parts: [
      { kind: "literal", word: "deploy" },
      { kind: "argument", name: "app", required: true, rest: false },
      { kind: "argument", name: "env", required: false, rest: false },
    ],
  });
  expect(readPattern("say <text...>").parts.at(-1)).toEqual({
    kind: "argument",
    name: "text",
    required: true,
    rest: true,
  });
});

test("words may stand between arguments", () => {
  expect(readPattern("add <user> to <group>").problems).toEqual([]);
});

describe("refused", () => {
  test.each([
    ["", "empty"],
    ["   ", "empty"],
    ["deploy <app", '"<app"'],
    ["deploy app>", '"app>"'],
    ["deploy <>", '"<>"'],
    ["deploy <a-b>", '"<a-b>"'],
    ["deploy <...>", '"<...>"'],
    ["deploy <app]", '"<app]"'],
    ["deploy [env] <app>", "the argument app comes after the optional [env]"],
    ["deploy [env] now", '"now" comes after the optional [env]'],
    ["say <text...> [more]", "the argument more comes after text..."],
    ["say [text...] loud", '"loud" comes after text...'],
    ["copy <a> <a>", "named twice"],
  ])("%j", (pattern, reason) => {
    expect(readPattern(pattern).problems.join("; ")).toContain(reason);
  });
});
