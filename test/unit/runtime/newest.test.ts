// Maps of a limited size: what was set longest ago goes first, and setting again counts as new.

import { expect, test } from "vitest";
import { setNewest } from "../../../services/runtime/newest.ts";

test("beyond the limit the entry that was set longest ago is forgotten; one that is set again is new", () => {
  const map = new Map<string | undefined, number>();
  for (const [index, key] of [undefined, "b", undefined, "c"].entries()) setNewest(map, [key, index], 2);
  expect([...map]).toEqual([
    [undefined, 2],
    ["c", 3],
  ]);
});
