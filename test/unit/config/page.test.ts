// The page of the documentation that is made of the table of settings.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { configurationPage } from "../../../scripts/configuration-page.ts";

test("docs/operators/configuration.md is what `node scripts/configuration-page.ts` writes", () => {
  const page = readFileSync(new URL("../../../docs/operators/configuration.md", import.meta.url), "utf8");
  expect(page).toBe(configurationPage());
});
