// Command patterns, `deploy <app> [env]`: read once, at definition.

export type PatternPart =
  | { readonly kind: "literal"; readonly word: string }
  | { readonly kind: "argument"; readonly name: string; readonly required: boolean; readonly rest: boolean };

export interface ReadPattern {
  readonly parts: readonly PatternPart[];
  readonly problems: readonly string[];
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** The parts of a pattern and what is wrong with it. */
export function readPattern(pattern: string): ReadPattern {
  const parts: PatternPart[] = [];
  const problems: string[] = [];
  const words = pattern.split(" ").filter((word) => word !== "");
  if (words.length === 0) problems.push("the pattern is empty");
  for (const word of words) {
    const part = readPart(word);
    if (part === undefined) {
      problems.push(`"${word}" is neither a word nor <name>, [name], <name...> or [name...]`);
      continue;
    }
    problems.push(...misplaced(part, parts));
    parts.push(part);
  }
  return { parts, problems };
}

function readPart(word: string): PatternPart | undefined {
  const open = word[0];
  if (open !== "<" && open !== "[") {
    return /[<>[\]"]/.test(word) ? undefined : { kind: "literal", word: word.toLowerCase() };
  }
  if (!word.endsWith(open === "<" ? ">" : "]")) return undefined;
  const inner = word.slice(1, -1);
  const rest = inner.endsWith("...");
  const name = rest ? inner.slice(0, -3) : inner;
  return NAME.test(name) ? { kind: "argument", name, required: open === "<", rest } : undefined;
}

/** An optional argument can only be followed by optional ones, and the rest of the line by nothing: else a word could mean two things. */
function misplaced(part: PatternPart, before: readonly PatternPart[]): string[] {
  const last = before.at(-1);
  if (last?.kind !== "argument") return twice(part, before);
  const written = part.kind === "literal" ? `"${part.word}"` : `the argument ${part.name}`;
  if (last.rest) return [`${written} comes after ${last.name}..., which takes the rest of the line`];
  if (!last.required && (part.kind === "literal" || part.required))
    return [`${written} comes after the optional [${last.name}]`];
  return twice(part, before);
}

function twice(part: PatternPart, before: readonly PatternPart[]): string[] {
  if (part.kind === "literal") return [];
  const known = before.some((other) => other.kind === "argument" && other.name === part.name);
  return known ? [`the argument ${part.name} is named twice`] : [];
}
