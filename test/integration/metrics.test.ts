// /metrics of a real worker and a real master, as processes: all threads of a worker contribute, handlers that tell too much
// are bounded, and promtool finds nothing to complain of.

import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { METRIC_GROUPS } from "../../services/telemetry/metrics.ts";
import { OWN_SERIES_MAX } from "../../services/telemetry/meter.ts";
import { openQueue, type Queue } from "../../services/queue/queue.ts";
import { Lab } from "../support/handling.ts";
import { MetricsPage } from "../support/metrics-page.ts";
import { testRedis, withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";
import { WholeBot } from "../support/whole-bot.ts";

const PATIENT = { timeoutMs: 60_000 };
const LINES_PER_SECOND = 200;
const SENT = "messaging_client_sent_messages_total";
const TOOK = "messaging_client_operation_duration_seconds";

const LOUD = "test/fixtures/handlers/loud.ts";

let lab: Lab;
let queue: Queue;
let bot: WholeBot;

beforeEach(async () => {
  const { url: redisUrl } = await testRedis();
  lab = new Lab(redisUrl);
  queue = await openQueue({ url: redisUrl, namespace: lab.namespace });
  bot = await WholeBot.start({
    redisUrl,
    namespace: lab.namespace,
    // No schedules: what they enqueue would be taken, too.
    env: { ANTIPHON_HANDLERS: LOUD },
    workerEnv: { ANTIPHON_WORKER_THREADS: "3", ANTIPHON_LOG_LINES: String(LINES_PER_SECOND) },
  });
});
afterEach(async () => {
  await queue.close();
  await bot.stop();
  await lab.stop();
});

/** What it says once it says that. */
async function metricsWith(url: string, holds: (page: MetricsPage) => boolean): Promise<MetricsPage> {
  return waitFor(async () => {
    const page = await MetricsPage.read(url);
    return holds(page) ? page : undefined;
  }, PATIENT);
}

function lint(page: MetricsPage): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
    input: page.text,
    encoding: "utf8",
  });
  return { status, said: `${stdout}${stderr}` };
}

