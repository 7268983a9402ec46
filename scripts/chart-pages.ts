// Writes what is derived in charts/antiphon: `node scripts/chart-pages.ts`. A test compares.

import { writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { alertsFile, dashboardFile } from "./chart-metrics.ts";
import { chartReadme } from "./chart-readme.ts";
import { chartSchema } from "./chart-schema.ts";
import { CHART } from "./chart-values.ts";

/** By their path in the chart. */
export function chartPages(): Readonly<Record<string, string>> {
  return {
    "README.md": chartReadme(),
    "values.schema.json": chartSchema(),
    "files/alerts.yaml": `# Written by scripts/chart-pages.ts.\n${stringify(alertsFile(), { lineWidth: 0 })}`,
    "files/dashboard.json": `${JSON.stringify(dashboardFile(), undefined, 2)}\n`,
  };
}

if (import.meta.main)
  for (const [path, text] of Object.entries(chartPages())) writeFileSync(new URL(path, CHART), text);
