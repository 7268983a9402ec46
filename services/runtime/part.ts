// Parts: what a mode is made of. Each starts and stops; a mode is a list of them.

export interface Health {
  readonly ok: boolean;
  readonly detail: string;
}

export interface Part {
  readonly name: string;
  start(): Promise<void>;
  /** Must settle within `deadlineMs`; what is not done by then is abandoned by the caller. */
  stop(deadlineMs: number): Promise<void>;
  health?(): Health;
}

/** Starts the parts from first to last. When one fails, those already started are stopped and its error is thrown. */
export async function startAll(parts: readonly Part[]): Promise<void> {
  for (const [index, part] of parts.entries()) {
    try {
      await part.start();
    } catch (error) {
      await stopAll(parts.slice(0, index), 5_000).catch(() => {});
      throw error;
    }
  }
}

/** Stops the parts from last to first. Every part is stopped whatever the others do; the first error is thrown at the end. */
export async function stopAll(parts: readonly Part[], deadlineMs: number): Promise<void> {
  let failure: unknown;
  for (const part of parts.toReversed()) {
    try {
      await withDeadline(part.stop(deadlineMs), deadlineMs, part.name);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}

/** Waits for `work`, at most `ms`. */
export async function withDeadline<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not finish within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
