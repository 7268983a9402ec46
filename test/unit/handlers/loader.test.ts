// Loading of handlers: what is found, what is refused, and that every refusal names file, line and reason.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadHandlers, type LoadOptions } from "../../../services/handlers/loader.ts";
import type { Manifest } from "../../../services/handlers/manifest.ts";
import { HandlersUnfit, type Problem } from "../../../services/handlers/problem.ts";
import { hasCode } from "../../../services/runtime/errors.ts";

const SDK = new URL("../../../services/sdk/index.ts", import.meta.url).href;
const ZOD = import.meta.resolve("zod");
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "antiphon-handlers-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes modules; `SDK` and `ZOD` in them are where the imports come from. */
function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text.replaceAll("SDK", SDK).replaceAll("ZOD", ZOD));
  }
}

function load(options: Partial<LoadOptions> = {}): Promise<Manifest> {
  return loadHandlers({
    sources: [folder],
    cwd: folder,
    builtins: [],
    settings: {},
    environment: {},
    groups: ["deployers"],
    adapters: [{ name: "web", can: ["edit"] }],
    ...options,
  });
}

async function problemsOf(options: Partial<LoadOptions> = {}): Promise<readonly Problem[]> {
  const error = await load(options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HandlersUnfit);
  return (error as HandlersUnfit).problems;
}

/** As it is in production: vitest loads modules in its own way. */
function loadInNode(): Problem[] {
  const loader = new URL("../../../services/handlers/loader.ts", import.meta.url).href;
  const script = `import { loadHandlers } from ${JSON.stringify(loader)};
    const around = { builtins: [], settings: {}, environment: {}, groups: [], adapters: [] };
    const load = loadHandlers({ sources: [${JSON.stringify(folder)}], cwd: "/", ...around });
    console.log(JSON.stringify(await load.then(() => [], (error) => error.problems)));`;
  return JSON.parse(execFileSync("node", ["--input-type=module", "-e", script], { encoding: "utf8" })) as Problem[];
}

function handler(name: string, routes: string, more = ""): string {
  return `import { defineHandler, event, job } from "SDK";\nimport { z } from "ZOD";\nexport default defineHandler({\n  name: "${name}",${more}\n  routes: (r) => ({\n${routes}\n  }),\n});\n`;
}

const RUN = "run: () => {}";

describe("what is found", () => {
  test("every module with a default export, a folder with an index, and no tests or helpers", async () => {
    write({
      "b.ts": handler("b", `    say: r.command("b", { ${RUN} }),`),
      "a.js": handler("a", `    say: r.command("a", { ${RUN} }),`),
      "c/index.ts": handler("c", `    say: r.command("c", { ${RUN} }),`),
      "c/other.ts": "throw new Error('not loaded')",
      "helper.ts": "export const x: number = 1;",
      "b.test.ts": "throw new Error('not loaded')",
      "types.d.ts": "export type X = 1;",
      ".hidden.ts": "throw new Error('not loaded')",
    });
    const manifest = await load();
    expect(manifest.routeIds).toEqual(["a.say", "b.say", "c.say"]);
    expect(manifest.route("c.say")?.handler.file).toBe(join(folder, "c/index.ts"));
    expect(manifest.route("c.nope")).toBeUndefined();
  });

  test("a file and a package may be named too", async () => {
    write({
      "one.ts": handler("one", `    say: r.command("one", { ${RUN} }),`),
      "node_modules/team-handlers/package.json": `{"name":"team-handlers","type":"module","exports":"./main.js"}`,
      "node_modules/team-handlers/main.js": handler("two", `    say: r.command("two", { ${RUN} }),`),
    });
    expect((await load({ sources: ["./one.ts", "team-handlers"] })).routeIds).toEqual(["one.say", "two.say"]);
  });

  test("jobs, events, http and timed routes have tables of their own", async () => {
    write({
      "all.ts": handler(
        "all",
        `    go: r.job(job("all.go", z.object({})), { ${RUN} }),
    one: r.on(event("all.done", z.object({})), { ${RUN} }),
    two: r.on(event("all.done", z.object({})), { ${RUN} }),
    hook: r.post("/hook/:x", { ${RUN} }),
    page: r.get("/page", { ${RUN} }),
    nightly: r.cron("0 3 * * *", { tz: "Europe/Paris", ${RUN} }),
    often: r.every("5m", { ${RUN} }),`,
      ),
    });
    const manifest = await load();
    expect(manifest.job("all.go")?.shape.id).toBe("all.go");
    expect(manifest.subscribers("all.done").map(({ shape }) => shape.id)).toEqual(["all.one", "all.two"]);
    expect(manifest.subscribers("nobody")).toEqual([]);
    expect(manifest.http.map(({ shape }) => shape.id)).toEqual(["all.hook", "all.page"]);
    expect(manifest.timed.map(({ shape }) => shape.id)).toEqual(["all.nightly", "all.often"]);
    expect(manifest.warnings).toMatchObject([{ line: 9, reason: "all.hook: no hmac, so anybody may call it" }]);
  });

  test("a built-in handler gives way to one of the same name", async () => {
    write({
      "ping.ts": handler("ping", `    mine: r.command("ping", { ${RUN} }),`),
      "builtin.ts": handler("ping", `    theirs: r.command("ping", { ${RUN} }),`),
      "other.ts": handler("other", `    say: r.command("other", { ${RUN} }),`),
    });
    const values = await Promise.all(
      ["builtin.ts", "other.ts"].map(
        async (file) => ((await import(join(folder, file))) as { default: unknown }).default,
      ),
    );
    expect((await load({ sources: ["./ping.ts"], builtins: values })).routeIds).toEqual(["ping.mine", "other.say"]);
  });
});

