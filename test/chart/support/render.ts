// Renders the chart with `helm template`, as a release called antiphon in the namespace bots, and finds one's way in it.

import { spawn } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

export const CHART = new URL("../../../charts/antiphon", import.meta.url).pathname;
export const MINORS = [29, 30, 31, 32, 33, 34, 35, 36].map((minor) => `1.${minor}.0`);
/** The least that renders. */
export const LEAST = { redis: { existingSecret: "redis" } };

export type Values = Readonly<Record<string, unknown>>;

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

export interface RenderOptions {
  readonly kubernetes?: string;
  readonly release?: string;
  readonly chart?: string;
}

/** The sets of charts/antiphon/ci, by name. */
export function ciValues(): Readonly<Record<string, Values>> {
  const files = globSync("ci/*-values.yaml", { cwd: CHART }).sort();
  const read = (file: string): Values => parse(readFileSync(join(CHART, file), "utf8")) as Values;
  return Object.fromEntries(files.map((file) => [basename(file, "-values.yaml"), read(file)]));
}

/** @throws Error with what helm says */
export async function render(values: Values, options: RenderOptions = {}): Promise<Manifest[]> {
  const { kubernetes = "1.34.0", release = "antiphon", chart = CHART } = options;
  const args = ["template", release, chart, "--namespace", "bots", "--kube-version", kubernetes, "--values", "-"];
  const documents = parseAllDocuments(await helm(args, JSON.stringify(values)), { uniqueKeys: true });
  if (!Array.isArray(documents)) return [];
  const broken = documents.flatMap(({ errors }) => errors);
  if (broken[0] !== undefined) throw broken[0];
  return documents.map((document) => document.toJS() as Manifest | null).filter((object) => object !== null);
}

/** Why it does not render. */
export async function refusal(values: Values): Promise<string> {
  const said = await render(values).then(
    () => "it renders",
    (error: unknown) => String(error),
  );
  return said;
}

export async function lint(values: Values): Promise<string> {
  return helm(["lint", "--strict", CHART, "--values", "-"], JSON.stringify(values));
}

/** What `helm install` would say in the end: `helm template` leaves it out, so that it is rendered as an object. */
export async function notes(values: Values): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "chart-"));
  try {
    cpSync(CHART, folder, { recursive: true });
    const path = join(folder, "templates/NOTES.txt");
    const text = readFileSync(path, "utf8");
    renameSync(path, join(folder, "templates/notes.yaml"));
    const object = ["kind: Notes", "metadata: { name: notes }", 'text: {{ include "test.notes" . | toJson }}'];
    writeFileSync(
      join(folder, "templates/notes.yaml"),
      `{{ define "test.notes" }}${text}{{ end }}\n${object.join("\n")}\n`,
    );
    const found = (await render(values, { chart: folder })).find(({ kind }) => kind === "Notes");
    return String(at(found, "text"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function helm(args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("helm", args, { stdio: ["pipe", "pipe", "pipe"] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (part: Buffer) => out.push(part));
    child.stderr.on("data", (part: Buffer) => err.push(part));
    child.once("error", (error) => reject(new Error("these tests need helm on PATH", { cause: error })));
    child.once("close", (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString());
      else reject(new Error(`${Buffer.concat(err).toString()}${Buffer.concat(out).toString()}`));
    });
    child.stdin.end(input);
  });
}

/** `spec.containers.0.image` */
export function at(object: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => {
    if (typeof value !== "object" || value === null) return undefined;
    return (value as Record<string, unknown>)[key];
  }, object);
}

export function find(objects: readonly Manifest[], kind: string, name: string): Manifest {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

export function ofKind(objects: readonly Manifest[], ...kinds: readonly string[]): Manifest[] {
  return objects.filter(({ kind }) => kinds.includes(kind));
}

/** Of a Deployment or StatefulSet, or the pod itself. */
export function podOf(object: Manifest): unknown {
  return at(object, object.kind === "Pod" ? "spec" : "spec.template.spec");
}

export interface EnvEntry {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: unknown;
}

/** The variables of the container `antiphon`. */
export function env(workload: Manifest): Readonly<Record<string, EnvEntry>> {
  const entries = (at(podOf(workload), "containers.0.env") ?? []) as EnvEntry[];
  return Object.fromEntries(entries.map((entry) => [entry.name, entry]));
}

export function podAnnotations(workload: Manifest): Readonly<Record<string, string>> {
  return (at(workload, "spec.template.metadata.annotations") ?? {}) as Record<string, string>;
}
