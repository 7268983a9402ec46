// /scale and /metrics of a live bot: worker and master say the same, what prometheus-adapter would make of a real Prometheus'
// series says the same, and without Redis they go on saying what they can.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { Lab } from "../support/handling.ts";
import { Prometheus } from "../support/prometheus.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { testRedis, withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";
import { WholeBot } from "../support/whole-bot.ts";

const TEMPLATE = new URL("../../charts/antiphon/templates/autoscaling.yaml", import.meta.url);
const RULES = new URL("../../charts/antiphon/files/prometheus-adapter.yaml", import.meta.url);
const PATIENT = { timeoutMs: 60_000 };
const POOL = "heavy";
const NAMESPACE = "bots";
const MODES = ["worker", "master"] as const;
type Mode = (typeof MODES)[number];

interface Scale {
  readonly workersRequired: number;
  readonly workers: number;
  readonly queues: readonly Readonly<Record<"ready" | "claimed" | "delayed" | "dead", number> & { name: string }>[];
}

interface Rule {
  readonly seriesQuery: string;
  readonly metricsQuery: string;
  readonly resources: { readonly overrides: Readonly<Record<string, { readonly resource: string }>> };
}

let lab: Lab;
let proxy: Proxy;
let bot: WholeBot;

beforeAll(async () => {
  const { url } = await testRedis();
  lab = new Lab(url);
  proxy = await startProxy(Number(new URL(url).port));
  // Handlers without schedules, so that nothing comes by itself.
  const env = { ANTIPHON_HANDLERS: "test/fixtures/handlers/lab.ts", ANTIPHON_HANDLER_LAB_JOURNAL: lab.journal };
  const redisUrl = `redis://127.0.0.1:${proxy.port}`;
  bot = await WholeBot.start({ redisUrl, namespace: lab.namespace, env, workerEnv: { ANTIPHON_POOL: POOL } });
});
afterAll(async () => {
  lab.openGate();
  await bot.stop();
  await proxy.stop();
  await lab.stop();
});

const get = (who: Mode, path: string): Promise<Response> => fetch(`${bot.urls[who]}${path}`);
const scale = async (who: Mode, path = "/scale"): Promise<Scale> => (await (await get(who, path)).json()) as Scale;
const steady = ({ queues, ...sums }: Scale): object => ({
  ...sums,
  queues: queues.map(({ name, ready, claimed, delayed, dead }) => ({ name, ready, claimed, delayed, dead })),
});
const required = async (who: Mode): Promise<number> => {
  const text = await (await get(who, "/metrics")).text();
  return Number(/^antiphon_workers_required\{pool="heavy"\} (\S+)$/m.exec(text)?.[1]);
};

test("the value that the chart tells KEDA to read is a number", async () => {
  const template = readFileSync(TEMPLATE, "utf8");
  const [, location = ""] = /valueLocation: (\S+)/.exec(template) ?? [];
  const [, path = ""] = /:9090(\/\S+?)\{\{/.exec(template) ?? [];
  expect(path).toBe("/scale?pool=");
  await waitFor(async () => (await get("worker", `${path}${POOL}`)).status === 200, PATIENT);
  const answer: unknown = await (await get("worker", `${path}${POOL}`)).json();
  // A path of gjson without dots, stars and hashes is a name.
  expect(location).toMatch(/^\w+$/);
  expect((answer as Record<string, unknown>)[location]).toBe(1);
});

test("without Redis /scale is 503, so that nobody scales by it, and /metrics tells of the process", async () => {
  await waitFor(async () => (await scale("master")).workers === 1, PATIENT);
  await proxy.refuse();
  for (const who of MODES) {
    await waitFor(async () => (await get(who, "/scale")).status === 503, PATIENT);
    const metrics = await get(who, "/metrics");
    expect(metrics.status).toBe(200);
    const text = await metrics.text();
    expect(text).toMatch(/^process_cpu_seconds_total /m);
    expect(text).not.toContain("antiphon_workers_required");
  }
  await proxy.mend();
  for (const who of MODES) await waitFor(async () => (await get(who, "/scale")).status === 200, PATIENT);
});

test("a worker and a master answer the same, and scrapers read the same from both", async () => {
  await holdSlots();
  await lab.enqueue("note", "later", { delayMs: 3_600_000 });
  // Each remembers for a second; ages and means go on meanwhile.
  await waitFor(async () => {
    const [one, two] = await Promise.all([scale("worker"), scale("master")]);
    const delayed = one.queues.find(({ name }) => name === "default")?.delayed ?? 0;
    return delayed > 0 && one.workersRequired > 1 && JSON.stringify(steady(one)) === JSON.stringify(steady(two));
  }, PATIENT);
  await waitFor(async () => {
    const [one, two] = await Promise.all([required("worker"), required("master")]);
    return one > 1 && one === two;
  }, PATIENT);
  expect(await scale("master", `/scale?pool=${POOL}`)).toMatchObject({ workers: 1, queues: [{}, {}] });
  expect((await get("master", "/scale?pool=nobody")).status).toBe(404);
});

withServer("prometheus", () => {
  let prometheus: Prometheus;
  beforeAll(async () => {
    const targets = MODES.map((mode) => ({
      address: new URL(bot.urls[mode]).host,
      labels: { namespace: NAMESPACE, pod: `pod-${mode}`, job: "antiphon" },
    }));
    prometheus = await Prometheus.start(targets);
  });
  afterAll(() => prometheus.stop());

  test("what prometheus-adapter would tell an autoscaler is what /scale says, and not as many times as there are pods", async () => {
    await holdSlots();
    const { externalRules } = parse(readFileSync(RULES, "utf8")) as { externalRules: Rule[] };
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
          const [[told, ...more], { workersRequired }] = await Promise.all([
            ask({ pool: POOL }),
            scale("worker", `/scale?pool=${POOL}`),
          ]);
          expect(more).toEqual([]);
          return told?.value === workersRequired && workersRequired > 1;
        },
        { ...PATIENT, what: "both say the same" },
      );
      expect(await ask({ pool: "nobody" })).toEqual([]);
    }
  });
});

test("when the work is done nothing waits", async () => {
  lab.openGate();
  await waitFor(async () => (await scale("master")).queues.every(({ ready }) => ready === 0), PATIENT);
});

/** More jobs that wait for the gate than a worker has slots. */
async function holdSlots(): Promise<void> {
  await Promise.all(Array.from({ length: 100 }, (_, index) => lab.enqueue("hold", `${index}`)));
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
