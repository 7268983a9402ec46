// Whether there are such times: cron texts and time zones, judged before anything waits for them.

import { Cron } from "croner";

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
