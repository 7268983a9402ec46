// Keeps the newest result of each benchmark in docs/benchmarks.md, or of each scenario on its page, between markers; the
// words around them are written by hand.

import { readFileSync, writeFileSync } from "node:fs";
import { type Finished, table } from "./report.ts";

const PAGE = new URL("../../docs/benchmarks.md", import.meta.url);

/** Throws when the page has no place for it. */
export function save({ name, conditions, rows }: Finished, command: string, file = PAGE): void {
  const page = readFileSync(file, "utf8");
  const place = new RegExp(`(<!-- ${name} -->\\n)[^]*?(<!-- /${name} -->)`);
  if (!place.test(page)) throw new Error(`${file.pathname} has no place for ${name}.`);
  const text = [`\`${command}\``, "", ...conditions.map((line) => `- ${line}`), "", table(rows), ""].join("\n");
  writeFileSync(
    file,
    page.replace(place, (_all, begin: string, end: string) => `${begin}${text}\n${end}`),
  );
}
