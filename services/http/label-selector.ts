// Label selectors as Kubernetes writes them into a query: `pool=heavy,queue in (a,b),!tag`. Pure.

export type Labels = Readonly<Record<string, string>>;
export type Matches = (labels: Labels) => boolean;

const NAME = "[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?";
const VALUE = "[A-Za-z0-9._-]*";
const TERM = new RegExp(
  `^\\s*(?:(?<absent>!)?\\s*(?<key>${NAME})\\s*(?:(?<equal>=|==|!=)\\s*(?<value>${VALUE})|\\s(?<among>in|notin)\\s*\\((?<values>[^()]*)\\))?)\\s*$`,
);
/** Commas between terms, not those within brackets. */
const COMMA = /,(?![^()]*\))/;

/** Undefined: it is no selector. An empty one matches everything. */
export function parseSelector(text: string): Matches | undefined {
  if (text.trim() === "") return () => true;
  const terms = text.split(COMMA).map(termOf);
  if (!terms.every((term) => term !== undefined)) return undefined;
  return (labels) => terms.every((term) => term(labels));
}

function termOf(text: string): Matches | undefined {
  const { absent, key, equal, value = "", among, values = "" } = TERM.exec(text)?.groups ?? {};
  if (key === undefined) return undefined;
  const of = (labels: Labels): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  if (absent !== undefined) return equal === undefined && among === undefined ? (l) => of(l) === undefined : undefined;
  if (equal !== undefined) return equal === "!=" ? (l) => of(l) !== value : (l) => of(l) === value;
  if (among === undefined) return (l) => of(l) !== undefined;
  const list = values.split(",").map((one) => one.trim());
  return among === "in" ? (l) => list.includes(of(l) ?? "\n") : (l) => !list.includes(of(l) ?? "\n");
}
