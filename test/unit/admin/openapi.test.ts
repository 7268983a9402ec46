// The OpenAPI document: complete, of version 3.1, and of every route that there is.

import { beforeAll, expect, test } from "vitest";
import { adminApis } from "../../support/admin-api.ts";
import { testRedis } from "../../support/redis.ts";

let url = "";
beforeAll(async () => {
  url = (await testRedis()).url;
});
const api = adminApis(() => url);

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly Record<string, unknown>[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema?: unknown }> };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema?: unknown }> }>;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly securitySchemes: Record<string, unknown>;
    readonly schemas?: Record<string, unknown>;
  };
}

const operationsOf = ({ paths }: Document): [string, Operation][] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );

test("every operation has an id of its own, a sentence, who may, and a schema of each answer", async () => {
  const document = (await api().get("/openapi.json")) as Document;
  expect(document.openapi).toMatch(/^3\.1\.\d$/);
  expect(document.info).toMatchObject({ title: "Antiphon", version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  const operations = operationsOf(document);
  expect(operations.length).toBeGreaterThan(40);
  const schemes = Object.keys(document.components.securitySchemes);
  const problems = operations.flatMap(([name, operation]) => {
    const { operationId, summary = "", security = [], responses, tags = [], parameters = [] } = operation;
    const found: string[] = [];
    if (operationId === undefined) found.push("no id");
    if (summary.length < 5 || !summary.endsWith(".")) found.push("no sentence");
    if (tags.length === 0) found.push("no tag");
    const isPublic = name.startsWith("POST") && name.endsWith("/api/session");
    if (!isPublic && !security.flatMap(Object.keys).every((scheme) => schemes.includes(scheme)))
      found.push("unknown scheme");
    if (!isPublic && security.length === 0) found.push("no security");
    const { "200": ok, ...rest } = responses;
    if (Object.values(ok?.content ?? {}).every(({ schema }) => schema === undefined)) found.push("no answer");
    if (!Object.keys(rest).some((status) => status.startsWith("4"))) found.push("no refusal");
    for (const [, param = ""] of name.matchAll(/\{(\w+)\}/g))
      if (!parameters.some((one) => one.name === param && one.in === "path")) found.push(`no parameter ${param}`);
    return found.map((problem) => `${name}: ${problem}`);
  });
  expect(problems).toEqual([]);
  const names = operations.map(([, { operationId }]) => operationId);
  expect(new Set(names).size).toBe(names.length);
});

test("no reference leads nowhere, and every object says of what it is made", async () => {
  const document = (await api().get("/openapi.json")) as Document;
  const lost: string[] = [];
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { $ref } = value as { $ref?: unknown };
    if (typeof $ref === "string") {
      const target = $ref
        .split("/")
        .slice(1)
        .reduce<unknown>((at, part) => (at as Record<string, unknown>)?.[part], document);
      if (!$ref.startsWith("#/") || target === undefined) lost.push($ref);
    }
    for (const inner of Object.values(value)) look(inner);
  };
  look(document);
  expect(lost).toEqual([]);
});

test("what it tells of is served, and what is asked for most is in it", async () => {
  const document = (await api().get("/openapi.json")) as Document;
  const told = operationsOf(document).map(([name]) => name);
  const served = told.filter((name) => {
    const [method = "", path = ""] = name.split(" ");
    return api().app.hasRoute({ method: method as "GET", url: path.replaceAll(/\{(\w+)\}/g, ":$1") });
  });
  expect(served).toEqual(told);
  const known = ["GET /api/now", "GET /api/live", "POST /api/bulk", "GET /api/openapi.json", "POST /api/session"];
  expect(told).toEqual(expect.arrayContaining(known));
});
