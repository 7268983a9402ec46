// The transcript of docs/operators/install.md, typed exactly as printed but for the image's tag.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { command } from "../support/command.ts";
import { count, type Finding } from "../support/figures.ts";
import { IMAGE } from "../support/values.ts";

export interface Typed {
  readonly line: string;
  /** What the page says that it answers; `…` is anything, a number is any number. */
  readonly answer: readonly string[];
}

const ROOT = new URL("../../..", import.meta.url).pathname;
const PAGE = `${ROOT}docs/operators/install.md`;
const EACH_MS = 300_000;
const END = "-- typed";

/** The commands of its `console` blocks: `$ ` begins one, `> ` goes on with it. */
export function transcript(page: string): Typed[] {
  const typed: { line: string; answer: string[] }[] = [];
  for (const [, block = ""] of page.matchAll(/^```console\n([\s\S]*?)^```$/gm))
    for (const line of block.trimEnd().split("\n")) {
      const last = typed.at(-1);
      if (line.startsWith("$ ")) typed.push({ line: line.slice(2), answer: [] });
      else if (line.startsWith(">") && last?.answer.length === 0) last.line += `\n${line.slice(2)}`;
      else last?.answer.push(line);
    }
  return typed;
}

/** Whether these lines stand in the answer, in this order; between them may be others only where the page has `…`. */
export function fits(answer: readonly string[], said: readonly string[]): boolean {
  const pattern = answer.map((line) => (line === "…" ? "(?:.*\\n)*?" : `${lineOf(line)}\\n`)).join("");
  return new RegExp(`^${pattern}$`).test(said.map((line) => `${line}\n`).join(""));
}

function lineOf(line: string): string {
  const quoted = line.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return quoted.replaceAll("…", ".*").replaceAll(/\d+/g, "\\d+").replaceAll(/ +/g, " +");
}

export async function newcomer(): Promise<Finding> {
  const typed = transcript(readFileSync(PAGE, "utf8"));
  const problems: string[] = [];
  await command("kubectl", ["delete", "namespace", "bot", "--ignore-not-found", "--timeout=120s"]);
  const shell = spawn("bash", ["-i"], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, PS1: "", PS2: "" },
  });
  const lines = createInterface({ input: shell.stdout })[Symbol.asyncIterator]();
  try {
    for (const { line, answer } of typed) {
      shell.stdin.write(
        `${line.replace("image.tag=1.0", `image.tag=${IMAGE.split(":")[1]}`)}\nprintf '\\n${END} %s\\n' $?\n`,
      );
      const { said, code } = await answerOf(lines, line);
      if (code !== 0) problems.push(`${line}: ended with ${code}: ${said.join(" / ")}`);
      else if (answer.length > 0 && !fits(answer, said))
        problems.push(`${line}: said\n${said.join("\n")}\nnot\n${answer.join("\n")}`);
    }
  } finally {
    shell.kill();
    await command("kubectl", ["delete", "namespace", "bot", "--ignore-not-found", "--wait=false"]);
  }
  return {
    name: "newcomer",
    conditions: ["docs/operators/install.md, from `helm install` to `helm uninstall`"],
    rows: [
      count("commands typed as printed", typed.length),
      count("that failed or answered otherwise than printed", problems.length, { is: 0 }),
    ],
    problems,
  };
}

async function answerOf(lines: AsyncIterator<string>, line: string): Promise<{ said: string[]; code: number }> {
  const said: string[] = [];
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`${line}: no end within ${EACH_MS} ms: ${said.join("\n")}`)), EACH_MS).unref();
  });
  for (;;) {
    const { value, done } = await Promise.race([lines.next(), late]);
    if (done) throw new Error(`the shell ended at ${line}`);
    if (value.startsWith(END)) {
      // The line break before it, which an answer without one needs.
      if (said.at(-1) === "") said.pop();
      return { said, code: Number(value.slice(END.length)) };
    }
    said.push(value);
  }
}
