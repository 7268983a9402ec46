// The page of the documentation that is made of the list of metrics.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { metricsPage } from "../../scripts/metrics-page.ts";

test("docs/operators/metrics.md is what `node scripts/metrics-page.ts` writes", () => {
  const page = readFileSync(new URL("../../docs/operators/metrics.md", import.meta.url), "utf8");
  expect(page).toBe(metricsPage());
});
