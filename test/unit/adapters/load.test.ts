// Adapters of one's own: found by path and by package, checked, configured; all problems at once, with a code.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterSources, loadAdapters } from "../../../services/adapters/load.ts";
import { AntiphonError } from "../../../services/runtime/errors.ts";
import { FAKE } from "../../../services/adapters/fake/manifest.ts";

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "antiphon-load-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const file = (path: string, content: string): void => {
  mkdirSync(dirname(join(cwd, path)), { recursive: true });
  writeFileSync(join(cwd, path), content);
};
const manifest = (name: string, more = {}): string => JSON.stringify({ ...FAKE, name, ...more });
/** With settings that want a `token` and a number `n`. */
const SCHEMA = `{ "~standard": { version: 1, vendor: "t", validate: (value) => {
  const issues = [];
  if (typeof value.token !== "string") issues.push({ message: "is missing", path: ["token"] });
  if (value.n !== undefined && typeof value.n !== "number") issues.push({ message: "must be a number", path: ["n"] });
  return issues.length > 0 ? { issues } : { value };
} } }`;
const adapter = (name: string, rest = "create: ({ settings }) => settings"): string =>
  `export default { format: 1, manifest: ${manifest(name)}, ${rest} };`;

const load = (adapters: string[], more: Partial<AdapterSources> = {}): ReturnType<typeof loadAdapters> =>
  loadAdapters({ adapters, adapterSettings: {}, adapterVariables: {}, cwd, ...more });

async function problems(adapters: string[], more: Partial<AdapterSources> = {}): Promise<[string, string]> {
  const error: unknown = await load(adapters, more).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AntiphonError);
  return [(error as AntiphonError).code, (error as AntiphonError).message];
}

test("a file, a folder with an index, a package for require and one for import alone, beside Antiphon's own", async () => {
  file("one.ts", `const typed: number = 1;\nvoid typed;\n${adapter("one")}`);
  file("two/index.js", adapter("two"));
  file("node_modules/three/package.json", '{"type":"module","main":"./main.js"}');
  file("node_modules/three/main.js", adapter("three"));
  file("node_modules/@acme/four/package.json", '{"type":"module","exports":{".":{"import":"./lib/four.js"}}}');
  file("node_modules/@acme/four/lib/four.js", adapter("four"));
  const loaded = await load(["web", "./one.ts", join(cwd, "two"), "three", "@acme/four"]);
  expect(loaded.map(({ name }) => name)).toEqual(["web", "one", "two", "three", "four"]);
  expect(loaded.map(({ manifest: { ingress } }) => ingress)).toEqual(["shared", ...Array(4).fill("takeover")]);
});

test("its module may import antiphon/adapter, though nothing is installed beside it", async () => {
  file(
    "own.ts",
    `import { defineAdapter } from "antiphon/adapter";\nexport default defineAdapter({ manifest: ${manifest("own")}, create: () => ({}) as never });`,
  );
  expect((await load(["./own.ts"])).map(({ name }) => name)).toEqual(["own"]);
});

test("settings come from the file and from variables, which win, and are what the schema makes of them", async () => {
  file("hip.js", adapter("hip-chat", `settings: ${SCHEMA}, create: ({ settings }) => settings`));
  const source = join(cwd, "hip.js");
  const [loaded] = await load([source], {
    adapterSettings: { [source]: { token: "file", order: "room" } },
    adapterVariables: { ANTIPHON_ADAPTER_HIP_CHAT_TOKEN: "secret", ANTIPHON_ADAPTER_HIP_CHAT_N: "5" },
  });
  expect(loaded?.settings).toEqual({ token: "secret", n: 5, order: "room" });
});

test("all problems are told at once: what cannot be loaded, with the code for that", async () => {
  file("throws.js", "throw new Error('out of order');");
  file("plain.js", "export const adapter = 1;");
  file("unfit.js", "export default { format: 1, manifest: {} };");
  const [code, text] = await problems(["./nowhere", "./throws.js", "./plain.js", "./unfit.js", "irk"]);
  expect(code).toBe("ADAPTER_LOAD_FAILED");
  for (const line of [
    "./nowhere: there is no such file or folder",
    "./throws.js: out of order",
    "./plain.js: the adapter must be its default export",
    "./unfit.js: create must be a function",
    "./unfit.js: manifest.ingress must be shared or overlap or takeover or exclusive",
    "irk: there is no such package Did you mean irc?",
  ])
    expect(text).toContain(line);
});

test("what is no adapter, or does not fit its schema, has a code of its own", async () => {
  file("old.js", `export default { format: 2, manifest: ${manifest("old")}, create: () => {} };`);
  file("other.js", "export default 5;");
  file("irc.js", adapter("irc"));
  file("twin.js", adapter("twin"));
  file("hip.js", adapter("hip", `settings: ${SCHEMA}, create: () => ({})`));
  const [code, text] = await problems(["./old.js", "./other.js", "./irc.js", "./twin.js", "./twin.js", "./hip.js"], {
    adapterSettings: { "./hip.js": { n: "many", order: "reverse" } },
    adapterVariables: { ANTIPHON_ADAPTER_HOP_TOKEN: "x" },
  });
  expect(code).toBe("ADAPTER_INVALID");
  for (const line of [
    "./old.js: its format is 2; this Antiphon knows format 1",
    "./other.js: its default export is no adapter",
    "./irc.js: irc is the name of one of Antiphon's own",
    "several adapters are called twin",
    "./hip.js: settings: token: is missing",
    "./hip.js: settings: n: must be a number",
    "./hip.js: settings: order must be one of user, room",
    "ANTIPHON_ADAPTER_HOP_TOKEN: no adapter of one's own claims it",
  ])
    expect(text).toContain(line);
});
