// `bot.clock`: lets time go by, from one thing that comes due to the next, as it would by itself.

import { type Duration, durationMs } from "../sdk/duration.ts";
import type { Quiet } from "./quiet.ts";
import type { TestClock } from "./test-clock.ts";

export interface TimeOptions {
  readonly clock: TestClock;
  readonly quiet: Quiet;
  readonly withinMs: number;
  /** When the time has come. */
  readonly after: () => Promise<void>;
}

const STEPS_MAX = 1000;
/** The server's clock and ours differ by a little. */
const PAST_MS = 2;

export class Time {
  readonly #options: TimeOptions;

  constructor(options: TimeOptions) {
    this.#options = options;
  }

  /** For handlers that look at the time themselves this changes nothing: give them `vi.setSystemTime(bot.clock.now())`. */
  now(): Date {
    return new Date(this.#options.clock.now());
  }

  /**
   * Whatever comes due on the way is done in its turn, before time goes on. What is running already is not waited for: it
   * may wait for the time itself.
   */
  async advance(duration: Duration): Promise<void> {
    const ms = durationMs(duration);
    if (ms === undefined) throw new TypeError(`advance: "${duration}" is no duration such as "1d"`);
    const { clock, quiet, withinMs, after } = this.#options;
    const untilMs = clock.now() + ms;
    const except = new Set((await quiet.look()).claimed.map(({ id }) => id));
    for (let steps = 0; ; steps++) {
      const { nextMs } = await quiet.wait({ withinMs, except });
      if (nextMs === null || nextMs > untilMs) break;
      if (steps >= STEPS_MAX) throw new Error(`advance: more than ${STEPS_MAX} times come due within ${duration}`);
      clock.leap(Math.max(nextMs + PAST_MS - clock.now(), 1));
    }
    clock.leap(Math.max(untilMs - clock.now(), 0));
    await quiet.wait({ withinMs, except });
    await after();
  }
}
