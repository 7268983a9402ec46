// Numbers, durations and times as people read them.

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function count(value: number): string {
  return value < 100_000 ? WHOLE.format(value) : SHORT.format(value);
}

export function wholeCount(value: number): string {
  return WHOLE.format(value);
}

/** "3 jobs", "1 job". */
export function many(value: number, one: string, several = `${one}s`): string {
  return `${WHOLE.format(value)} ${value === 1 ? one : several}`;
}

export function rate(perSecond: number): string {
  if (perSecond === 0) return "0";
  if (perSecond < 0.1) return perSecond * 60 < 0.1 ? "<0.1/min" : `${(perSecond * 60).toFixed(1)}/min`;
  return `${perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond))}/s`;
}

/** The two largest units. */
export function duration(ms: number): string {
  if (ms < 1) return "0 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return long(Math.round(seconds));
}

function long(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return pair([minutes, "min"], [seconds % 60, "s"]);
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return pair([hours, "h"], [minutes % 60, "min"]);
  return pair([Math.floor(hours / 24), "d"], [hours % 24, "h"]);
}

type Measure = readonly [value: number, unit: string];

function pair([large, unit]: Measure, [small, smaller]: Measure): string {
  return small === 0 || large >= 10 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smaller}`;
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  const shown = value / 1024 ** power;
  return `${power === 0 || shown >= 100 ? Math.round(shown) : shown.toFixed(1)} ${units[power]}`;
}

/** "3 min ago", "in 2 h". */
export function relative(atMs: number, nowMs: number): string {
  const ms = nowMs - atMs;
  if (Math.abs(ms) < 1500) return "now";
  const text = rounded(Math.abs(ms));
  return ms > 0 ? `${text} ago` : `in ${text}`;
}

function rounded(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** In the viewer's zone, with its name. */
export function fullTime(at: Date): string {
  return FULL.format(at);
}

export function clockTime(at: Date): string {
  return CLOCK.format(at);
}

export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
