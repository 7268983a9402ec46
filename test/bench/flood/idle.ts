// Processes with nothing to do: how long they take to be ready, and the memory they have then.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { memoryOf, Started } from "../processes.ts";
import { startRedis } from "../redis.ts";
import { FakeChat } from "../../support/fake-chat.ts";
import { startMode } from "./antiphon.ts";
import { sleep } from "./measure.ts";

const REST_MS = 3_000;
const ELECTED_MS = 15_000;
const STACK_MS = 60_000;
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export interface Masters {
  readonly leaderMiB: number;
  readonly standbyMiB: number;
  readonly bootMs: number;
}

/** Two masters, of which one leads both the chat connection and `control`. */
export async function restMasters(): Promise<Masters> {
  const cwd = mkdtempSync(join(tmpdir(), "antiphon-bench-"));
  const chat = await FakeChat.start();
  const redis = await startRedis("AOF off");
  const options = { redisUrl: redis.url, cwd, tallyPort: 0, chatPort: Number(new URL(chat.url).port) };
  const leader = await startMode("master", options);
  try {
    await leader.process.line(/"leader\.acquired".*"control"/, ELECTED_MS);
    await leader.process.line(/"leader\.acquired".*"fake"/, ELECTED_MS);
    const standby = await startMode("master", options);
    try {
      await sleep(REST_MS);
      const leaderMiB = memoryOf(leader.process.pid);
      return { leaderMiB, standbyMiB: memoryOf(standby.process.pid), bootMs: standby.bootMs };
    } finally {
      await standby.process.end("SIGKILL");
    }
  } finally {
    await leader.process.end("SIGKILL");
    await redis.stop();
    await chat.stop();
    rmSync(cwd, { recursive: true, force: true });
  }
}

/**
 * `npm start` until it says that it is ready, ms: the project's own script in an empty folder, so that it finds no state of
 * somebody's. Without a Redis server on PATH it brings its own.
 */
export async function bootStack(withServer: boolean): Promise<number> {
  const cwd = mkdtempSync(join(tmpdir(), "antiphon-bench-"));
  writeFileSync(join(cwd, "package.json"), JSON.stringify({ private: true, scripts: { start: startScript() } }));
  const stack = new Started({
    command: "npm",
    args: ["start"],
    cwd,
    group: true,
    env: {
      ANTIPHON_HTTP_PORT: "0",
      ANTIPHON_ADMIN_PORT: "0",
      PATH: withServer ? `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` : pathWithoutServer(cwd),
    },
  });
  try {
    await stack.line(/^antiphon is ready/, STACK_MS);
    return performance.now() - stack.startedAt;
  } finally {
    await stack.end("SIGTERM");
    rmSync(cwd, { recursive: true, force: true });
  }
}

/** The script `start` of package.json with absolute paths. */
function startScript(): string {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: { start: string } };
  return scripts.start.replaceAll(/(?<= )(?=(?:scripts|services|examples)\/)/g, ROOT);
}

/** A PATH on which there is what npm needs and nothing else. */
function pathWithoutServer(cwd: string): string {
  const folder = join(cwd, "bin");
  mkdirSync(folder);
  const find = (name: string): string => realpathSync(execFileSync("which", [name], { encoding: "utf8" }).trim());
  for (const name of ["npm", "sh"]) symlinkSync(find(name), join(folder, name));
  symlinkSync(process.execPath, join(folder, "node"));
  return folder;
}
