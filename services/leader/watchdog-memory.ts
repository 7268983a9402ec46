// What the main thread and the watchdog's thread share. Only the main thread writes.

export interface WatchdogMemory {
  /** Int32: at STOPPED whether to end, at LEADING how many units are led. */
  readonly flags: SharedArrayBuffer;
  /** BigInt64: at BEAT the monotonic clock in ns at the last sign of life. */
  readonly beat: SharedArrayBuffer;
  readonly silentMsMax: number;
}

export const STOPPED = 0;
export const LEADING = 1;
export const BEAT = 0;
