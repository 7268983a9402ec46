import { expect, test } from "vitest";
import { parseSelector } from "../../../services/http/label-selector.ts";

const HEAVY = { pool: "heavy", state: "ready" };

test.each([
  ["", true],
  ["pool=heavy", true],
  ["pool==heavy", true],
  ["pool = heavy , state=ready", true],
  ["pool=default", false],
  ["pool!=default", true],
  ["queue!=a", true],
  ["queue=", false],
  ["pool in (default, heavy)", true],
  ["pool in (default)", false],
  ["pool notin (default,other),state=ready", true],
  ["pool notin (heavy)", false],
  ["queue notin (a)", true],
  ["pool", true],
  ["queue", false],
  ["!queue", true],
  ["!pool", false],
  ["constructor", false],
])("%s", (selector, matches) => {
  expect(parseSelector(selector)?.(HEAVY)).toBe(matches);
});

test.each(["=", "pool=a=b", "pool in a", "pool in (a", "!pool=a", "pool,", "pool in (a)b", "po ol"])(
  "%s is no selector",
  (selector) => {
    expect(parseSelector(selector)).toBeUndefined();
  },
);
