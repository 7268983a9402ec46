// Builds dist/, or the folder that is named: JavaScript and types by tsc, beside them the files that are read at run time
// the browser's client as one file, and the dashboard.

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, globSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { writeClient } from "./client.ts";
import { writeDashboard } from "./dashboard.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "services");
const target = resolve(process.argv[2] ?? join(root, "dist"));
/** Everything in services/ that is no TypeScript: Lua scripts, tables, the web chat's page. */
const ASSETS = "**/*.{lua,sql,html,css,js,svg,json}";

rmSync(target, { recursive: true, force: true });
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
const options = ["-p", join(root, "tsconfig.build.json"), "--outDir", target];
const compiled = spawnSync(process.execPath, [tsc, ...options], { stdio: "inherit" });
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

for (const file of globSync(ASSETS, { cwd: source, exclude: ["dashboard/**"] })) {
  mkdirSync(join(target, dirname(file)), { recursive: true });
  copyFileSync(join(source, file), join(target, file));
}
await writeClient(join(target, "client", "built"));
await writeDashboard(join(target, "dashboard"));
chmodSync(join(target, "main.js"), 0o755);
console.log(`built ${relative(process.cwd(), target) || "."}: ${globSync("**/*", { cwd: target }).length} files`);
