// Installs what the benchmarks compare with, at the first run that needs it: into test/bench alone, without install scripts.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PEERS = [
  "hubot",
  "bullmq",
  "groupmq",
  "ioredis",
  "socket.io",
  "@socket.io/redis-streams-adapter",
  "better-sse",
  "@bull-board/api",
  "@bull-board/express",
];

/** So that `npm ci` of the project stays small. */
export function installPeers(): void {
  const isThere = (name: string): boolean =>
    existsSync(new URL(`./node_modules/${name}/package.json`, import.meta.url));
  if (PEERS.every(isThere)) return;
  const folder = fileURLToPath(new URL("./", import.meta.url));
  // Not `ci`: a lock file without the addresses of packages also lacks those for other platforms, which `ci` refuses.
  const args = ["install", "--no-save", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"];
  execFileSync("npm", args, { stdio: ["ignore", "ignore", "inherit"] });
}
