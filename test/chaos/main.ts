// `npm run chaos [-- NAME…] [-- --json]`: breaks bots of real processes in every way there is, and says what became of it.

import { cpus, loadavg } from "node:os";
import { redisVersion } from "../bench/redis.ts";
import { jsonLine, table } from "../bench/report.ts";
import { save } from "../bench/save.ts";
import type { Finding } from "./findings.ts";
import { buildProduct } from "./product.ts";
import { optionsOf, SCENARIOS } from "./scenarios.ts";
import { endWith, readArguments } from "../support/arguments.ts";

const NAMES = Object.keys(SCENARIOS);
const PAGE = new URL("../../docs/chaos.md", import.meta.url);

const USAGE = `Usage: npm run chaos -- [NAME…] [--json] [--short] [--kills N] [--bots N] [--hold SECONDS] [--minutes N] [--save]
${NAMES.map((name) => `  ${name.padEnd(16)} ${SCENARIOS[name]?.what}`).join("\n")}
  --json       one object a line instead of a table
  --short      each a few times only; all together take about four minutes
  --kills N    how often each is done, in place of its own number
  --bots N     how many bots are broken side by side
  --hold N     for how many seconds what is frozen, blocked or cut off stays so
  --minutes N  random kills end after so long at the latest
  --save       writes the tables into docs/chaos.md
Ends with 1 when something was lost, doubled, out of order or accepted from a former leader.`;

const OPTIONS = {
  json: { type: "boolean", default: false },
  short: { type: "boolean", default: false },
  save: { type: "boolean", default: false },
  kills: { type: "string" },
  bots: { type: "string" },
  hold: { type: "string" },
  minutes: { type: "string" },
} as const;

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

function positive(text: string): number {
  const number = Number(text);
  return Number.isInteger(number) && number > 0 ? number : endWith(USAGE);
}

async function run(name: string, entry: string, values: Values): Promise<Finding> {
  const scenario = SCENARIOS[name] ?? endWith(USAGE);
  const around = [
    `${cpus().length} cores, Node ${process.versions.node}, redis-server ${redisVersion()}, ${process.platform}`,
    `${new Date().toISOString().slice(0, 10)}; load average before: ${loadavg()[0]?.toFixed(2)}`,
  ];
  const size = {
    ...(values.short ? scenario.short : scenario.full),
    ...(values.kills !== undefined && { times: positive(values.kills) }),
    ...(values.bots !== undefined && { bots: positive(values.bots) }),
    ...(values.minutes !== undefined && { minutesMax: positive(values.minutes) }),
    ...(values.hold !== undefined && { holdMs: positive(values.hold) * 1_000 }),
  };
  const note = (text: string): boolean => process.stderr.write(`${text}\n`);
  const { conditions, ...finding } = await scenario.run(optionsOf(size, { entry, note })).catch(unfinished);
  return { ...finding, name, conditions: [...around, ...conditions] };
}

/** The others are run all the same. */
function unfinished(error: unknown): Finding {
  return { name: "", conditions: ["it did not come to an end"], rows: [], problems: [String(error)] };
}

function tell(finding: Finding, json: boolean): void {
  const { name, conditions, rows, problems } = finding;
  if (json) for (const row of rows) console.log(jsonLine(row));
  else console.log([`\n## ${name}\n`, ...conditions.map((line) => `- ${line}`), "", table(rows)].join("\n"));
  for (const problem of problems) process.stderr.write(`${name}: ${problem}\n`);
}

// Processes and servers are ended on purpose here: a connection that is reset after its use is no reason to end.
process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  if (error.code !== "ECONNRESET") process.exit(1);
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const { values, positionals } = readArguments(USAGE, OPTIONS);
const names = positionals.length > 0 ? positionals : NAMES;
if (names.some((name) => !NAMES.includes(name))) endWith(USAGE);
const entry = buildProduct();
let sound = true;
for (const name of names) {
  const finding = await run(name, entry, values);
  sound &&= finding.problems.length === 0;
  tell(finding, values.json);
  if (values.save) save(finding, `npm run chaos -- ${process.argv.slice(2).join(" ")}`, PAGE);
}
// oxlint-disable-next-line unicorn/no-process-exit -- The entry; nothing that was broken may keep it alive.
process.exit(sound ? 0 : 1);
