// Times for people: how long ago, and how long until.

/** "3 m ago" */
export function ago(then: Date, now = new Date()): string {
  return `${span(now.getTime() - then.getTime())} ago`;
}

/** "in 3 m" */
export function until(then: Date, now = new Date()): string {
  return `in ${span(then.getTime() - now.getTime())}`;
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
] as const;

/** In its largest unit, rounded down. */
export function span(ms: number): string {
  for (const [unit, size] of UNITS) if (ms >= size) return `${Math.floor(ms / size)} ${unit}`;
  return "0 s";
}