describe("a module that does not load", () => {
  test("is named with line and reason, all of them at once", () => {
    write({
      "a-syntax.ts": "const a: number = 1;\nconst b = {;\n",
      "b-missing.ts": 'import { x } from "./nowhere.ts";\nexport default x;\n',
      "c-package.ts": '\nimport x from "no-such-package";\nexport default x;\n',
      "d-throws.ts": '\n\nthrow new Error("boom");\n',
      "e-definition.ts": handler("e", `    say: r.command("", { ${RUN} }),`),
      "f-enum.ts": "enum A { b }\n",
      "g-name.ts": 'import { readFileSyn } from "node:fs";\nexport default readFileSyn;\n',
    });
    expect(loadInNode().map(({ file, line, reason }) => [file.slice(folder.length + 1), line, reason])).toEqual([
      ["a-syntax.ts", 2, expect.stringContaining("Unexpected token")],
      ["b-missing.ts", 1, expect.stringContaining("nowhere.ts")],
      ["c-package.ts", 2, expect.stringContaining("no-such-package")],
      ["d-throws.ts", 3, "boom"],
      ["e-definition.ts", 3, expect.stringContaining("the pattern is empty")],
      ["f-enum.ts", 1, expect.stringContaining("enum")],
      ["g-name.ts", 1, expect.stringContaining("readFileSyn")],
    ]);
  });

  test("is not one that imports antiphon where it is not installed", () => {
    write({ "a.ts": handler("a", `    say: r.command("a", { ${RUN} }),`).replace(SDK, "antiphon") });
    expect(loadInNode()).toEqual([]);
  });

  test("a folder that is not there, and one without handlers", async () => {
    mkdirSync(join(folder, "empty"));
    const problems = await problemsOf({ sources: ["./missing", "./empty", "no-package"] });
    expect(problems.map(({ reason }) => reason)).toEqual([
      "no such folder, file or package",
      "holds no handler",
      "no such folder, file or package",
    ]);
  });

  test("the error has a code, and a message that lists everything", async () => {
    write({ "a.ts": "throw new Error('one')", "b.ts": "throw new Error('two')" });
    const error: unknown = await load().catch((thrown: unknown) => thrown);
    expect(hasCode(error, "HANDLER_LOAD_FAILED")).toBe(true);
    expect(String(error)).toMatch(/a\.ts:1: one\n.*b\.ts:1: two/);
  });
});

