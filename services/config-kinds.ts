// The kinds of value a setting can have: each says in words what it accepts and reads one from text or from the settings file.

export interface Kind<T> {
  /** Completes "… must be". */
  readonly says: string;
  /** A secret's value never appears in a message. */
  readonly secret?: true;
  /** undefined when `raw` does not fit. `written` is true for an environment variable, where everything is text. */
  read(raw: unknown, written: boolean): T | undefined;
}

/** Somebody whom a bearer token of the web chat names. */
export interface Person {
  /** The part of the id after `web:`. */
  readonly name: string;
  readonly secret: string;
  readonly admin: boolean;
}

export const text: Kind<string> = {
  says: "a text that is not empty",
  read: (raw) => (typeof raw === "string" && raw.trim() !== "" ? raw.trim() : undefined),
};

export const secretText: Kind<string | undefined> = { ...text, secret: true };

export function named(says: string, pattern: RegExp): Kind<string> {
  return { says, read: (raw) => (typeof raw === "string" && pattern.test(raw) ? raw : undefined) };
}

export function wholeNumber({ min, max }: { min: number; max: number }): Kind<number> {
  return {
    says: `a whole number from ${min} to ${max}`,
    read: (raw, written) => {
      const value = written && typeof raw === "string" && /^\d{1,15}$/.test(raw) ? Number(raw) : raw;
      return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max ? value : undefined;
    },
  };
}

const YES: readonly unknown[] = [true, "true", "on", "yes", "1"];
const NO: readonly unknown[] = [false, "false", "off", "no", "0"];

export const flag: Kind<boolean> = {
  says: "true or false",
  read: (raw) => (YES.includes(raw) ? true : NO.includes(raw) ? false : undefined),
};

export function choice<const T extends string>(...values: T[]): Kind<T> {
  return {
    says: `one of ${values.join(", ")}`,
    read: (raw) => values.find((value) => value === raw),
  };
}

/** A list in the file, or a text with commas. At least one entry; none twice. */
export const list: Kind<readonly string[]> = {
  says: "a list of texts (separated by commas), none empty and none twice",
  read: (raw) => {
    const entries: unknown[] = typeof raw === "string" ? raw.split(",") : Array.isArray(raw) ? raw : [undefined];
    const texts = entries.map((entry) => (typeof entry === "string" ? entry.trim() : ""));
    return texts.includes("") || new Set(texts).size < texts.length ? undefined : texts;
  },
};

const REDIS_SCHEME = /^(rediss?|rediss?\+sentinel|rediss?\+cluster):\/\/[^\s/]/;

export const redisUrl: Kind<string | undefined> = {
  says: "a URL redis://…, rediss://…, redis+sentinel://h1:p,h2:p/name or redis+cluster://h1:p,h2:p",
  secret: true,
  read: (raw) => (typeof raw === "string" && REDIS_SCHEME.test(raw) ? raw : undefined),
};

const PROJECT = /\/\d+$/;

/** A file of a function of one's own. */
const FILE = /^\.{0,2}\/.+\.[cm]?[jt]s$/;

function isTracker(text: string): boolean {
  if (FILE.test(text)) return true;
  const isSentry = text.startsWith("sentry+");
  const url = URL.parse(text.replace(/^(?:sentry|otlp)\+/, ""));
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  return !isSentry || (url.username !== "" && PROJECT.test(url.pathname));
}

export const trackers: Kind<readonly string[]> = {
  says: "a list (separated by commas) of sentry+https://key@host/project, otlp+https://host/v1/logs, https://host/path or ./file.ts",
  secret: true,
  read: (raw, written) => {
    if (Array.isArray(raw) && raw.length === 0) return [];
    const texts = list.read(raw, written);
    return texts?.every(isTracker) === true ? texts : undefined;
  },
};

export const sentryDsn: Kind<string | undefined> = {
  says: "a DSN like https://key@host/project",
  secret: true,
  read: (raw) => (typeof raw === "string" && isTracker(`sentry+${raw}`) ? raw : undefined),
};

const PERSON = /^([a-z][a-z0-9._-]{0,63})=([^=].*)$/i;

export const people: Kind<readonly Person[]> = {
  says: "one secret without commas, or a list like ann=secret1,bob=secret2 with different names and secrets",
  secret: true,
  read: (raw) => {
    if (typeof raw !== "string" || raw.trim() === "") return undefined;
    const parts = raw.split(",").map((part) => part.trim());
    const matches = parts.map((part) => PERSON.exec(part));
    if (parts.length === 1 && !matches[0]) return [{ name: "operator", secret: parts[0] ?? "", admin: true }];
    const found = matches.flatMap((match) =>
      match ? [{ name: match[1] ?? "", secret: match[2] ?? "", admin: false }] : [],
    );
    const distinct = (values: string[]): boolean => new Set(values).size === parts.length;
    return distinct(found.map((person) => person.name)) && distinct(found.map((person) => person.secret))
      ? found
      : undefined;
  },
};

const GROUP = /^[a-z0-9][a-z0-9._-]{0,63}$/i;

export const groups: Kind<Readonly<Record<string, readonly string[]>>> = {
  says: "an object of lists of user ids, e.g. { deployers: [web:ann] }",
  read: (raw) => {
    if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined;
    const entries = Object.entries(raw).map(([name, members]): [string, unknown] => [name, members ?? []]);
    const fits = ([name, members]: [string, unknown]): boolean =>
      GROUP.test(name) && Array.isArray(members) && members.every((id) => typeof id === "string" && id.includes(":"));
    return entries.every(fits) ? (Object.fromEntries(entries) as Record<string, string[]>) : undefined;
  },
};

/** A queue to serve; `*` is every other one. */
export interface Served {
  readonly queue: string;
  readonly weight: number;
}

const SERVED = /^(\*|[^{}:\s,+!*/]{1,64})(?::([1-9]\d{0,2}))?$/;

export const servedQueues: Kind<readonly Served[]> = {
  says: "a list of queues, each with or without a weight from 1 to 999, e.g. high:5,default, and * for all others",
  read: (raw, written) => {
    const matches = list.read(raw, written)?.map((entry) => SERVED.exec(entry));
    const found = matches?.flatMap((match) =>
      match ? [{ queue: match[1] ?? "", weight: Number(match[2] ?? 1) }] : [],
    );
    if (found === undefined || found.length !== matches?.length) return undefined;
    return new Set(found.map(({ queue }) => queue)).size === found.length ? found : undefined;
  },
};

/** Which tags to serve. */
export interface ServedTags {
  /** All that are not in `never`, and what has none. */
  readonly all: boolean;
  readonly untagged: boolean;
  readonly only: readonly string[];
  readonly never: readonly string[];
}

const TAG = /^!?[^{}:\s,+!*/-][^{}:\s,+!*/]{0,63}$/;

export const servedTags: Kind<ServedTags> = {
  says: "*, a list of tags like gpu,eu (only these), *,!gpu (all but these) or - (what has no tag)",
  read: (raw, written) => {
    const terms = list.read(raw, written);
    if (!terms?.every((term) => term === "*" || term === "-" || TAG.test(term))) return undefined;
    const all = terms.includes("*");
    const never = terms.filter((term) => term.startsWith("!")).map((term) => term.slice(1));
    const only = terms.filter((term) => TAG.test(term) && !term.startsWith("!"));
    const untagged = terms.includes("-");
    const isContrary = all ? only.length > 0 || untagged : never.length > 0;
    return isContrary ? undefined : { all, untagged, only, never };
  },
};
