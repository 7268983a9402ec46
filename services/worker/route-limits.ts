// What the routes of a manifest say about their rates and how many of them may run at a time, for the broker.

import type { RouteLimits } from "../broker/limits.ts";
import type { Manifest } from "../handlers/manifest.ts";
import type { AnyRoute, Work } from "../sdk/routes.ts";

/** By the routes' numbers; null takes away what an earlier release said. */
export function limitsOf(manifest: Manifest, numbers: ReadonlyMap<string, number>): Map<number, RouteLimits | null> {
  const limits = new Map<number, RouteLimits | null>();
  for (const { shape } of manifest.routes) {
    const number = numbers.get(shape.id);
    if (number !== undefined && isWork(shape)) limits.set(number, limitOf(shape));
  }
  return limits;
}

/** No worker knows which route a Message is for before it has taken it. */
function isWork(shape: AnyRoute): shape is Extract<AnyRoute, Work> {
  return shape.kind !== "command" && shape.kind !== "hear" && shape.kind !== "fallback";
}

function limitOf({ rate, concurrency }: Work): RouteLimits | null {
  if (rate === undefined && concurrency === undefined) return null;
  return { ...(rate === undefined ? {} : { rate }), ...(concurrency === undefined ? {} : { concurrency }) };
}
