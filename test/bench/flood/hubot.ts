// Starts Hubot, which is installed at the first run.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Started } from "../processes.ts";
import type { Subject, Surroundings } from "./subject.ts";

const FOLDER = new URL("../", import.meta.url);
const ENTRY = fileURLToPath(new URL("./hubot.mjs", import.meta.url));
const INSTALLED = new URL("node_modules/hubot/package.json", FOLDER);

/** Into test/bench alone, so that `npm ci` of the project stays small. @returns the version */
export function installHubot(): string {
  if (!existsSync(INSTALLED)) {
    const args = ["ci", "--prefix", fileURLToPath(FOLDER), "--ignore-scripts", "--no-audit", "--no-fund"];
    execFileSync("npm", args, { stdio: ["ignore", "ignore", "inherit"] });
  }
  return (JSON.parse(readFileSync(INSTALLED, "utf8")) as { version: string }).version;
}

export async function startHubot({ tallyPort, chatPort }: Surroundings): Promise<Subject> {
  const main = new Started({
    args: [ENTRY],
    env: {
      EXPRESS_PORT: "0",
      EXPRESS_BIND_ADDRESS: "127.0.0.1",
      EXPRESS_LIMIT: "1mb",
      HUBOT_LOG_LEVEL: "warn",
      NODE_ENV: "production",
      BENCH_TALLY: String(tallyPort),
      FAKE_PORT: String(chatPort),
    },
  });
  const line = await main.line(/^hubot is ready/);
  const bootMs = performance.now() - main.startedAt;
  return {
    name: "Hubot",
    httpPort: Number(line.split(" ").at(-1)),
    main,
    pids: { hubot: main.pid },
    bootMs,
    stop: () => main.end("SIGKILL"),
  };
}
