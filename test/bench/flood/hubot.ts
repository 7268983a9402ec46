// Starts Hubot, which is installed at the first run.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { installPeers } from "../peers.ts";
import { Started } from "../processes.ts";
import type { Subject, Surroundings } from "./subject.ts";

const FOLDER = new URL("../", import.meta.url);
const ENTRY = fileURLToPath(new URL("./hubot.mjs", import.meta.url));
const INSTALLED = new URL("node_modules/hubot/package.json", FOLDER);

/** @returns the version */
export function installHubot(): string {
  installPeers();
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
