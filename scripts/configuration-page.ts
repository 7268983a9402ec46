// Writes docs/operators/configuration.md from the table of settings: `node scripts/configuration-page.ts`. A test compares.

import { writeFileSync } from "node:fs";
import { ADAPTER_COMMON, ADAPTER_SETTINGS, SETTINGS } from "../services/config/config.ts";
import type { AnyRows, Row } from "../services/config/row.ts";

const AROUND = { env: {}, cwd: ".", cores: 2, terminal: false, dev: false };

const INTRODUCTION = `<!-- Written by scripts/configuration-page.ts from services/config. -->

# Configuration

Settings come from environment variables and from a file; a variable wins over the file. The file is what \`ANTIPHON_CONFIG\` names, else
\`antiphon.config.ts\`, \`.js\`, \`.json\` or \`.yaml\` in the working folder. It has the same settings under the names of the first column:

\`\`\`yaml
namespace: team
folders: [./handlers, "@team/more-handlers"] # ANTIPHON_HANDLERS; paths count from the file's folder
groups:
  deployers: [web:ann] # fixed members; leave the list empty to add members in chat
admins: [web:ann]
handlers: # settings of handlers, by name
  github: { room: "web:ops" }
adapters: # a list of names, or the settings of each
  web: { order: room }
\`\`\`

Everything is checked before anything starts, and all problems are told at once: unknown names, wrong types, values out of bounds,
contradictions. \`antiphon validate\` checks without starting. A Redis that is away, refuses the password or may evict keys is no
configuration error: the process stays up and is not ready.
`;

const HANDLERS = `## Settings of handlers

A handler declares its settings with a schema. They stand in the file under \`handlers.<name>\`, or in variables
\`ANTIPHON_HANDLER_<NAME>_<SETTING>\`: the setting \`hookSecret\` of the handler \`git-hub\` is \`ANTIPHON_HANDLER_GIT_HUB_HOOK_SECRET\`. Secrets
belong into variables.
`;

export function configurationPage(): string {
  return [
    INTRODUCTION,
    table(SETTINGS),
    HANDLERS,
    "## Settings of adapters\n\nIn the file under `adapters.<name>`. Every adapter has:\n",
    table(ADAPTER_COMMON),
    ...Object.entries(ADAPTER_SETTINGS)
      .filter(([name, rows]) => name !== "fake" && Object.keys(rows).length > 0)
      .map(([name, rows]) => `### ${name}\n\n${table(rows)}`),
  ].join("\n");
}

function table(rows: AnyRows): string {
  const lines = Object.entries(rows).map(
    ([key, row]) =>
      `| \`${key}\` | ${row.variable === undefined ? "–" : `\`${row.variable}\``} | ${preset(row)} | ${row.sentence} Must be ${row.kind.says}. |`,
  );
  return ["| in the file | variable | default | |", "|---|---|---|---|", ...lines, ""].join("\n");
}

function preset(row: Row<unknown>): string {
  if (row.presetSaid !== undefined) return row.presetSaid;
  const value = row.preset(AROUND, "worker");
  const isNone = value === undefined || (typeof value === "object" && Object.keys(value ?? {}).length === 0);
  return isNone ? "none" : `\`${Array.isArray(value) ? value.join(",") : String(value)}\``;
}

if (import.meta.main)
  writeFileSync(new URL("../docs/operators/configuration.md", import.meta.url), configurationPage());
