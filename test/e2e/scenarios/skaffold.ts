// What `skaffold` would do with skaffold.yaml, by docker, helm and kubectl: builds, deploys, and copies a changed file into pods.

import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { parse } from "yaml";
import type { Cluster } from "../support/cluster.ts";
import { command } from "../support/command.ts";
import { count, type Finding, time } from "../support/figures.ts";
import { CHART, NAME } from "../support/release.ts";
import { nodePortOf } from "../support/redis.ts";
import { answered } from "./install.ts";

interface Step {
  readonly build?: { readonly artifacts: readonly [Artifact] };
  readonly deploy?: Deploy;
}

interface Artifact {
  readonly docker: { readonly dockerfile: string; readonly target: string };
  readonly sync?: {
    readonly manual: readonly { readonly src: string; readonly dest: string; readonly strip?: string }[];
  };
}

interface Deploy {
  readonly helm: {
    readonly releases: readonly [
      { readonly setValues?: Readonly<Record<string, unknown>>; readonly valuesFiles?: readonly string[] },
    ];
    readonly hooks?: { readonly after: readonly { readonly host: { readonly command: readonly string[] } }[] };
  };
}

const ROOT = new URL("../../..", import.meta.url).pathname;
const PING = "examples/handlers/ping.ts";
const READY_MS = "180s";
const SYNC_MS = 60_000;
const AGAIN_MS = 500;

export async function skaffoldReplayed(cluster: Cluster, namespace: string): Promise<Finding> {
  const file = parse(readFileSync(`${ROOT}skaffold.yaml`, "utf8")) as Step & {
    readonly profiles: readonly (Step & { readonly name: string })[];
  };
  const profile = (name: string): Required<Step> =>
    ({ ...file, ...file.profiles.find((one) => one.name === name) }) as Required<Step>;
  const ci = await deployed(cluster, {
    namespace: `${namespace}-ci`,
    tag: "antiphon:skaffold-ci",
    step: profile("ci"),
  });
  await cluster.kubectl("delete", "namespace", `${namespace}-ci`, "--wait=false");
  const dev = await deployed(cluster, {
    namespace: `${namespace}-dev`,
    tag: "antiphon:skaffold-dev",
    step: profile("dev"),
  });
  const url = `http://${cluster.host}:${await nodePortOf(cluster, `${namespace}-dev`, `${NAME}-worker`, "http")}`;
  const before = await answered(url, "antiphon ping", /pong/i);
  const [from, reply] = [Date.now(), `pong, ${Date.now()}`];
  const rule = profile("dev").build.artifacts[0].sync?.manual.find(
    ({ strip = "" }) => PING.startsWith(strip) && strip !== "",
  );
  await sync(cluster, `${namespace}-dev`, `${rule?.dest}/${PING.slice(rule?.strip?.length)}`, reply);
  await saysInstead(url, reply);
  const syncMs = Date.now() - from;
  await cluster.kubectl("delete", "namespace", `${namespace}-dev`, "--wait=false");
  return {
    name: "skaffold",
    conditions: [
      "each profile's stage built, its values given to Helm with --set, its hooks run; then a file written into each worker, as its sync does",
    ],
    rows: [
      time("profile ci: built, deployed, `helm test` passed", ci),
      time("profile dev: built and deployed", dev),
      time("a copied handler file → another reply", syncMs),
      count("replies that changed", before.includes(reply) ? 0 : 1, { is: 1 }),
    ],
    problems: [],
  };
}

interface Deploying {
  readonly namespace: string;
  readonly tag: string;
  readonly step: Required<Step>;
}

/** Resolves with the time it took, when its hooks have run. */
async function deployed(cluster: Cluster, { namespace, tag, step }: Deploying): Promise<number> {
  const from = Date.now();
  const [{ docker }] = step.build.artifacts;
  const [program = "", ...load] = (process.env["E2E_LOAD"] ?? "").split(" ");
  const build = (process.env["E2E_BUILD"] ?? "docker build -t").split(" ");
  await command(
    build[0] ?? "",
    [...build.slice(1), tag, ROOT, "--file", `${ROOT}${docker.dockerfile}`, "--target", docker.target],
    { timeoutMs: 900_000 },
  );
  await command(program, [...load, tag]);
  const [release] = step.deploy.helm.releases;
  const [repository, version] = tag.split(":");
  const values = {
    ...release.setValues,
    "image.repository": repository,
    "image.tag": version,
    "service.type": "NodePort",
  };
  const files = release.valuesFiles?.flatMap((path) => ["--values", `${ROOT}${path}`]) ?? [];
  const sets = Object.entries(values).flatMap(([key, value]) => ["--set", `${key}=${String(value)}`]);
  await cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s");
  await cluster.helm(
    "install",
    NAME,
    CHART,
    "--namespace",
    namespace,
    "--create-namespace",
    "--wait",
    "--timeout",
    READY_MS,
    ...files,
    ...sets,
  );
  for (const { host } of step.deploy.helm.hooks?.after ?? []) {
    const [hook = "", ...args] = host.command;
    await command(
      hook,
      args.map((word) => (word.startsWith("antiphon-") ? namespace : word)),
    );
  }
  return Date.now() - from;
}

/** Into every worker. */
async function sync(cluster: Cluster, namespace: string, path: string, reply: string): Promise<void> {
  const changed = readFileSync(`${ROOT}${PING}`, "utf8").replaceAll("pong", reply);
  const selector = "app.kubernetes.io/component=worker";
  const names = await cluster.kubectl("--namespace", namespace, "get", "pods", "--selector", selector, "-o", "name");
  for (const pod of names.trim().split("\n")) {
    const write = ["--namespace", namespace, "exec", "--stdin", pod, "--", "tee", path];
    await command("kubectl", write, { input: changed });
  }
}

async function saysInstead(url: string, reply: string): Promise<void> {
  const until = Date.now() + SYNC_MS;
  for (;;) {
    try {
      await answered(url, "antiphon ping", new RegExp(reply));
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await pause(AGAIN_MS);
    }
  }
}
