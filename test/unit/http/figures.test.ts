// /scale and /metrics as autoscalers and Prometheus read them.

import { afterEach, beforeEach, expect, test } from "vitest";
import { adminServer } from "../../../services/http/admin.ts";
import { figures, type Workload } from "../../../services/http/figures.ts";
import type { HttpServer } from "../../../services/http/server.ts";
import { AntiphonError } from "../../../services/runtime/errors.ts";
import { Meter } from "../../../services/telemetry/meter.ts";
import { METRIC_GROUPS } from "../../../services/telemetry/metrics.ts";

let server: HttpServer | undefined;
afterEach(() => server?.stop(1_000));

const EMPTY = { ready: 0, claimed: 0, delayed: 0, dead: 0, oldestMs: 0, arrivalsPerSecond: 0, meanRunMs: null };
const SERVED = { isUnserved: false };
const WORKLOAD: Workload = {
  queues: [
    { ...EMPTY, ...SERVED, name: "chat", drainSeconds: 0 },
    {
      name: "default",
      ready: 12,
      claimed: 3,
      delayed: 4,
      dead: 5,
      oldestMs: 1_500,
      arrivalsPerSecond: 1.23456,
      meanRunMs: 20.001,
      drainSeconds: Number.POSITIVE_INFINITY,
      isUnserved: true,
    },
    { ...EMPTY, ...SERVED, name: 'video"\n', drainSeconds: 2.5 },
  ],
  outboxes: [{ ...EMPTY, name: "irc", ready: 2, oldestMs: 3_000 }],
  pools: [
    { name: "default", required: 3, workers: 2, queues: ["chat", "default"] },
    { name: "heavy", required: 4, workers: 1, queues: ['video"\n'] },
  ],
};

let meter = new Meter();
beforeEach(() => void (meter = new Meter()));

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

async function ask(look: () => Promise<Workload>, ...paths: readonly string[]): Promise<Answer[]> {
  const health = { live: () => [], ready: () => [], serving: () => [] };
  const base = { host: "127.0.0.1", port: 0, health, emit: () => {}, random: () => 0.5 };
  server = adminServer({ ...base, plugins: [figures(look, { mode: "worker", meter })] });
  await server.start();
  const url = `http://127.0.0.1:${server.port}`;
  const answers: Answer[] = [];
  for (const path of paths) {
    const response = await fetch(url + path);
    const type = response.headers.get("content-type");
    answers.push({ status: response.status, type, text: await response.text() });
  }
  return answers;
}

const there = async (): Promise<Workload> => WORKLOAD;

test("/scale is what autoscalers are told: all pools together, or one", async () => {
  const [all, heavy] = await ask(there, "/scale", "/scale?pool=heavy");
  expect(JSON.parse(all?.text ?? "")).toEqual({
    workersRequired: 7,
    queues: [
      { ...EMPTY, name: "chat", meanRunMs: 0 },
      {
        name: "default",
        ready: 12,
        claimed: 3,
        delayed: 4,
        dead: 5,
        oldestMs: 1_500,
        arrivalsPerSecond: 1.23,
        meanRunMs: 20,
      },
      { ...EMPTY, name: 'video"\n', meanRunMs: 0 },
    ],
    workers: 3,
  });
  expect(JSON.parse(heavy?.text ?? "")).toMatchObject({
    workersRequired: 4,
    queues: [{ name: 'video"\n' }],
    workers: 1,
  });
});

test("a pool without a living worker is not found, and nothing is guessed for it", async () => {
  const [answer] = await ask(there, "/scale?pool=heavi");
  expect(answer?.status).toBe(404);
  expect(JSON.parse(answer?.text ?? "")).toEqual({
    error: {
      code: "NOT_FOUND",
      message: expect.stringMatching(/No worker of a pool heavi lives. Did you mean heavy\?/),
    },
  });
});

test("while Redis is away /scale is 503, so that autoscalers hold, and /metrics tells of the process alone", async () => {
  const away = async (): Promise<never> => {
    throw new AntiphonError("REDIS_UNAVAILABLE", "");
  };
  const [scale, metrics] = await ask(away, "/scale", "/metrics");
  expect([scale?.status, JSON.parse(scale?.text ?? "")]).toMatchObject([503, { error: { code: "REDIS_UNAVAILABLE" } }]);
  expect(metrics?.status).toBe(200);
  expect(metrics?.text).toMatch(/^process_resident_memory_bytes \d+/m);
  expect(metrics?.text).toMatch(/^antiphon_info\{mode="worker",version="[^"]+"\} 1$/m);
  expect(metrics?.text).not.toContain("antiphon_queue");
});

test("/metrics is text for Prometheus with every metric of the list, and figures of what is gone are gone", async () => {
  let load = WORKLOAD;
  const [first] = await ask(async () => load, "/metrics");
  expect(first?.type).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = first?.text.split("\n") ?? [];
  const [shared = {}] = Object.values(METRIC_GROUPS);
  for (const name of Object.keys(shared)) expect(lines).toContain(`# TYPE ${name} gauge`);
  for (const line of [
    'antiphon_queue_depth{queue="default",state="ready"} 12',
    'antiphon_queue_depth{queue="default",state="dead"} 5',
    'antiphon_queue_oldest_age_seconds{queue="default"} 1.5',
    'antiphon_queue_drain_seconds{queue="default"} +Inf',
    'antiphon_queue_drain_seconds{queue="video\\"\\n"} 2.5',
    'antiphon_workers_required{pool="heavy"} 4',
    'antiphon_workers{pool="default"} 2',
    'antiphon_queue_unserved{queue="default"} 1',
    'antiphon_queue_unserved{queue="chat"} 0',
    'antiphon_outbox_depth{unit="irc",state="ready"} 2',
    'antiphon_outbox_oldest_age_seconds{unit="irc"} 3',
    "antiphon_queues_left_out 0",
  ])
    expect(lines).toContain(line);
  expect(first?.text).toMatch(/^nodejs_eventloop_lag_seconds /m);

  load = { queues: [], outboxes: [], pools: [] };
  const second = await (await fetch(`http://127.0.0.1:${server?.port}/metrics`)).text();
  expect(second).not.toMatch(/^antiphon_(queue|outbox|workers)[a-z_]*\{/m);
});

test("however many queues there are, the number of series is bounded", async () => {
  const many = Array.from({ length: 1_000 }, (_, index) => ({
    ...EMPTY,
    ...SERVED,
    name: `q${index}`,
    drainSeconds: 0,
  }));
  const [answer] = await ask(async () => ({ queues: many, outboxes: [], pools: [] }), "/metrics");
  expect(answer?.text.match(/^antiphon_queue_drain_seconds\{/gm)).toHaveLength(200);
  expect(answer?.text).toContain("\nantiphon_queues_left_out 800\n");
});
