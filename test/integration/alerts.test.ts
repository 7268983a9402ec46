// The chart's alerts: promtool accepts them, each fires when its cause is there and not before, and a real Prometheus that scrapes
// a live bot fires one when its cause is made.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { ALERTS, alertsFile } from "../../scripts/chart-metrics.ts";
import { ALERT_CASES, type AlertCase } from "../support/alert-cases.ts";
import { Lab } from "../support/handling.ts";
import { Prometheus } from "../support/prometheus.ts";
import { testRedis, withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";
import { WholeBot } from "../support/whole-bot.ts";

const PATIENT = { timeoutMs: 60_000 };
/** As the chart's template puts it in. */
const RULES = stringify(alertsFile(), { lineWidth: 0 }).replaceAll(
  "%scope%",
  "namespace='bots',pod=~'antiphon-(master|worker)-.+'",
);

const SCRAPED = 'namespace="bots",pod="antiphon-worker-1"';
const ELSEWHERE = 'namespace="bots",pod="other-worker-1"';

function seriesOf(series: AlertCase["series"], scraped: string): { series: string; values: string }[] {
  return Object.entries(series).map(([name, values]) => {
    const labelled = name.includes("{") ? name.replace("{", `{${scraped},`) : `${name}{${scraped}}`;
    return { series: labelled, values };
  });
}

/** One run of promtool's clock, with the causes of these alerts beside each other: starting one for each takes most of the time. */
function groupOf(
  names: readonly string[],
  scraped: string,
  tests: (name: string, given: AlertCase) => object[],
): object {
  const given = names.flatMap((name): [string, AlertCase][] => {
    const one = ALERT_CASES[name];
    return one === undefined ? [] : [[name, one]];
  });
  return {
    interval: "1m",
    input_series: given.flatMap(([, { series }]) => seriesOf(series, scraped)),
    alert_rule_test: given.flatMap(([name, one]) => tests(name, one)),
  };
}

function firing(name: string, { firesAt, quietAt, labels }: AlertCase): object[] {
  const severity = ALERTS.find((one) => one.name === name)?.severity;
  return [
    { eval_time: `${quietAt}m`, alertname: name, exp_alerts: [] },
    {
      eval_time: `${firesAt}m`,
      alertname: name,
      exp_alerts: [{ exp_labels: { severity, namespace: "bots", ...labels } }],
    },
  ];
}

function silent(name: string, { firesAt }: AlertCase): object[] {
  return [{ eval_time: `${firesAt}m`, alertname: name, exp_alerts: [] }];
}

/** Those that fire when nothing is there need a bot without the others' series. */
const BY_ABSENCE = ALERTS.filter(({ expression }) => expression.startsWith("absent")).map(({ name }) => name);
const BY_PRESENCE = ALERTS.map(({ name }) => name).filter((name) => !BY_ABSENCE.includes(name));

test("each alert has a case, and each case an alert", () => {
  expect(Object.keys(ALERT_CASES).sort()).toEqual(ALERTS.map(({ name }) => name).sort());
});

withServer("promtool", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "antiphon-alerts-"));
    writeFileSync(join(folder, "rules.yaml"), RULES);
    // Without annotations: a case need not repeat their words.
    const bare = { groups: [{ name: "antiphon", rules: bareRules() }] };
    writeFileSync(join(folder, "bare.yaml"), stringify(bare, { lineWidth: 0 }));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function bareRules(): object[] {
    const { groups } = parse(RULES) as { groups: { rules: { annotations?: object }[] }[] };
    return (groups[0]?.rules ?? []).map((rule) => ({ ...rule, annotations: {} }));
  }

  function promtool(...args: string[]): { status: number | null; said: string } {
    const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: folder, encoding: "utf8" });
    return { status, said: `${stdout}${stderr}` };
  }

  function tested(tests: readonly object[]): { status: number | null; said: string } {
    const file = { rule_files: ["bare.yaml"], evaluation_interval: "1m", tests };
    writeFileSync(join(folder, "tests.yaml"), stringify(file, { lineWidth: 0 }));
    return promtool("test", "rules", "tests.yaml");
  }

  test("promtool accepts the rules, templates in their annotations included", () => {
    expect(promtool("check", "rules", "rules.yaml")).toMatchObject({ status: 0 });
  });

  test("each alert fires when its cause is there, and not before", () => {
    const groups = [BY_PRESENCE, ...BY_ABSENCE.map((name) => [name])];
    expect(tested(groups.map((names) => groupOf(names, SCRAPED, firing)))).toMatchObject({ status: 0 });
  });

  test("another release in the same namespace is none of ours", () => {
    expect(tested([groupOf(BY_PRESENCE, ELSEWHERE, silent)])).toMatchObject({ status: 0 });
  });
});

withServer("prometheus", () => {
  let lab: Lab;
  let bot: WholeBot;
  let prometheus: Prometheus;

  beforeEach(async () => {
    const { url: redisUrl } = await testRedis();
    lab = new Lab(redisUrl);
    const env = {
      ANTIPHON_HANDLERS: "test/fixtures/handlers/lab.ts",
      ANTIPHON_HANDLER_LAB_JOURNAL: lab.journal,
    };
    bot = await WholeBot.start({ redisUrl, namespace: lab.namespace, env });
    const targets = (["worker", "master"] as const).map((mode) => ({
      address: new URL(bot.urls[mode]).host,
      labels: { namespace: "bots", pod: `antiphon-${mode}-1`, job: "antiphon" },
    }));
    // Nobody waits for minutes here.
    prometheus = await Prometheus.start(targets, RULES.replaceAll(/for: \d+m/g, "for: 1s"));
  });
  afterEach(async () => {
    await prometheus.stop();
    await bot.stop();
    await lab.stop();
  });

  test("a live bot is at peace; when its workers stop and work comes, a queue that is unserved is told, and when its master dies, that nobody leads", async () => {
    await waitFor(async () => (await prometheus.query('antiphon_leader{unit="fake"} == 1')).length === 1, PATIENT);
    await waitFor(async () => (await prometheus.query("antiphon_workers")).length === 2, PATIENT);
    await waitFor(async () => (await prometheus.firing()).length === 0, { ...PATIENT, what: "nothing fires" });

    await bot.worker.kill("SIGTERM");
    await lab.enqueue("note", "nobody");
    const alert = await waitFor(
      async () => (await prometheus.firing()).find(({ alertname }) => alertname === "AntiphonQueueUnserved"),
      { ...PATIENT, what: "AntiphonQueueUnserved fires" },
    );
    expect(alert).toMatchObject({ namespace: "bots", queue: "default", severity: "critical" });

    await bot.master.kill("SIGKILL");
    await waitFor(async () => (await prometheus.firing()).some(({ alertname }) => alertname === "AntiphonNoMaster"), {
      timeoutMs: 60_000,
      what: "AntiphonNoMaster fires",
    });
  });
});
