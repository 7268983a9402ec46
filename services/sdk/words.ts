// Splits what a person typed into words, with quotes, in one pass over the text.

export interface Word {
  readonly text: string;
  /** Where it starts in the text, quotes included. */
  readonly at: number;
}

/** Phones type the curly ones. An apostrophe inside a word is no quote, because a quote must open a word. */
const CLOSING: Readonly<Record<string, string>> = { '"': '"', "'": "'", "“": "”", "„": "“", "«": "»" };
const SPACE = /\s/;

/** `say "hello there" ann's` gives three words. A quote that is never closed is a character like any other. */
export function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  const unclosed = new Set<string>();
  let at = 0;
  while (at < text.length) {
    if (SPACE.test(text.charAt(at))) {
      at++;
      continue;
    }
    const quoted = readQuoted(text, at, unclosed);
    const end = quoted?.end ?? endOfWord(text, at);
    words.push({ text: quoted?.text ?? text.slice(at, end), at });
    at = end;
  }
  return words;
}

function endOfWord(text: string, from: number): number {
  let at = from;
  while (at < text.length && !SPACE.test(text.charAt(at))) at++;
  return at;
}

/** A closing mark is searched for once: where none was found, none is left further on. */
function readQuoted(text: string, from: number, unclosed: Set<string>): { text: string; end: number } | undefined {
  const closing = CLOSING[text.charAt(from)];
  if (closing === undefined || unclosed.has(closing)) return undefined;
  const end = text.indexOf(closing, from + 1);
  if (end < 0) {
    unclosed.add(closing);
    return undefined;
  }
  return { text: text.slice(from + 1, end), end: end + 1 };
}
