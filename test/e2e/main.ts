// `npm run test:e2e [-- --full] [-- NAME…]`: installs the chart into the cluster that kubectl points at, and tests it.

import { spawn } from "node:child_process";
import { endWith, readArguments } from "../support/arguments.ts";
import { NAMES } from "./names.ts";

const USAGE = `Usage: npm run test:e2e -- [NAME…] [--full] [--save] [--json FILE] [-- VITEST OPTIONS]
Without a name the short form, about three minutes; with --full or by name:
${Object.entries(NAMES)
  .map(([name, what]) => `  ${name.padEnd(12)} ${what}`)
  .join("\n")}
  --save       writes the tables into docs/e2e.md
  --json FILE  adds one object a line: name, value, unit, …
Variables: IMAGE (antiphon:test), E2E_HOST (where NodePorts are; default: the first node), E2E_REDIS_IMAGE, E2E_NGIRCD_IMAGE;
E2E_CUT and E2E_MEND: commands that cut a node off the network and put it back, given its name; E2E_LOAD: hands an image to the nodes;
E2E_API_AWAY and E2E_API_BACK: commands after which no pod reaches the API server, and each does again.`;

const OPTIONS = {
  full: { type: "boolean", default: false },
  save: { type: "boolean", default: false },
  json: { type: "string" },
} as const;

const given = process.argv.slice(2);
const cut = given.indexOf("--");
const [ours, theirs] = cut < 0 ? [given, []] : [given.slice(0, cut), given.slice(cut + 1)];
const { values, positionals } = readArguments(USAGE, OPTIONS, ours);
if (positionals.some((name) => !Object.hasOwn(NAMES, name))) endWith(USAGE);

const names = values.full ? Object.keys(NAMES) : positionals;
const file = `test/e2e/${names.length > 0 ? "full" : "short"}.test.ts`;
const vitest = new URL("../../node_modules/vitest/vitest.mjs", import.meta.url).pathname;
const config = new URL("vitest.config.ts", import.meta.url).pathname;
const child = spawn(process.execPath, [vitest, "run", "--config", config, file, ...theirs], {
  stdio: "inherit",
  env: {
    ...process.env,
    E2E_NAMES: names.join(","),
    ...(values.save && { E2E_SAVE: `npm run test:e2e -- ${ours.join(" ")}` }),
    ...(values.json !== undefined && { E2E_FIGURES: values.json }),
  },
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
child.once("exit", (code) => (process.exitCode = code ?? 1));
