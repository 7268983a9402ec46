// The page for authors shows code that is tested: the files of the folder `page`.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const page = readFileSync(new URL("../../../docs/authors/testing.md", import.meta.url), "utf8");

test.each(["ship.ts", "ship.test.ts"])("docs/authors/testing.md shows %s as it is tested", (name) => {
  const code = readFileSync(new URL(`./page/${name}`, import.meta.url), "utf8");
  expect(page).toContain(`\`\`\`ts\n${code}\`\`\`\n`);
});
