// Which commands somebody may have meant who typed one that does not exist.

import type { CommandInfo } from "../sdk/index.ts";

const COMPARED_CHARS_MAX = 32;
const SUGGESTIONS_MAX = 2;

/** The commands whose fixed words are close to what was said, closest first. */
export function nearest(said: string, commands: readonly CommandInfo[]): CommandInfo[] {
  const words = said
    .slice(0, 4 * COMPARED_CHARS_MAX)
    .toLowerCase()
    .split(/\s+/);
  return commands
    .filter((command) => command.kind === "command")
    .map((command) => ({ command, far: farness(words, fixedWords(command.usage)) }))
    .filter(({ far }) => far < 1)
    .sort((a, b) => a.far - b.far)
    .slice(0, SUGGESTIONS_MAX)
    .map(({ command }) => command);
}

function fixedWords(usage: string): string[] {
  const words = usage.split(" ");
  const first = words.findIndex((word) => word.startsWith("<") || word.startsWith("["));
  return first < 0 ? words : words.slice(0, first);
}

/** 0 is equal, 1 is too far: a third of the letters may differ, and a beginning of a word is near. */
function farness(words: readonly string[], fixed: readonly string[]): number {
  if (fixed.length === 0) return 1;
  const typed = words.slice(0, fixed.length).join(" ").slice(0, COMPARED_CHARS_MAX);
  const wanted = fixed.join(" ").toLowerCase().slice(0, COMPARED_CHARS_MAX);
  if (typed.length >= 2 && wanted.startsWith(typed)) return 0.5;
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  return edits(typed, wanted) / (allowed + 1);
}

/** Insertions, deletions, replacements and swaps of neighbours that make one word from the other. */
function edits(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const ways = [(last[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + (same ? 0 : 1)];
      if (swapped) ways.push((before[column - 2] ?? 0) + 1);
      next.push(Math.min(...ways));
    }
    before = last;
    last = next;
  }
  return last[b.length] ?? 0;
}
