// Carries what a meter counted to where the process is scraped: once a second while there is something, and nothing else.

import type { Clock } from "../runtime/clock.ts";
import type { Change, Meter } from "./meter.ts";

export interface RelayOptions {
  readonly clock: Pick<Clock, "sleep">;
  readonly send: (changes: readonly Change[]) => void;
}

const PAUSE_MS = 1_000;

/** @returns what sends at once, before an end */
export function relay(meter: Meter, { clock, send }: RelayOptions): () => void {
  const flush = (): void => {
    const changes = meter.take();
    if (changes.length > 0) send(changes);
  };
  meter.watch(() => void clock.sleep(PAUSE_MS).then(flush));
  return flush;
}
