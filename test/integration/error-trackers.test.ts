// Error trackers of a real worker: handler threads and all.

import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Lab } from "../support/handling.ts";
import { testRedis } from "../support/redis.ts";
import { spawnNode } from "../support/spawn.ts";
import { FakeTracker } from "../support/tracker.ts";
import { waitFor } from "../support/wait-for.ts";

let sentry: FakeTracker;
let plain: FakeTracker;
let lab: Lab;

beforeEach(async () => {
  sentry = await FakeTracker.start();
  plain = await FakeTracker.start();
  lab = new Lab((await testRedis()).url);
});
afterEach(async () => {
  await lab.stop();
  await sentry.stop();
  await plain.stop();
});

test("a run that fails is told to each of them, with its delivery and without its input", async () => {
  await lab.work({
    env: {
      SENTRY_DSN: `http://public@${sentry.host}/1`,
      ANTIPHON_ERROR_TRACKERS: `http://${plain.host}/errors`,
      ANTIPHON_RELEASE: "bot@7",
    },
  });
  const id = await lab.enqueue("short", "a-body-to-be-kept", { ms: 5000, key: "ann" });
  await waitFor(() => sentry.received.length > 0 && plain.received.length > 0);
  const { event } = sentry.envelope(0);
  expect(event).toMatchObject({
    release: "bot@7",
    environment: "production",
    transaction: "lab.short",
    level: "error",
    tags: { code: "RUN_TIMEOUT", route: "lab.short", kind: "job", mode: "worker" },
    contexts: { delivery: { id, queue: "default", attempt: 1, keyHash: expect.stringMatching(/^[0-9a-f]{12}$/) } },
  });
  expect(JSON.parse(plain.received[0]?.body ?? "")).toMatchObject({ error: { code: "RUN_TIMEOUT" }, run: { id } });
  for (const { body } of [...sentry.received, ...plain.received]) {
    expect(body).not.toContain("a-body-to-be-kept");
    expect(body).not.toContain('"ann"');
  }
});

test("so is one that ended with its thread, and passed no handler's catch", async () => {
  await lab.work({ env: { SENTRY_DSN: `http://public@${sentry.host}/1` } });
  const id = await lab.enqueue("spin", "x");
  await waitFor(() => sentry.received.length > 0, { timeoutMs: 20_000 });
  expect(sentry.envelope(0).event).toMatchObject({ transaction: "lab.spin", contexts: { delivery: { id } } });
});

test("a tracker that never answers delays neither runs nor the drain", async () => {
  sentry.status = 0;
  const worker = await lab.work({ env: { SENTRY_DSN: `http://public@${sentry.host}/1` } });
  await lab.enqueue("short", "x", { ms: 5000 });
  await waitFor(() => sentry.received.length > 0);
  await lab.enqueue("note", "after");
  await waitFor(() => lab.lines.includes("note after"));
  await worker.stop();
  expect(lab.lines.filter((line) => line === "teardown").length).toBeGreaterThan(0);
});

test("a function of one's own hears of runs that failed in handler threads, once in the whole process", async () => {
  const kept = `${lab.journal}.kept`;
  const worker = spawnNode(new URL("../../services/main.ts", import.meta.url), {
    args: ["worker"],
    env: {
      REDIS_URL: (await testRedis()).url,
      ANTIPHON_NAMESPACE: lab.namespace,
      ANTIPHON_HANDLERS: "test/fixtures/handlers/lab.ts",
      ANTIPHON_HANDLER_LAB_JOURNAL: lab.journal,
      ANTIPHON_ADMIN_HOST: "127.0.0.1",
      ANTIPHON_ADMIN_PORT: "0",
      ANTIPHON_HTTP_PORT: "0",
      ANTIPHON_ERROR_TRACKERS: "./test/fixtures/trackers/keep.ts",
      KEPT_REPORTS: kept,
      LOG_FORMAT: "json",
    },
  });
  await worker.waitForLine("process.started", 60_000);
  const ids = [await lab.enqueue("short", "one", { ms: 5000 }), await lab.enqueue("spin", "two")];
  const lines = (): { threadId: number; report: { run: { id: string }; about: { thread: string } } }[] =>
    existsSync(kept)
      ? readFileSync(kept, "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as never)
      : [];
  await waitFor(() => ids.every((id) => lines().some(({ report }) => report.run.id === id)), { timeoutMs: 60_000 });
  expect(new Set(lines().map(({ threadId }) => threadId)).size).toBe(1);
  for (const { report } of lines().filter((line) => ids.includes(line.report.run.id)))
    expect(report.about.thread).toMatch(/^work-\d$/);
  await worker.end();
});