describe("a handler that does not fit", () => {
  test("is no handler, of another format, or not the default export", async () => {
    write({
      "a.ts": "export default { hello: 1 };",
      "b.ts": "export default { format: 2, name: 'b', routes: {} };",
      "c.ts": "export const c = { format: 1, name: 'c', routes: {} };",
      "d.ts": "export default { format: 1, name: 'd', routes: { x: { kind: 'nope' } } };",
    });
    const reasons = (await problemsOf()).map(({ reason }) => reason);
    expect(reasons).toEqual([
      "the handler must be the default export",
      "the default export is no handler; use defineHandler({ … })",
      "the handler has format 2, this Antiphon reads format 1: install the same version of antiphon",
      "the route x is of no kind that this Antiphon knows; use r.command, r.post, r.job …",
    ]);
  });

  test("shares a name, a job or an address with another", async () => {
    write({
      "a.ts": handler(
        "same",
        `    go: r.job(job("go", z.object({})), { ${RUN} }),\n    h: r.post("/x/:a", { ${RUN} }),`,
      ),
      "b.ts": handler("same", `    go: r.job(job("other", z.object({})), { ${RUN} }),`),
      "c.ts": handler("c", `    go: r.job(job("go", z.object({})), { ${RUN} }),\n    h: r.post("/x/:b", { ${RUN} }),`),
    });
    const problems = await problemsOf();
    expect(problems.map(({ file, line, reason }) => [file.slice(folder.length + 1), line, reason])).toEqual([
      ["b.ts", 4, `the handler "same" is also defined in ${join(folder, "a.ts")}`],
      ["c.ts", 6, `c.go: the job "go" is already taken by same.go`],
      ["c.ts", 7, "c.h: POST /x/:* is already taken by same.h"],
    ]);
  });

  test("names a group that nobody declared, or needs what no adapter can do", async () => {
    write({
      "a.ts": handler(
        "a",
        `    one: r.command("one", { restrictTo: ["deployer"], ${RUN} }),
    two: r.command("two", { needs: ["edit", "topic"], ${RUN} }),
    three: r.command("three", { restrictTo: ["admins", "deployers"], ${RUN} }),`,
      ),
    });
    expect((await problemsOf()).map(({ line, reason }) => [line, reason])).toEqual([
      [6, 'a.one: the group "deployer" is not declared under groups in the configuration. Did you mean deployers?'],
      [7, 'a.two: needs "topic", which none of the configured adapters has (web)'],
    ]);
  });

  test("restricts a route that nobody calls", async () => {
    write({
      "a.ts": handler(
        "a",
        `    one: r.post("/x", { restrictTo: ["deployers"], ${RUN} }),
    two: r.every("1h", { restrictTo: ["admins"], ${RUN} }),`,
      ),
    });
    const reason =
      "restrictTo on a route that no person calls would refuse every run; check a signature with hmac instead";
    expect((await problemsOf()).map((problem) => [problem.line, problem.reason])).toEqual([
      [6, `a.one: ${reason}`],
      [7, `a.two: ${reason}`],
    ]);
  });

  test("has a cron text, a time zone or a path that cannot be", async () => {
    write({
      "a.ts": handler(
        "a",
        `    one: r.cron("61 * * * *", { tz: "Europe/Paris", ${RUN} }),
    two: r.cron("0 9 * * *", { tz: "Europe/Parys", ${RUN} }),
    three: r.cron("0 0 31 2 *", { tz: "UTC", ${RUN} }),
    four: r.get("/chat/x", { ${RUN} }),`,
      ),
    });
    expect((await problemsOf()).map(({ line, reason }) => [line, reason])).toEqual([
      [6, expect.stringContaining('a.one: the cron text "61 * * * *" is wrong')],
      [7, 'a.two: "Europe/Parys" is no time zone such as "Europe/Paris"'],
      [8, 'a.three: the cron text "0 0 31 2 *" never comes due'],
      [9, "a.four: /chat/x belongs to Antiphon itself"],
    ]);
  });
});

