// The chart's alerts: promtool accepts them, each fires when its cause is there and not before, and a real Prometheus that scrapes
// a live bot fires one when its cause is made.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stringify } from "yaml";
import { ALERTS, alertsFile } from "../../scripts/chart-metrics.ts";
import { FakeChat } from "../support/fake-chat.ts";
import { Lab } from "../support/handling.ts";
import { MasterProcess } from "../support/master-kit.ts";
import { Prometheus } from "../support/prometheus.ts";
import { testRedis, withServer } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const MAIN = new URL("../../services/main.ts", import.meta.url);
const PATIENT = { timeoutMs: 60_000 };
/** As the chart's template puts it in. */
const RULES = stringify(alertsFile(), { lineWidth: 0 }).replaceAll(
  "%scope%",
  "namespace='bots',pod=~'antiphon-(master|worker)-.+'",
);

interface Case {
  /** Series in the notation of promtool, a value a minute; labels of the release are added. */
  readonly series: Readonly<Record<string, string>>;
  /** Minutes after which it fires, and at which it does not yet. */
  readonly firesAt: number;
  readonly quietAt: number;
  /** Of the alert, besides the namespace. */
  readonly labels: Readonly<Record<string, string>>;
}

const CASES: Readonly<Record<string, Case>> = {
  AntiphonBacklogGrows: {
    series: { 'antiphon_queue_oldest_age_seconds{queue="default"}': "0x2 60+60x30" },
    firesAt: 15,
    quietAt: 6,
    labels: { queue: "default" },
  },
  AntiphonDeadLetters: {
    series: { 'antiphon_queue_depth{queue="default",state="dead"}': "4x20 5x20" },
    firesAt: 24,
    quietAt: 20,
    labels: { queue: "default" },
  },
  AntiphonQueueUnserved: {
    series: { 'antiphon_queue_unserved{queue="video"}': "0x4 1x10" },
    firesAt: 8,
    quietAt: 6,
    labels: { queue: "video" },
  },
  AntiphonTooFewWorkers: {
    series: { 'antiphon_workers_required{pool="default"}': "2x4 9x30", 'antiphon_workers{pool="default"}': "2x4 4x30" },
    firesAt: 22,
    quietAt: 15,
    labels: { pool: "default" },
  },
  AntiphonSilent: { series: { up: "1x3" }, firesAt: 6, quietAt: 4, labels: {} },
  AntiphonNoLeader: {
    series: { 'antiphon_leader{unit="irc"}': "1x5 0x10", 'antiphon_leader{unit="control"}': "1x20" },
    firesAt: 8,
    quietAt: 5,
    labels: { unit: "irc" },
  },
  AntiphonNoMaster: { series: { up: "1x3" }, firesAt: 6, quietAt: 4, labels: {} },
  AntiphonLeasesFlap: {
    series: {
      'antiphon_leader_transitions_total{unit="irc",reason="acquired"}': "1x10 2+1x30",
      'antiphon_leader_transitions_total{unit="control",reason="acquired"}': "1x10 2x30",
    },
    firesAt: 25,
    quietAt: 12,
    labels: { unit: "irc" },
  },
  AntiphonOutboxStuck: {
    series: { 'antiphon_outbox_oldest_age_seconds{unit="irc"}': "0x3 60+60x20" },
    firesAt: 12,
    quietAt: 6,
    labels: { unit: "irc" },
  },
  AntiphonChatAway: {
    series: { 'antiphon_gateway_ready{unit="irc"}': "1x3 0x20" },
    firesAt: 12,
    quietAt: 7,
    labels: { unit: "irc" },
  },
  AntiphonBusGaps: { series: { antiphon_bus_gaps_total: "0x5 10+10x30" }, firesAt: 20, quietAt: 6, labels: {} },
  AntiphonRedisAway: {
    series: { 'antiphon_redis_up{connection="commands"}': "1x3 0x10", 'antiphon_redis_up{connection="bells"}': "1x20" },
    firesAt: 8,
    quietAt: 4,
    labels: { pod: "antiphon-worker-1" },
  },
  AntiphonPodNotReady: {
    series: { 'kube_pod_status_ready{condition="false"}': "0x3 1x30" },
    firesAt: 20,
    quietAt: 10,
    labels: { pod: "antiphon-worker-1" },
  },
};

const SCRAPED = 'namespace="bots",pod="antiphon-worker-1"';
const ELSEWHERE = 'namespace="bots",pod="other-worker-1"';

function seriesOf(series: Case["series"], scraped: string): { series: string; values: string }[] {
  return Object.entries(series).map(([name, values]) => {
    const labelled = name.includes("{") ? name.replace("{", `{${scraped},`) : `${name}{${scraped}}`;
    return { series: labelled, values };
  });
}

interface Tested {
  interval: string;
  input_series: { series: string; values: string }[];
  alert_rule_test: object[];
}

function testOf(name: string, { series, firesAt, quietAt, labels }: Case): Tested {
  const alert = ALERTS.find((one) => one.name === name);
  const absent = Object.keys(labels).length === 0 && alert?.expression.startsWith("absent");
  const whose =
    absent === true || name === "AntiphonBusGaps" ? { namespace: "bots" } : { namespace: "bots", ...labels };
  const fired = { exp_labels: { severity: alert?.severity, ...whose }, exp_annotations: undefined };
  return {
    interval: "1m",
    input_series: seriesOf(series, SCRAPED),
    alert_rule_test: [
      { eval_time: `${quietAt}m`, alertname: name, exp_alerts: [] },
      { eval_time: `${firesAt}m`, alertname: name, exp_alerts: [fired] },
    ],
  };
}

