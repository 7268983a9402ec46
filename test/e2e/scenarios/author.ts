// An author's image, as docs/operators/image.md says it: `FROM antiphon` and a folder of handlers, with a package of its own.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "../support/cluster.ts";
import { command } from "../support/command.ts";
import { count, type Finding, time } from "../support/figures.ts";
import { Release } from "../support/release.ts";
import { fixed, IMAGE, imageOf, merged } from "../support/values.ts";
import { answered } from "./install.ts";

const TAG = "antiphon-author:test";
const BUILD_MS = 300_000;
const FILES: Readonly<Record<string, string>> = {
  Dockerfile: `FROM ${IMAGE}\nCOPY handlers handlers\n`,
  "handlers/tide.ts": `import { defineHandler } from "antiphon";
import { words } from "tide-words";

export default defineHandler({
  name: "tide",
  routes: (r) => ({
    now: r.command("tide", { help: "Says how the water stands", run: (): string => words.high }),
  }),
});
`,
  "handlers/node_modules/tide-words/package.json":
    '{ "name": "tide-words", "type": "module", "exports": "./index.js" }',
  "handlers/node_modules/tide-words/index.js": 'export const words = { high: "the water is high" };\n',
};

export async function authorsImage(cluster: Cluster, namespace: string): Promise<Finding> {
  const from = Date.now();
  await built();
  const builtMs = Date.now() - from;
  const valid = await validated();
  const values = merged(fixed(2, 2), { image: imageOf(TAG), handlers: { inline: null } });
  const release = await Release.install({ cluster, namespace, bundled: true, values });
  try {
    const reply = await answered(release.url, "antiphon tide", /the water is high/);
    return {
      name: "author",
      conditions: [`\`FROM ${IMAGE}\`, \`COPY handlers handlers\`: a handler, and a package that it imports`],
      rows: [
        time("`docker build` and to the nodes", builtMs),
        count("`docker run --rm IMAGE validate`: ended with 0", valid ? 1 : 0, { is: 1 }),
        count("its command answered in chat through the NodePort", reply === "" ? 0 : 1, { is: 1 }),
      ],
      problems: valid ? [] : ["the image does not find its own handlers valid"],
    };
  } catch (error) {
    throw await release.explained(error);
  } finally {
    await release.remove();
  }
}

async function built(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "antiphon-author-"));
  try {
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const [program = "", ...args] = (process.env["E2E_BUILD"] ?? "docker build -t").split(" ");
    await command(program, [...args, TAG, folder], { timeoutMs: BUILD_MS });
    const [load = "", ...more] = (process.env["E2E_LOAD"] ?? "").split(" ");
    await command(load, [...more, TAG], { timeoutMs: BUILD_MS });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function validated(): Promise<boolean> {
  return command("docker", ["run", "--rm", "--network=none", TAG, "validate"]).then(
    () => true,
    () => false,
  );
}
