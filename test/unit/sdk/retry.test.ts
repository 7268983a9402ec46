// The retry options of a route, and what of them is refused at load.

import { expect, test } from "vitest";
import { z } from "zod";
import { defineHandler, job, type Route, type Routes } from "../../../services/sdk/index.ts";
import type { AnyRoute } from "../../../services/sdk/routes.ts";

const Work = job("work", z.object({}));
const run = (): void => {};

function built(options: object): AnyRoute {
  const { routes } = defineHandler({ name: "x", routes: (r) => ({ a: r.job(Work, { run, ...options }) }) });
  return routes["a"] as AnyRoute;
}

function problems(route: (r: Routes<unknown>) => Route): readonly string[] {
  try {
    defineHandler({ name: "x", routes: (r) => ({ a: route(r) }) });
    return [];
  } catch (error) {
    return (error as { cause: readonly string[] }).cause;
  }
}

test("each form becomes a plan; a list and a function say themselves when to end", () => {
  expect(built({}).retry).toBeUndefined();
  expect(built({}).attempts).toBe(10);
  expect(built({ retry: { first: "2s", max: "1m" } })).toMatchObject({
    attempts: 10,
    retry: { kind: "backoff", firstMs: 2000, maxMs: 60_000, jitter: 0.5 },
  });
  expect(built({ retry: { first: "10m" } }).retry).toMatchObject({ firstMs: 600_000, maxMs: 600_000 });
  expect(built({ retry: { every: "10s" }, attempts: 3 })).toMatchObject({
    attempts: 3,
    retry: { kind: "backoff", firstMs: 10_000, maxMs: 10_000, jitter: 0 },
  });
  expect(built({ retry: ["3s", "30s", "24h"] })).toMatchObject({
    attempts: Number.POSITIVE_INFINITY,
    retry: { kind: "list", delaysMs: [3000, 30_000, 86_400_000] },
  });
  expect(built({ retry: ["3s"], attempts: 4 }).attempts).toBe(4);
  expect(built({ retry: () => undefined })).toMatchObject({ attempts: Infinity, retry: { kind: "function" } });
});

test("a chat route that says how to retry is retried", () => {
  const options = { run, retry: { every: "1s" } } as const;
  const { routes } = defineHandler({ name: "x", routes: (r) => ({ a: r.command("x", options) }) });
  expect((routes["a"] as AnyRoute).attempts).toBe(10);
});

test("what is no policy is refused, with what is wrong", () => {
  const wrong: readonly [unknown, string][] = [
    ["10s", "retry must be { first, max }"],
    [[], "retry must be a list of 1 to 100 durations"],
    [["3s", "soon"], "retry must be a list of 1 to 100 durations"],
    [["0s"], "retry must be a list of 1 to 100 durations"],
    [{ every: "soon" }, "retry: every must be a duration"],
    [{ every: "1s", max: "2s" }, "retry: unknown option max"],
    [{ first: "10s", max: "1s" }, "retry: max is shorter than first"],
    [{ jitter: 2 }, "retry: jitter must be a number from 0 to 1"],
  ];
  for (const [retry, text] of wrong)
    expect(problems((r) => r.job(Work, { run, retry: retry as never }))).toEqual([expect.stringContaining(text)]);
  expect(problems((r) => r.job(Work, { run, retry: ["3s"], attempts: 1 }))).toEqual([
    expect.stringContaining("attempts: 1 leaves nothing to retry"),
  ]);
  for (const noRetry of [[], "TypeError", [1], {}])
    expect(problems((r) => r.job(Work, { run, noRetry: noRetry as never }))).toEqual([
      expect.stringContaining("noRetry must be a function"),
    ]);
});

test("noRetry knows errors by class, name and code", () => {
  const { noRetry } = built({ noRetry: [TypeError, "NotFound", "ENOENT"] });
  expect(noRetry?.(new TypeError("x"))).toBe(true);
  expect(noRetry?.(Object.assign(new Error("x"), { name: "NotFound" }))).toBe(true);
  expect(noRetry?.(Object.assign(new Error("x"), { code: "ENOENT" }))).toBe(true);
  for (const error of [new RangeError("x"), "TypeError", undefined, null]) expect(noRetry?.(error)).toBe(false);
});
