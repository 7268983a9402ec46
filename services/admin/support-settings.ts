// The settings as they may leave the house: what is secret, by its kind or by its name, is only said to be there.

import { ADAPTER_COMMON, ADAPTER_SETTINGS, type Config, SETTINGS } from "../config/config.ts";
import type { AnyRows } from "../config/row.ts";

const HIDDEN = "[removed]";
/** Of settings whose kind nobody knows: those of handlers and of adapters of one's own. */
const SECRET = /secret|token|password|passwd|passphrase|key|credential|dsn|auth|url|uri|cookie/i;

export function shownSettings(config: Config): Record<string, unknown> {
  return {
    ...shownRows(SETTINGS, config as unknown as Readonly<Record<string, unknown>>),
    redisUrl: config.redisUrl === undefined ? null : withoutCredentials(config.redisUrl),
    file: config.file ?? null,
    dev: config.dev,
    adapterSettings: Object.fromEntries(
      Object.entries(config.adapterSettings).map(([name, settings]) => [name, shownAdapter(name, settings)]),
    ),
    handlerSettings: hidden(config.handlerSettings, false),
    handlerVariables: Object.keys(config.handlerVariables),
    adapterVariables: Object.keys(config.adapterVariables),
  };
}

function shownAdapter(name: string, settings: Readonly<Record<string, unknown>>): unknown {
  const rows = Object.hasOwn(ADAPTER_SETTINGS, name) ? ADAPTER_SETTINGS[name] : undefined;
  return rows === undefined ? hidden(settings, false) : shownRows({ ...rows, ...ADAPTER_COMMON }, settings);
}

function shownRows(rows: AnyRows, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(rows).map(([key, { kind }]) => {
      const value = values[key];
      if (value === undefined) return [key, null];
      return [key, kind.secret === true && !isEmpty(value) ? HIDDEN : value];
    }),
  );
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function hidden(value: unknown, isSecret: boolean): unknown {
  if (Array.isArray(value)) return value.map((part) => hidden(part, isSecret));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, part]) => [key, hidden(part, isSecret || SECRET.test(key))]),
    );
  return isSecret && value !== null ? HIDDEN : value;
}

/** Of several hosts too. What follows the path may be a secret as well. */
function withoutCredentials(url: string): string {
  return url.replace(/\/\/.*@/, `//${HIDDEN}@`).replace(/\?.*$/, "");
}