test("each alert has a case, and each case an alert", () => {
  expect(Object.keys(CASES).sort()).toEqual(ALERTS.map(({ name }) => name).sort());
});

withServer("promtool", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "antiphon-alerts-"));
    writeFileSync(join(folder, "rules.yaml"), RULES);
    // Annotations are told apart by `annotated` below: a case need not repeat their words.
    const bare = { groups: [{ name: "antiphon", rules: bareRules() }] };
    writeFileSync(join(folder, "bare.yaml"), stringify(bare, { lineWidth: 0 }));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function bareRules(): object[] {
    const { groups } = JSON.parse(
      JSON.stringify(alertsFile()).replaceAll("%scope%", "namespace='bots',pod=~'antiphon-(master|worker)-.+'"),
    ) as {
      groups: { rules: { annotations?: object }[] }[];
    };
    return (groups[0]?.rules ?? []).map((rule) => ({ ...rule, annotations: {} }));
  }

  function promtool(...args: string[]): { status: number | null; said: string } {
    const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: folder, encoding: "utf8" });
    return { status, said: `${stdout}${stderr}` };
  }

  test("promtool accepts the rules, templates in their annotations included", () => {
    expect(promtool("check", "rules", "rules.yaml")).toMatchObject({ status: 0 });
  });

  test("each alert fires when its cause is there, and not before", () => {
    const tests = Object.entries(CASES).map(([name, given]) => testOf(name, given));
    const file = { rule_files: ["bare.yaml"], evaluation_interval: "1m", tests };
    writeFileSync(join(folder, "tests.yaml"), stringify(file, { lineWidth: 0 }));
    expect(promtool("test", "rules", "tests.yaml")).toMatchObject({ status: 0 });
  });

  test("another release in the same namespace is none of ours", () => {
    const others = Object.entries(CASES).filter(
      ([name]) => !ALERTS.find((one) => one.name === name)?.expression.startsWith("absent"),
    );
    const tests = others.map(([name, { series, firesAt }]) => ({
      interval: "1m",
      input_series: seriesOf(series, ELSEWHERE),
      alert_rule_test: [{ eval_time: `${firesAt}m`, alertname: name, exp_alerts: [] }],
    }));
    writeFileSync(
      join(folder, "tests.yaml"),
      stringify({ rule_files: ["bare.yaml"], evaluation_interval: "1m", tests }),
    );
    expect(promtool("test", "rules", "tests.yaml")).toMatchObject({ status: 0 });
  });
});

withServer("prometheus", () => {
  let lab: Lab;
  let chat: FakeChat;
  let worker: SpawnedNode;
  let master: MasterProcess;
  let prometheus: Prometheus;

  beforeEach(async () => {
    const { url: redisUrl } = await testRedis();
    lab = new Lab(redisUrl);
    chat = await FakeChat.start({ idempotency: "key" });
    master = new MasterProcess({ redisUrl, namespace: lab.namespace, chat });
    worker = spawnNode(MAIN, {
      args: ["worker"],
      env: {
        REDIS_URL: redisUrl,
        ANTIPHON_NAMESPACE: lab.namespace,
        ANTIPHON_HANDLERS: "test/fixtures/handlers/lab.ts",
        ANTIPHON_HANDLER_LAB_JOURNAL: lab.journal,
        ANTIPHON_ADMIN_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: "0",
        ANTIPHON_HTTP_PORT: "0",
        LOG_FORMAT: "json",
      },
    });
    const line = await worker.waitForLine("process.started", 60_000);
    await master.node.waitForLine("process.started", 60_000);
    await master.leads("fake", 60_000);
    const urls = {
      worker: (JSON.parse(line) as { urls: string }).urls.split(" ").at(-1) ?? "",
      master: String(master.of("process.started")[0]?.["urls"]),
    };
    const targets = Object.entries(urls).map(([mode, url]) => ({
      address: new URL(url).host,
      labels: { namespace: "bots", pod: `antiphon-${mode}-1`, job: "antiphon" },
    }));
    // Nobody waits for minutes here.
    prometheus = await Prometheus.start(targets, RULES.replaceAll(/for: \d+m/g, "for: 1s"));
  });
  afterEach(async () => {
    await prometheus.stop();
    await Promise.all([worker.end(), master.node.end()]);
    await chat.stop();
    await lab.stop();
  });

  test("a live bot is at peace; when its workers stop and work comes, a queue that is unserved is told, and when its master dies, that nobody leads", async () => {
    await waitFor(async () => (await prometheus.query('antiphon_leader{unit="fake"} == 1')).length === 1, PATIENT);
    await waitFor(async () => (await prometheus.query("antiphon_workers")).length === 2, PATIENT);
    await waitFor(async () => (await prometheus.firing()).length === 0, { ...PATIENT, what: "nothing fires" });

    await worker.kill("SIGTERM");
    await lab.enqueue("note", "nobody");
    const alert = await waitFor(
      async () => (await prometheus.firing()).find(({ alertname }) => alertname === "AntiphonQueueUnserved"),
      { ...PATIENT, what: "AntiphonQueueUnserved fires" },
    );
    expect(alert).toMatchObject({ namespace: "bots", queue: "default", severity: "critical" });

    await master.node.kill("SIGKILL");
    await waitFor(async () => (await prometheus.firing()).some(({ alertname }) => alertname === "AntiphonNoMaster"), {
      timeoutMs: 60_000,
      what: "AntiphonNoMaster fires",
    });
  });
});
