// Durations as authors write them: "500ms", "10m", "24h". A number without a unit is refused.

export type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of a text such as "10m"; undefined when it is no duration. */
export function durationMs(text: unknown): number | undefined {
  if (typeof text !== "string" || text.length > 32) return undefined;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  return match ? Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]) : undefined;
}
