// The rules for prometheus-adapter, expanded as it expands them and run on a real Prometheus that scrapes a worker and a master.

import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { FakeChat } from "../support/fake-chat.ts";
import { Lab } from "../support/handling.ts";
import { MasterProcess } from "../support/master-kit.ts";
import { Prometheus } from "../support/prometheus.ts";
import { testRedis, withServer } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const MAIN = new URL("../../services/main.ts", import.meta.url);
const RULES = new URL("../../charts/antiphon/files/prometheus-adapter.yaml", import.meta.url);
const PATIENT = { timeoutMs: 60_000 };
/** Without schedules, so that nothing comes by itself. */
const handlersOf = ({ journal }: Lab) => ({
  ANTIPHON_HANDLERS: "test/fixtures/handlers/lab.ts",
  ANTIPHON_HANDLER_LAB_JOURNAL: journal,
});
const NAMESPACE = "bots";

interface Rule {
  readonly seriesQuery: string;
  readonly metricsQuery: string;
  readonly resources: { readonly overrides: Readonly<Record<string, { readonly resource: string }>> };
}

/** As the adapter makes a query of a rule: the series, the labels asked for and the namespace of who asks. */
function expanded({ metricsQuery, resources }: Rule, series: string, labels: Readonly<Record<string, string>>): string {
  const [namespace] = Object.entries(resources.overrides).find(([, { resource }]) => resource === "namespace") ?? [];
  if (namespace === undefined) throw new Error("the rule names no label for the namespace");
  const matchers = Object.entries({ [namespace]: NAMESPACE, ...labels }).map(([label, value]) => `${label}="${value}"`);
  return metricsQuery
    .replaceAll("<<.Series>>", series)
    .replaceAll("<<.LabelMatchers>>", matchers.join(","))
    .replaceAll("<<.GroupBy>>", namespace);
}

withServer("prometheus", () => {
  let lab: Lab;
  let chat: FakeChat;
  let worker: SpawnedNode;
  let prometheus: Prometheus;
  let url: string;

  beforeEach(async () => {
    const { url: redisUrl } = await testRedis();
    lab = new Lab(redisUrl);
    chat = await FakeChat.start({ idempotency: "key" });
    const master = new MasterProcess({ redisUrl, namespace: lab.namespace, chat, env: handlersOf(lab) });
    worker = spawnNode(MAIN, {
      args: ["worker"],
      env: {
        REDIS_URL: redisUrl,
        ANTIPHON_NAMESPACE: lab.namespace,
        ...handlersOf(lab),
        ANTIPHON_ADMIN_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: "0",
        ANTIPHON_HTTP_PORT: "0",
        LOG_FORMAT: "json",
      },
    });
    const line = await worker.waitForLine("process.started", 60_000);
    await master.node.waitForLine("process.started", 60_000);
    const urls = [(JSON.parse(line) as { urls: string }).urls.split(" ").at(-1) ?? ""];
    urls.push(String(master.of("process.started")[0]?.["urls"]));
    url = urls[0] ?? "";
    prometheus = await Prometheus.start(
      urls.map((one, index) => ({
        address: new URL(one).host,
        labels: { namespace: NAMESPACE, pod: `pod-${index}`, job: "antiphon" },
      })),
    );
  });
  afterEach(async () => {
    await prometheus.stop();
    await worker.kill("SIGTERM");
    await chat.stop();
    await lab.stop();
  });

  test("what prometheus-adapter would tell an autoscaler is what /scale says, and not as many times as there are pods", async () => {
    const { externalRules } = parse(readFileSync(RULES, "utf8")) as { externalRules: Rule[] };
    await Promise.all(Array.from({ length: 200 }, (_, index) => lab.enqueue("hold", `${index}`)));
    for (const rule of externalRules) {
      // As it finds out which metrics there are.
      const found = await waitFor(async () => {
        const series = await prometheus.series(rule.seriesQuery);
        return series.length >= 2 ? series : undefined;
      }, PATIENT);
      expect(new Set(found.map(({ pod }) => pod)).size).toBe(2);
      const [name = ""] = new Set(found.map((labels) => labels["__name__"] ?? ""));
      const ask = (labels: Record<string, string>) => prometheus.query(expanded(rule, name, labels));
      await waitFor(
        async () => {
          const [[told, ...more], scale] = await Promise.all([
            ask({ pool: "default" }),
            fetch(`${url}/scale?pool=default`).then((response) => response.json()),
          ]);
          const { workersRequired } = scale as { workersRequired: number };
          expect(more).toEqual([]);
          return told?.value === workersRequired && workersRequired > 1;
        },
        { ...PATIENT, what: "both say the same" },
      );
      expect(await ask({ pool: "nobody" })).toEqual([]);
    }
    lab.openGate();
  });
});
