// Keeps the newest result of each benchmark in docs/benchmarks.md, between markers; the words around them are written by hand.

import { readFileSync, writeFileSync } from "node:fs";
import { type Finished, table } from "./report.ts";

const PAGE = new URL("../../docs/benchmarks.md", import.meta.url);

/** Throws when the page has no place for it. */
export function save({ name, conditions, rows }: Finished, command: string): void {
  const page = readFileSync(PAGE, "utf8");
  const place = new RegExp(`(<!-- ${name} -->\\n)[^]*?(<!-- /${name} -->)`);
  if (!place.test(page)) throw new Error(`docs/benchmarks.md has no place for ${name}.`);
  const text = [`\`${command}\``, "", ...conditions.map((line) => `- ${line}`), "", table(rows), ""].join("\n");
  writeFileSync(
    PAGE,
    page.replace(place, (_all, begin: string, end: string) => `${begin}${text}\n${end}`),
  );
}
