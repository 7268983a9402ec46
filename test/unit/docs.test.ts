// The documentation says what is so: pages written from tables, names of tests, links, and examples that compile.

import { execFile } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { errorsPage } from "../../scripts/errors-page.ts";
import { ERROR_TABLE } from "../../services/runtime/errors.ts";

const ROOT = join(import.meta.dirname, "../..");
const PAGES = ["README.md", ...globSync("docs/**/*.md", { cwd: ROOT }).sort()];

test("docs/authors/errors.md is what `node scripts/errors-page.ts` writes", () => {
  expect(read("docs/authors/errors.md")).toBe(errorsPage());
});

test("every error code is used outside its table", () => {
  const sources = globSync("services/**/*.{ts,lua}", { cwd: ROOT }).filter(
    (file) => file !== "services/runtime/errors.ts",
  );
  const words = new Set(sources.flatMap((file) => read(file).match(/\b[A-Z]+(?:_[A-Z]+)*\b/g) ?? []));
  expect(Object.keys(ERROR_TABLE).filter((code) => !words.has(code))).toEqual([]);
});

test("every promise of docs/guarantees.md names tests that exist", () => {
  const [promised = ""] = read("docs/guarantees.md").split("\n## Not promised");
  const promises = promised.split(/^(?=\*\*\d+\. )/m).slice(1);
  expect(promises.length).toBeGreaterThan(5);
  const problems = promises.flatMap((promise) => {
    const proofs = [...promise.matchAll(/^- `(test\/[^`]+)`: (.+)$/gm)];
    const lacking = proofs.filter(([, file = "", title = ""]) => !namesTest(file, title)).map(([line]) => line);
    return proofs.length === 0 ? [`without a test: ${promise.split("\n")[0]}`] : lacking;
  });
  expect(problems).toEqual([]);
});

/** Whether the file has a test or suite of this title, written as one text. */
function namesTest(file: string, title: string): boolean {
  if (!existsSync(join(ROOT, file))) return false;
  const titles = [...read(file).matchAll(/\(\s*(["'`])((?:\\.|(?!\1)[^\\])*)\1\s*,/g)];
  return titles.some(([, , text = ""]) => text.replaceAll(/\\(.)/g, "$1") === title);
}

test.each(PAGES)("%s: every link to a file and its heading resolves", (page) => {
  const text = read(page).replaceAll(/^```[\s\S]*?^```$/gm, "");
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  const broken = targets.filter((target) => !/^(?:https?:|mailto:)/.test(target) && !resolves(page, target));
  expect(broken).toEqual([]);
});

function resolves(page: string, target: string): boolean {
  const [path = "", heading] = target.split("#");
  const file = path === "" ? page : join(dirname(page), path);
  if (!existsSync(join(ROOT, file))) return false;
  return heading === undefined || headingsOf(read(file)).includes(heading);
}

/** As GitHub makes anchors of them. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test.each(PAGES)("%s: no line is longer than 160 characters, rows of tables apart", (page) => {
  const lines = read(page).split("\n");
  const long = lines.flatMap((line, index) => (line.length > 160 && !line.startsWith("|") ? [index + 1] : []));
  expect(long).toEqual([]);
});

// The examples of testing.md are files of test/unit/testing/page, which run.
test("every complete example of README.md and docs/authors compiles", async () => {
  const folder = join(ROOT, "node_modules/.cache/docs-examples");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const files = PAGES.filter((page) => page === "README.md" || /^docs\/authors\/(?!testing)/.test(page)).flatMap(
    (page) =>
      examplesOf(page).map(({ name, code }) => {
        const file = join(folder, basename(page, ".md"), name);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, code);
        return file;
      }),
  );
  expect(files.length).toBeGreaterThan(10);
  const base = { extends: join(ROOT, "tsconfig.json"), files, include: [], compilerOptions: { noEmit: true } };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(base));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const { stdout } = await promisify(execFile)(tsc, ["-p", folder], { cwd: ROOT }).catch(
    (failure: { stdout: string }) => failure,
  );
  expect(stdout).toBe("");
}, 60_000);

/** Blocks that import antiphon stand for a file; its name is in their first line, and they may import each other. */
function examplesOf(page: string): { name: string; code: string }[] {
  const blocks = [...read(page).matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => code);
  return blocks
    .filter((code) => /from "antiphon[^"]*"/.test(code))
    .map((code, index) => ({ name: /^\/\/ (?:\S*\/)?([\w.-]+\.ts)\b/.exec(code)?.[1] ?? `example-${index}.ts`, code }));
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
