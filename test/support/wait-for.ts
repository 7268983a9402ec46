// Waiting for something to become true, instead of sleeping and hoping.

export interface WaitOptions {
  readonly timeoutMs?: number;
  /** For the message of the failure. */
  readonly what?: string;
}

const POLL_MS = 10;

/** Waits until `condition` gives a truthy value, and gives it. An exception counts as "not yet"; the last one is the cause. */
export async function waitFor<T>(condition: () => T | Promise<T>, options: WaitOptions = {}): Promise<NonNullable<T>> {
  const { timeoutMs = 15_000, what = condition.toString() } = options;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const value = await condition();
      if (value) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  } while (performance.now() < deadline);
  throw new Error(`Not within ${timeoutMs} ms: ${what}`, { cause });
}