describe("settings", () => {
  const configured = handler(
    "git-hub",
    `    say: r.command("x", { ${RUN} }),`,
    `\n  config: z.object({ hookSecret: z.string(), retries: z.number().default(3), dry: z.boolean().default(false) }),`,
  );

  test("come from the file, and variables win and are read as the schema wants them", async () => {
    write({ "a.ts": configured });
    const manifest = await load({
      settings: { "git-hub": { hookSecret: "file", retries: 1 } },
      environment: { ANTIPHON_HANDLER_GIT_HUB_HOOK_SECRET: "123", ANTIPHON_HANDLER_GIT_HUB_DRY: "true", PATH: "x" },
    });
    expect(manifest.handlers[0]?.config).toEqual({ hookSecret: "123", retries: 1, dry: true });
  });

  test("that do not fit, that nobody knows and that belong to nobody are all told", async () => {
    write({ "a.ts": configured });
    const problems = await problemsOf({
      settings: { "git-hub": { hookSecret: 1 }, github: {} },
      environment: { ANTIPHON_HANDLER_OTHER_X: "1" },
    });
    expect(problems.map(({ line, reason }) => [line, reason])).toEqual([
      [5, expect.stringContaining("settings handlers.git-hub: hookSecret: ")],
      [undefined, "handlers.github: there is no handler of this name. Did you mean git-hub?"],
      [undefined, "ANTIPHON_HANDLER_OTHER_X: there is no handler of this name"],
    ]);
    const [unknown] = await problemsOf({ settings: { "git-hub": { hookSecret: "s", retrys: 1 } } });
    expect(unknown?.reason).toBe("settings handlers.git-hub: retrys: unknown setting. Did you mean retries?");
    const [noMap] = await problemsOf({ settings: { "git-hub": "s" } });
    expect(noMap?.reason).toBe("settings handlers.git-hub: its settings must be a map");
  });

  test("must give every signed route a secret", async () => {
    const hooks = `    none: r.post("/none", { hmac: { header: "x-sig", secret: (c) => c.secret }, ${RUN} }),
    bad: r.post("/bad", { hmac: { header: "x-sig", secret: (c) => c.a.b }, ${RUN} }),`;
    write({ "a.ts": handler("a", hooks, "\n  config: z.object({ secret: z.string().default('') }),") });
    expect((await problemsOf()).map(({ line, reason }) => [line, reason])).toEqual([
      [7, "a.none: hmac.secret gives no secret; it must be a text that is not empty"],
      [8, expect.stringContaining("a.bad: hmac.secret throws TypeError")],
    ]);
  });
});

describe("middleware", () => {
  const middleware = (name: string, order: number): string =>
    `import { defineMiddleware } from "SDK"; export default defineMiddleware({ name: "${name}", order: ${order}, run: (ctx, next) => next() });`;
  const handler = `import { defineHandler } from "SDK"; export default defineHandler({ name: "a", routes: (r) => ({ a: r.command("a", { run: () => "" }) }) });`;

  test("is found beside handlers and sorted by its order", async () => {
    write({
      "a.ts": handler,
      "b.ts": middleware("last", 1),
      "c.ts": middleware("first", -1),
      "d.ts": middleware("late", 1),
    });
    const manifest = await load();
    expect(manifest.middleware.map(({ name }) => name)).toEqual(["first", "last", "late"]);
    expect(manifest.handlers.map(({ shape }) => shape.name)).toEqual(["a"]);
  });

  test("is refused when two have one name, when it is of another format, when it is no default export", async () => {
    write({
      "a.ts": middleware("one", 0),
      "b.ts": middleware("one", 0),
      "c.ts": `export default { kind: "middleware", format: 2, name: "new", order: 0 };`,
      "d.ts": `import { defineMiddleware } from "SDK"; export const it = defineMiddleware({ name: "it", run: () => {} });`,
    });
    const problems = await problemsOf();
    expect(problems.map(({ reason }) => reason).join("\n")).toMatch(
      /must be the default export[^]*also defined in[^]*format 2/,
    );
  });
});
