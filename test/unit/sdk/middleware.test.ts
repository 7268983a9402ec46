// What defineMiddleware takes and refuses.

import { expect, test } from "vitest";
import { defineMiddleware, type MiddlewareOptions } from "../../../services/sdk/middleware.ts";

test("middleware is plain frozen data, in order 0 unless it says otherwise", () => {
  const run = (): void => {};
  const middleware = defineMiddleware({ name: "audit", run });
  expect(middleware).toEqual({ format: 1, kind: "middleware", name: "audit", order: 0, run });
  expect(Object.isFrozen(middleware)).toBe(true);
});

test("everything that is wrong is said at once", () => {
  const options = { name: "1st", order: "first", run: "yes", after: () => {} } as unknown as MiddlewareOptions;
  expect(() => defineMiddleware(options)).toThrow(
    /unknown option after; the name "1st" must be .*; order must be a number; run is no function/,
  );
  expect(() => defineMiddleware({ name: "idle" })).toThrow("it needs enqueue, run or both");
});
