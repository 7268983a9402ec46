// Flows: steps come in the order in which they can run, and what cannot be ordered is refused with its reason.

import { expect, test } from "vitest";
import { wavesOf } from "../../../services/queue/flow.ts";

const step = (name: string, ...after: string[]) => ({ name, after });
const names = (waves: readonly (readonly { name: string }[])[]) => waves.map((wave) => wave.map(({ name }) => name));

test("steps stand in waves, each after those it waits for", () => {
  const steps = [step("report", "sum", "check"), step("sum", "a", "b"), step("a"), step("b"), step("check", "a")];
  expect(names(wavesOf(steps))).toEqual([["a", "b"], ["sum", "check"], ["report"]]);
  expect(wavesOf([])).toEqual([]);
});

test("a circle is refused, and its path is told", () => {
  const steps = [step("start"), step("a", "start", "c"), step("b", "a"), step("c", "b"), step("after", "c")];
  expect(() => wavesOf(steps)).toThrow(expect.objectContaining({ code: "DEPENDENCY_CYCLE" }) as Error);
  expect(() => wavesOf(steps)).toThrow("a → c → b → a");
  expect(() => wavesOf([step("me", "me")])).toThrow("me → me");
});

test("names that are missing, double or unknown are all told at once", () => {
  const steps = [step("a"), step("a"), step(""), step("b", "aa")];
  expect(() => wavesOf(steps)).toThrow("two steps are called a; each step needs a name");
  expect(() => wavesOf(steps)).toThrow("b waits for aa, and there is no such step. Did you mean a?");
});
