// Error trackers of a real worker: handler threads and all.

import { afterEach, beforeEach, expect, test } from "vitest";
import { Lab } from "../support/handling.ts";
import { testRedis } from "../support/redis.ts";
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
