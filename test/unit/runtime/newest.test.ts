// Maps and sets of a limited size: what was set longest ago goes first, and setting again counts as new.

import { expect, test } from "vitest";
import { addNewest, setNewest } from "../../../services/runtime/newest.ts";

test("beyond the limit the entry that was set longest ago is forgotten; one that is set again is new", () => {
  const map = new Map<string | undefined, number>();
  for (const [index, key] of [undefined, "b", undefined, "c"].entries()) setNewest(map, [key, index], 2);
  expect([...map]).toEqual([
    [undefined, 2],
    ["c", 3],
  ]);
});

test("beyond the limit a set forgets what was added longest ago; what is in it already keeps its place", () => {
  const set = new Set<string>();
  for (const value of ["a", "b", "a", "c"]) addNewest(set, value, 2);
  expect([...set]).toEqual(["b", "c"]);
});
