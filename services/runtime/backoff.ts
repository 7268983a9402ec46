// How long to wait before the next try: exponential, capped, with full jitter on the upper half.

import type { Random } from "./clock.ts";

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The wait before try number `attempt` (0 = the first repeat), in ms: between half and all of
 * `firstMs * 2^attempt`, at most `maxMs`. The jitter keeps a crowd that failed together from coming back together.
 */
export function backoffMs(attempt: number, options: BackoffOptions, random: Random): number {
  const ceiling = Math.min(options.firstMs * 2 ** Math.min(attempt, 30), options.maxMs);
  return Math.round(ceiling / 2 + random() * (ceiling / 2));
}
