// The map for what comes and goes all the time.

import { expect, test } from "vitest";
import { Table } from "../../../services/runtime/table.ts";

test("what was set is there until it is deleted, and counted once", () => {
  const table = new Table<string>();
  table.set(7, "a");
  table.set(7, "b");
  table.set(2_147_483_647, "c");
  expect([table.size, table.get(7), table.get(8), table.values()]).toEqual([2, "b", undefined, ["b", "c"]]);
  table.delete(7);
  table.delete(7);
  expect([table.size, table.get(7), table.values()]).toEqual([1, undefined, ["c"]]);
});
