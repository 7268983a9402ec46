// The tests of a cluster are only as good as their account: it must find what is lost, doubled, out of order or failed.

import { expect, test } from "vitest";
import type { Load, Sent } from "../../e2e/support/load.ts";
import { problemsOf } from "../../e2e/support/ledger.ts";
import type { Store } from "../../e2e/support/redis.ts";
import { fits, transcript } from "../../e2e/scenarios/newcomer.ts";
import { changesOf, notOnce } from "../../e2e/support/watch-seats.ts";
import type { Seat } from "../../../services/leader/seats.ts";

const hook = (id: string, key = ""): Sent => ({ id, key });

function account(
  hooks: readonly Sent[],
  written: Readonly<Record<string, readonly string[]>>,
  failures: string[] = [],
) {
  const load = { hooks, jobs: [hook("job-1")], unsent: [], failures: failures.map((what) => ({ at: 0, what })) };
  const all = Object.entries({ "once job-1": ["1"], ...written }).map(([field, list]) => [field, JSON.stringify(list)]);
  const store = {
    client: { hgetall: async () => Object.fromEntries(all) },
    keys: { store: () => "" },
    queue: { search: async () => ({ found: [] }) },
  };
  return problemsOf(load as unknown as Load, store as unknown as Store);
}

test("nothing is wrong when each is settled once, at its first attempt, in the order of its key", async () => {
  const hooks = [hook("a"), hook("b", "k"), hook("c", "k")];
  expect(await account(hooks, { "once a": ["1"], "order k": ["b", "c"] })).toEqual([]);
});

test.each([
  ["lost", [hook("a")], {}, "a is lost"],
  ["doubled", [hook("a")], { "once a": ["1", "1"] }, "a was settled 2 times"],
  ["failed", [hook("a")], { "once a": ["2"] }, "a failed before attempt 2"],
  [
    "lost under a key",
    [hook("b", "k"), hook("c", "k")],
    { "order k": ["b"] },
    "number 2 is missing and should be c after b",
  ],
  ["out of order", [hook("b", "k"), hook("c", "k")], { "order k": ["c", "b"] }, "number 1 is c and should be b"],
  ["doubled under a key", [hook("b", "k")], { "order k": ["b", "b"] }, "2 of 1 settled"],
])("what is %s is found", async (_what, hooks, written, problem) => {
  const problems = await account(hooks, written as never);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(problem);
});

test("a refusal counts where none is allowed", async () => {
  expect(await account([], {}, ["hook-1: status 503"])).toEqual([
    "refused at 1970-01-01T00:00:00.000Z: hook-1: status 503",
  ]);
});

test("a unit that moved twice, or whose Lease ran out, is told", () => {
  const seat = (unit: string, handovers: number, expiries: number) => ({ unit, handovers, expiries }) as Seat;
  const before = [seat("control", 3, 0), seat("irc", 1, 1)];
  expect(notOnce(changesOf(before, [seat("control", 4, 0), seat("irc", 2, 1)]))).toEqual([]);
  expect(notOnce(changesOf(before, [seat("control", 5, 0), seat("irc", 1, 2)]))).toHaveLength(2);
});

test("a transcript is read as it is printed, and its answers are compared but for … and numbers", () => {
  const page = "```console\n$ cat <<END\n> a\n>\n> END\na 17 of …\n…\nlast\n$ true\n```\n";
  expect(transcript(page)).toEqual([
    { line: "cat <<END\na\n\nEND", answer: ["a 17 of …", "…", "last"] },
    { line: "true", answer: [] },
  ]);
  expect(fits(["a 17 of …", "…", "last"], ["a   3 of many", "more", "still more", "last"])).toBe(true);
  expect(fits(["a", "b"], ["a", "x", "b"])).toBe(false);
  expect(fits(["a", "…"], ["b"])).toBe(false);
});
