// When something comes due again and again, and whether there are such times at all: cron texts in their zones, periods.

import { Cron } from "croner";

export type Times =
  | { readonly kind: "cron"; readonly spec: string; readonly tz: string }
  | { readonly kind: "every"; readonly periodMs: number };

/** What is wrong with times that somebody asks for; nothing when they are sound. */
export function timesProblems(times: Times): string[] {
  if (times.kind === "cron") return cronProblems(times.spec, times.tz);
  const isSound = Number.isSafeInteger(times.periodMs) && times.periodMs >= 1000;
  return isSound ? [] : ["the period must be a duration of at least 1s"];
}

/** What is wrong with a cron text and its zone; nothing when both are sound and a time will come. */
export function cronProblems(spec: string, tz: string): string[] {
  const reasons: string[] = [];
  const zone = isTimeZone(tz);
  if (!zone) reasons.push(`"${tz}" is no time zone such as "Europe/Paris"`);
  try {
    const cron = new Cron(spec, { timezone: zone ? tz : "UTC", mode: "5-part", paused: true });
    if (cron.nextRun() === null) reasons.push(`the cron text "${spec}" never comes due`);
    cron.stop();
  } catch (error) {
    reasons.push(`the cron text "${spec}" is wrong: ${error instanceof Error ? error.message : String(error)}`);
  }
  return reasons;
}

function isTimeZone(tz: string): boolean {
  try {
    return tz !== "" && new Intl.DateTimeFormat("en", { timeZone: tz }).format(0) !== "";
  } catch {
    return false;
  }
}
