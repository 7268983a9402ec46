// What the audit log says of a request: what it was about and, in short and without secrets, what was sent.

const CHARS_MAX = 500;
const TEXT_CHARS_MAX = 64;
const DEEP_MAX = 3;
const SECRET = /secret|token|password|passwd|passphrase|credential|authori[sz]ation|cookie|dsn|api.?key/i;
/** What handlers are given: it may be long, and may be anybody's. */
const CONTENT = /^(input|payload|body|text)$/i;

export interface Sent {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
}

export function targetOf({ params, query, body }: Sent): string {
  const named = Object.values((params ?? {}) as Record<string, unknown>).map(String);
  const said = [query, body].filter(isSomething).map((part) => JSON.stringify(masked(part, "", 0)));
  return cut([...named, ...said].join(" "), CHARS_MAX);
}

function isSomething(value: unknown): boolean {
  return typeof value === "object" ? value !== null && Object.keys(value).length > 0 : value !== undefined;
}

function masked(value: unknown, name: string, depth: number): unknown {
  if (SECRET.test(name)) return "***";
  if (CONTENT.test(name)) return `(${JSON.stringify(value)?.length ?? 0} characters)`;
  if (typeof value === "string") return cut(value, TEXT_CHARS_MAX);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEEP_MAX) return "…";
  if (Array.isArray(value)) {
    const first = value.slice(0, 10).map((part) => masked(part, "", depth + 1));
    return value.length > first.length ? [...first, `… ${value.length} in all`] : first;
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, masked(part, key, depth + 1)]));
}

function cut(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}
