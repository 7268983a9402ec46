// Bundles the dashboard with Vite: index.html and its assets, named by their contents. `npm run build` writes them into
// dist/dashboard. Where nothing is built, in the sources, a process of its own prints them at the first request: Vite is large,
// and stays where it was loaded.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Rolldown } from "vite";

const SOURCE = fileURLToPath(new URL("../services/dashboard/", import.meta.url));

/** The files by their paths, which are relative to the page. */
export async function bundleDashboard(): Promise<Map<string, Uint8Array>> {
  const built = await build({
    root: SOURCE,
    configFile: false,
    logLevel: "warn",
    // All addresses are relative, so that the page works under any prefix.
    base: "./",
    publicDir: false,
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: {
      write: false,
      target: "es2023",
      cssTarget: ["chrome123", "firefox121", "safari17.5"],
      // A page under `default-src 'none'` cannot load what is written into it.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  });
  const outputs = (Array.isArray(built) ? built : [built]) as Rolldown.RolldownOutput[];
  const files = outputs.flatMap(({ output }) => output);
  return new Map(
    files.map((file) => [file.fileName, Buffer.from(file.type === "chunk" ? file.code : file.source)] as const),
  );
}

export async function writeDashboard(folder: string): Promise<void> {
  for (const [path, bytes] of await bundleDashboard()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}

if (import.meta.main) {
  const files = [...(await bundleDashboard())].map(([path, bytes]) => [path, Buffer.from(bytes).toString("base64")]);
  // By its length a pipe takes it in parts: the process ends when all of it is out.
  process.stdout.write(JSON.stringify(files), () => process.exit());
}
