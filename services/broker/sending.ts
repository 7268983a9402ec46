// Tells how much a process sends to each queue, and how long Redis took to take it: once for each script, however many
// deliveries are in it, so that none of them pays for it.

import { type Clock, systemClock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Settlement } from "./claims.ts";
import type { Effect } from "./effects.ts";

export interface SendingOptions {
  readonly emit: Emit;
  readonly clock?: Pick<Clock, "monotonic">;
}

/** How many, by queue. */
type Counts = ReadonlyMap<string, number>;

export interface Try<T> {
  readonly sent: Counts;
  readonly send: () => Promise<T>;
  /** The code of a refusal that is answered, and not thrown. */
  readonly refusal?: (answer: T) => string | undefined;
}

/** As the conventions say, of an error without a code. */
const OTHER_ERROR = "_OTHER";
/** Redis took it. */
const NO_ERROR = "";

export class Sending {
  readonly #options: SendingOptions;

  constructor(options: SendingOptions) {
    this.#options = options;
  }

  async of<T>({ sent, send, refusal }: Try<T>): Promise<T> {
    const { emit, clock = systemClock } = this.#options;
    const askedAtMs = clock.monotonic();
    try {
      const answer = await send();
      const ms = clock.monotonic() - askedAtMs;
      for (const queue of sent.keys()) emit("queue.asked", { queue, operation: "send", ms });
      this.#tell(sent, refusal?.(answer) ?? NO_ERROR);
      return answer;
    } catch (error) {
      this.#tell(sent, error instanceof AntiphonError ? error.code : OTHER_ERROR);
      throw error;
    }
  }

  /** What went along with outcomes: how long that took is told of the settle. */
  along(settlements: readonly Settlement[], settled: readonly boolean[]): void {
    const written = settlements.filter(({ effects }, index) => effects.length > 0 && settled[index]);
    if (written.length > 0) this.#tell(childrenOf(written.flatMap(({ effects }) => effects)), NO_ERROR);
  }

  #tell(sent: Counts, error: string): void {
    for (const [queue, deliveries] of sent) this.#options.emit("deliveries.sent", { queue, deliveries, error });
  }
}

/** Where nobody wants to know, it is only sent. */
export function sendWith<T>({ sending }: { readonly sending?: Sending }, attempt: Try<T>): Promise<T> {
  if (sending === undefined || attempt.sent.size === 0) return attempt.send();
  return sending.of(attempt);
}

export function childrenOf(effects: readonly Effect[]): Counts {
  const counts = new Map<string, number>();
  for (const effect of effects) {
    if (effect.kind === "child") counts.set(effect.queue, (counts.get(effect.queue) ?? 0) + 1);
  }
  return counts;
}
