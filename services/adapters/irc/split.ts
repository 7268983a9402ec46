// Long words to short lines: no line over its bytes, no character and, where it can be, no word broken. Pure.

export interface Bounds {
  /** Of one line's text. */
  readonly bytesMax: number;
  readonly linesMax: number;
}

/** What people may not smuggle in: ends of lines, and the sign that turns a text into a client's command. */
// oxlint-disable-next-line no-control-regex -- these are exactly the ones to take out
const CONTROL = /[\0\x01]/g;

/** At least one line, none of them empty; what is beyond `linesMax` is told as a number. */
export function linesOf(text: string, bounds: Bounds): string[] {
  const lines: string[] = [];
  for (const paragraph of text.replace(CONTROL, "").split(/\r\n|\r|\n/)) {
    if (paragraph.trim() !== "") lines.push(...splitText(paragraph, bounds.bytesMax));
  }
  if (lines.length === 0) return [" "];
  if (lines.length <= bounds.linesMax) return lines;
  const kept = lines.slice(0, bounds.linesMax - 1);
  return [...kept, `… (${lines.length - kept.length} more lines)`];
}

/** Pieces of at most `bytesMax` bytes. At a break between words the blank goes. */
export function splitText(text: string, bytesMax: number): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (Buffer.byteLength(rest) > bytesMax) {
    const end = fitting(rest, bytesMax);
    const blank = rest.lastIndexOf(" ", end);
    // A blank right at the start would leave an empty piece, and one far back a ragged line of a few words.
    const cut = blank > end / 3 ? blank : wholeSigns(rest, end);
    pieces.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut).replace(/^ +/, "");
  }
  if (rest !== "") pieces.push(rest);
  return pieces.filter((piece) => piece !== "");
}

/** How many UTF-16 units of the text fit, without half a character. */
function fitting(text: string, bytesMax: number): number {
  let bytes = 0;
  let at = 0;
  for (const sign of text) {
    bytes += Buffer.byteLength(sign);
    if (bytes > bytesMax) break;
    at += sign.length;
  }
  return Math.max(at, 1);
}

const signs = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The last place up to `end` that parts no letter from its accent and no emoji from its skin. */
function wholeSigns(text: string, end: number): number {
  const from = Math.max(0, end - 64);
  let last = 0;
  for (const { index } of signs.segment(text.slice(from, end + 64))) {
    if (from + index > end) break;
    last = from + index;
  }
  return last > from ? last : end;
}
