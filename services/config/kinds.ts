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

/** 0 takes a free one. */
export const port = wholeNumber({ min: 0, max: 65_535 });

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
