// Bundles the browser's client: client.js, a plain script with the global `MessageBus`, and client.mjs, the module behind
// "antiphon/client". `npm run build` writes them into dist/; workers that run from the sources bundle at the first request.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const SOURCE = fileURLToPath(new URL("../services/client/", import.meta.url));

/** The texts by the names of the files. */
export async function bundleClient(): Promise<Record<"client.js" | "client.mjs", string>> {
  const [script, module] = await Promise.all([bundle("global.ts", "iife"), bundle("client.ts", "esm")]);
  return { "client.js": script, "client.mjs": module };
}

async function bundle(entry: string, format: "iife" | "esm"): Promise<string> {
  const output = { format, minify: true, comments: false } as const;
  const built = await build({ input: join(SOURCE, entry), platform: "browser", write: false, output });
  return built.output[0].code;
}

export async function writeClient(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(await bundleClient())) writeFileSync(join(folder, name), text);
}