withServer("promtool", () => {
  test("handler threads, main and the HTTP thread are counted together, once, and promtool finds nothing wrong", async () => {
    await queue.enqueue("loud.fail", {});
    for (let job = 0; job < 20; job++) await queue.enqueue("loud.label", { from: 0, to: 5 });
    for (let hook = 0; hook < 3; hook++) await fetch(`${bot.urls.http}/loud`, { method: "POST", body: "{}" });
    await fetch(`${bot.urls.http}/loud`, { method: "POST", body: "x", headers: { "content-type": "text/csv" } });
    const page = await metricsWith(
      bot.urls.worker,
      (one) =>
        one.sum("antiphon_runs_total", { route: "loud.label" }) === 20 &&
        one.sum("antiphon_runs_total", { route: "loud.hook" }) === 3 &&
        one.sum("antiphon_dead_letters_total", { route: "loud.fail" }) === 1,
    );
    expect(page.sum("antiphon_runs_total", { route: "loud.fail", outcome: "dead" })).toBe(1);
    expect(page.sum("antiphon_runs_total", { queue: "default", outcome: "done" })).toBe(23);
    expect(page.sum("messaging_process_duration_seconds_count", { route: "loud.label" })).toBe(20);
    expect(page.sum("messaging_client_consumed_messages_total", { messaging_destination_name: "default" })).toBe(24);
    const settles = { messaging_operation_name: "settle", messaging_destination_name: "default" };
    expect(page.sum("messaging_client_operation_duration_seconds_count", settles)).toBeGreaterThan(0);
    expect(page.sum("antiphon_webhooks_total", { route: "loud.hook", status: "202" })).toBe(3);
    expect(page.sum("antiphon_webhooks_total", { route: "loud.hook", status: "415" })).toBe(1);
    expect(page.sum("antiphon_http_refused_total", { status: "415", code: "CONTENT_TYPE_UNKNOWN" })).toBe(1);
    // Of main, and of what is looked at when somebody scrapes.
    expect(page.sum("antiphon_redis_up", { connection: "commands" })).toBe(1);
    expect(page.sum("antiphon_slots", { state: "free" })).toBeGreaterThan(0);
    expect(page.sum("antiphon_bus_streams", { face: "sse" })).toBe(0);
    expect(page.sum("antiphon_info", { mode: "worker" })).toBe(1);
    // Of the handler: what five users did is five series, counted over all threads.
    expect(page.all("antiphon_handler_loud_asked_total")).toHaveLength(5);
    expect(page.sum("antiphon_handler_loud_asked_total")).toBe(100);
    expect(page.sum("antiphon_handler_loud_highest")).toBe(5);
    expect(page.sum("antiphon_handler_loud_asking_seconds_bucket", { le: "0.5" })).toBe(20);
    expect(page.sum("antiphon_handler_loud_asking_seconds_bucket", { le: "0.25" })).toBe(0);
    expect(lint(page)).toEqual({ status: 0, said: "" });
  });

  test("a master tells whom it leads, and what it shares with the others", async () => {
    const page = await metricsWith(
      bot.urls.master,
      (one) => (one.sum("antiphon_lease_renew_seconds_count", { unit: "fake" }) ?? 0) > 0,
    );
    for (const unit of ["control", "fake"]) {
      expect(page.sum("antiphon_leader", { unit })).toBe(1);
      expect(page.sum("antiphon_leader_epoch", { unit })).toBeGreaterThan(0);
      expect(page.sum("antiphon_leader_transitions_total", { unit, reason: "acquired" })).toBe(1);
    }
    expect(page.sum("antiphon_gateway_ready", { unit: "fake" })).toBe(1);
    expect(lint(page)).toEqual({ status: 0, said: "" });
  });

  test("what is sent is told by the process that sent it: lines of chat, webhooks, what handlers enqueue and say", async () => {
    const sent = (page: MetricsPage, to: string): number | undefined => {
      return page.sum(SENT, { messaging_destination_name: to, error_type: "" });
    };
    bot.chat.say({ room: "lobby", user: "ann", text: "antiphon pass 3" });
    for (let hook = 0; hook < 2; hook++) await fetch(`${bot.urls.http}/loud`, { method: "POST", body: "{}" });
    await waitFor(() => bot.chat.posts.some(({ text }) => text === "passed on"), PATIENT);
    const byWorker = await metricsWith(
      bot.urls.worker,
      (one) => sent(one, "default") === 5 && sent(one, "outbox/fake") === 1,
    );
    const byMaster = await metricsWith(bot.urls.master, (one) => sent(one, "chat") === 1);
    const ofSends = { messaging_operation_name: "send" };
    for (const page of [byWorker, byMaster]) {
      expect(page.sum(`${TOOK}_count`, ofSends)).toBeGreaterThan(0);
      expect(page.all(SENT).map(({ labels }) => labels["error_type"])).not.toContain("_OTHER");
      expect(lint(page)).toEqual({ status: 0, said: "" });
    }
    expect([sent(byWorker, "chat"), sent(byMaster, "default")]).toEqual([undefined, undefined]);
  });

  test("what every pod tells of Redis has the same name and value in both modes", async () => {
    const [shared = {}] = Object.values(METRIC_GROUPS);
    // Each reads Redis at most once in a while, and for itself: what has just begun one of them tells a little later.
    await waitFor(async () => {
      const [one, other] = [await MetricsPage.read(bot.urls.worker), await MetricsPage.read(bot.urls.master)];
      return Object.keys(shared).every((name) => other.all(name).length === one.all(name).length);
    }, PATIENT);
  });
});

test("a handler that logs 10,000 lines a second is heard a little, counted, and harms nobody", async () => {
  const runs = 5;
  const lines = 10_000;
  for (let run = 0; run < runs; run++) await queue.enqueue("loud.shout", { lines });
  const isLogged = (line: string): boolean => line.includes('"route":"loud.shout"') && line.includes('"event":"log"');
  const page = await metricsWith(bot.urls.worker, (one) => {
    const dropped = one.sum("antiphon_log_lines_dropped_total", { route: "loud.shout" }) ?? 0;
    const logged = bot.worker.lines.filter(isLogged).length;
    return one.sum("antiphon_runs_total", { route: "loud.shout" }) === runs && logged + dropped === runs * lines;
  });
  expect(page.sum("antiphon_runs_total", { route: "loud.shout", outcome: "done" })).toBe(runs);
  expect(bot.worker.lines.some((line) => line.includes('"log.dropped"'))).toBe(true);
  expect(bot.worker.lines.filter(isLogged).length).toBeLessThan(lines);
  // It goes on as before.
  const response = await fetch(`${bot.urls.http}/loud`, { method: "POST", body: "{}" });
  expect(response.status).toBe(202);
  await metricsWith(bot.urls.worker, (one) => one.sum("antiphon_runs_total", { route: "loud.hook" }) === 1);
});

test("labels made of what users say are bounded over all threads of a process", async () => {
  for (let from = 0; from < 5_000; from += 250) await queue.enqueue("loud.label", { from, to: from + 250 });
  const page = await metricsWith(
    bot.urls.worker,
    (one) => one.sum("antiphon_runs_total", { route: "loud.label" }) === 20,
  );
  expect(page.all("antiphon_handler_loud_asked_total").length).toBeLessThanOrEqual(OWN_SERIES_MAX);
  const dropped = page.sum("antiphon_samples_dropped_total", { metric: "antiphon_handler_loud_asked_total" });
  expect(dropped).toBeGreaterThan(1_000);
});
