// `npm run bench [-- NAME] [-- --json]`: runs all benchmarks or one, and prints figures beside those of peers in the same run.

import { cpus, loadavg } from "node:os";
import { BENCHES } from "./benches.ts";
import { endAllOnExit } from "./processes.ts";
import { type Finished, jsonLine, table } from "./report.ts";
import { save } from "./save.ts";
import { endWith, readArguments } from "../support/arguments.ts";

const USAGE = `Usage: npm run bench -- [${Object.keys(BENCHES).join("|")}] [--json] [--rounds N] [--seconds N] [--only SCENARIO] [--save] [--profile FOLDER]
  --json     one object a line instead of a table
  --rounds   rounds of which the medians are taken (3)
  --seconds  length of each measurement that is limited by time (5)
  --only     one scenario of it, where it has several
  --save     writes the tables into docs/benchmarks.md
  --profile  writes CPU profiles of the worker there; figures are not to be trusted then`;

const OPTIONS = {
  json: { type: "boolean", default: false },
  save: { type: "boolean", default: false },
  rounds: { type: "string", default: "3" },
  seconds: { type: "string", default: "5" },
  profile: { type: "string" },
  only: { type: "string" },
} as const;

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

function machine(): string[] {
  const [cpu] = cpus();
  return [
    `${cpus().length} cores (${cpu?.model.trim() ?? "unknown"}), Node ${process.versions.node}, ${process.platform}`,
    `${new Date().toISOString().slice(0, 10)}; load average before: ${loadavg()[0]?.toFixed(2)}`,
  ];
}

async function run(name: string, options: Values): Promise<Finished> {
  const around = machine();
  const { conditions, rows } = await (BENCHES[name] ?? endWith(USAGE))({
    rounds: positive(options.rounds),
    seconds: positive(options.seconds),
    ...(options.profile !== undefined && { profile: options.profile }),
    ...(options.only !== undefined && { only: options.only }),
    note: (text) => process.stderr.write(`${text}\n`),
  });
  return { name, conditions: [...around, ...conditions], rows };
}

function positive(text: string): number {
  const number = Number(text);
  return Number.isInteger(number) && number > 0 ? number : endWith(USAGE);
}

endAllOnExit();
// Processes are killed on purpose here: a connection of theirs that is reset after its use is no reason to end.
process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  if (error.code !== "ECONNRESET") process.exit(1);
});
const { values, positionals } = readArguments(USAGE, OPTIONS);
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
if (names.some((name) => !Object.hasOwn(BENCHES, name))) endWith(USAGE);
for (const name of names) {
  const finished = await run(name, values);
  if (values.json) for (const row of finished.rows) console.log(jsonLine(row));
  else
    console.log(
      [`\n## ${name}\n`, ...finished.conditions.map((line) => `- ${line}`), "", table(finished.rows)].join("\n"),
    );
  if (values.save) save(finished, `npm run bench -- ${process.argv.slice(2).join(" ")}`);
}
// oxlint-disable-next-line unicorn/no-process-exit -- The entry; nothing that was measured may keep it alive.
process.exit(0);
