// What JSON would change is found, with its path; what it keeps is let through.

import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { jsonProblems } from "../../../services/sdk/json.ts";

class Money {
  readonly cents = 1;
}

test("what JSON keeps is sound", () => {
  const shared = { a: 1 };
  const bare = Object.assign(Object.create(null) as object, { x: 1 });
  for (const value of [
    "",
    0,
    -1.5,
    true,
    null,
    [],
    {},
    { a: [{ b: null }], "": 1 },
    bare,
    [shared, shared],
    { a: undefined },
  ])
    expect(jsonProblems("input", value)).toEqual([]);
  expect(jsonProblems("input", runInNewContext("({ a: [1] })"))).toEqual([]);
});

test("what JSON would change is named with its path", () => {
  const circle: { inner: { back?: unknown } } = { inner: {} };
  circle.inner.back = circle;
  const wrong: readonly [unknown, string][] = [
    [undefined, "input is undefined"],
    [{ at: new Date(0) }, "input.at is a Date"],
    [{ seen: new Set([1]) }, "input.seen is a Set"],
    [{ "a b": [0, new Map()] }, 'input["a b"][1] is a Map'],
    [{ price: new Money() }, "input.price is a Money"],
    [Buffer.from("x"), "input is a Buffer"],
    [new Error("x"), "input is a Error"],
    [{ n: 1n }, "input.n is a BigInt"],
    [{ n: Number.NaN }, "input.n is NaN"],
    [[Number.POSITIVE_INFINITY], "input[0] is Infinity"],
    [{ f: () => 1 }, "input.f is a function"],
    [{ s: Symbol("x") }, "input.s is a symbol"],
    [{ [Symbol("x")]: 1 }, "input has a symbol for a key"],
    [{ toJSON: () => 1 }, "input has a toJSON of its own"],
    [[1, undefined], "input[1] is undefined"],
    [Object.assign([], { length: 1 }), "input[0] is undefined"],
    [circle, "input.inner.back contains itself"],
  ];
  for (const [value, text] of wrong) expect(jsonProblems("input", value)).toContain(text);
});

test("all of them are told, up to ten", () => {
  expect(jsonProblems("input", { a: new Date(0), b: { c: 1n } })).toEqual([
    "input.a is a Date",
    "input.b.c is a BigInt",
  ]);
  expect(
    jsonProblems(
      "input",
      Array.from({ length: 50 }, () => 1n),
    ).length,
  ).toBe(10);
});

test("neither depth nor size can hurt", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  expect(jsonProblems("input", deep)).toEqual([expect.stringContaining("is nested deeper than 200 levels")]);
  let wide: unknown = [1];
  for (let level = 0; level < 60; level++) wide = [wide, wide];
  expect(jsonProblems("input", wide)).toEqual([expect.stringMatching(/^input has more than/)]);
});
