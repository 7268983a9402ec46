// One line of IRC, read and written. Pure. Whatever a server sends is either a line or `undefined`, never an exception.

export interface Source {
  /** A nick, or a server's name. */
  readonly nick: string;
  readonly user?: string;
  readonly host?: string;
}

export interface Line {
  readonly tags: ReadonlyMap<string, string>;
  readonly source: Source | undefined;
  /** In capitals, or three digits. */
  readonly command: string;
  readonly params: readonly string[];
}

const NO_TAGS: ReadonlyMap<string, string> = new Map();
const SHAPE = /^(?:@([^ ]*) +)?(?::([^ ]*) +)?([A-Za-z]+|\d{3})(?: +|$)(.*)$/s;
/** More parameters than any server sends; the rest of a line is the last one. */
const PARAMS_MAX = 64;
const TAGS_MAX = 64;

export function parseLine(text: string): Line | undefined {
  const match = SHAPE.exec(text);
  if (!match) return undefined;
  const [, tags, source, command = "", rest = ""] = match;
  return {
    tags: tags === undefined ? NO_TAGS : parseTags(tags),
    source: source === undefined || source === "" ? undefined : parseSource(source),
    command: command.toUpperCase(),
    params: parseParams(rest),
  };
}

function parseTags(text: string): Map<string, string> {
  const tags = new Map<string, string>();
  for (const item of text.split(";", TAGS_MAX)) {
    const end = item.indexOf("=");
    const key = end < 0 ? item : item.slice(0, end);
    if (key !== "") tags.set(key, end < 0 ? "" : unescapeTag(item.slice(end + 1)));
  }
  return tags;
}

const UNESCAPED: Readonly<Record<string, string>> = { ":": ";", s: " ", "\\": "\\", r: "\r", n: "\n" };
const ESCAPED: Readonly<Record<string, string>> = { ";": ":", " ": "s", "\\": "\\", "\r": "r", "\n": "n" };

function unescapeTag(value: string): string {
  return value.includes("\\") ? value.replace(/\\(.?)/gs, (_all, sign: string) => UNESCAPED[sign] ?? sign) : value;
}

function escapeTag(value: string): string {
  return value.replace(/[; \\\r\n]/g, (sign) => `\\${ESCAPED[sign]}`);
}

function parseSource(text: string): Source {
  const at = text.indexOf("@");
  const name = at < 0 ? text : text.slice(0, at);
  const mark = name.indexOf("!");
  return {
    nick: mark < 0 ? name : name.slice(0, mark),
    ...(mark < 0 ? {} : { user: name.slice(mark + 1) }),
    ...(at < 0 ? {} : { host: text.slice(at + 1) }),
  };
}

function parseParams(text: string): string[] {
  const params: string[] = [];
  let rest = text;
  while (rest !== "") {
    if (rest.startsWith(":") || params.length === PARAMS_MAX) {
      params.push(rest.startsWith(":") ? rest.slice(1) : rest);
      return params;
    }
    const end = rest.indexOf(" ");
    params.push(end < 0 ? rest : rest.slice(0, end));
    rest = end < 0 ? "" : rest.slice(end).replace(/^ +/, "");
  }
  return params;
}

/** What would end the line or the parameter early is taken out, so that nobody's words become commands. */
export function formatLine(
  command: string,
  params: readonly string[],
  tags: Readonly<Record<string, string>> = {},
): string {
  const head = Object.entries(tags).map(([key, value]) => (value === "" ? key : `${key}=${escapeTag(value)}`));
  const written = params.map((param, index) => {
    const clean = param.replace(/[\0\r\n]/g, " ");
    if (index < params.length - 1) return clean.replace(/^:+/, "").replaceAll(" ", "") || "*";
    return clean === "" || clean.startsWith(":") || clean.includes(" ") ? `:${clean}` : clean;
  });
  return [...(head.length > 0 ? [`@${head.join(";")}`] : []), command, ...written].join(" ");
}
