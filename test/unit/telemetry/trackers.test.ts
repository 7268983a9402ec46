// What error trackers are told, and that they hold up nobody.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../services/runtime/clock.ts";
import type { EventFields, EventName } from "../../../services/telemetry/events.ts";
import { openReporting, type Reporting, type ReportingOptions } from "../../../services/telemetry/trackers.ts";
import { logRecords } from "../../support/otlp-logs.ts";
import { FakeTracker } from "../../support/tracker.ts";
import { waitFor } from "../../support/wait-for.ts";

const FIXTURES = new URL("../../fixtures/trackers", import.meta.url).pathname;
const about = { version: "1.2.3", release: "bot@7", environment: "staging", server: "pod-1" };
const told: { name: EventName; fields: unknown }[] = [];
// @opentelemetry/resources imports all of node:process, which opens the standard input; nobody reads it.
afterAll(() => void process.stdin.unref());

let tracker: FakeTracker;
let other: FakeTracker;
let open: Reporting[];

beforeEach(async () => {
  told.length = 0;
  open = [];
  tracker = await FakeTracker.start();
  other = await FakeTracker.start();
});
afterEach(async () => {
  for (const reporting of open) await reporting.close();
  await tracker.stop();
  await other.stop();
});

function reporting(options: Partial<ReportingOptions> = {}, clock: Clock = systemClock): Reporting {
  const trackers = [`sentry+http://public@${tracker.host}/42`];
  const made = openReporting(
    { trackers, secrets: [], about, ...options },
    {
      emit: (name, fields) => void told.push({ name, fields }),
      mode: "worker",
      thread: "work-1",
      clock,
      random: Math.random,
      functions: { cwd: FIXTURES },
    },
  );
  open.push(made);
  return made;
}

function failed(more: Partial<EventFields["run.failed"]> = {}): EventFields["run.failed"] {
  return {
    route: "deploy.ship",
    origin: "abc123",
    kind: "job",
    queue: "default",
    keyHash: "0123456789ab",
    attempt: 2,
    errorId: "x1y2z3",
    error: new TypeError("no such app"),
    next: "again in 1000 ms",
    ...more,
  };
}

describe("Sentry", () => {
  test("an error is an envelope: its header, the item's header, the event; with the key, and the delivery's context", async () => {
    const cause = new RangeError("port 0");
    reporting().emit("run.failed", failed({ error: new TypeError("no such app", { cause }) }));
    await waitFor(() => tracker.received.length === 1);
    const [request] = tracker.received;
    expect(request).toMatchObject({
      path: "/api/42/envelope/",
      headers: {
        "content-type": "application/x-sentry-envelope",
        "x-sentry-auth": "Sentry sentry_version=7, sentry_client=antiphon/1.2.3, sentry_key=public",
      },
    });
    expect(request?.body.endsWith("\n")).toBe(true);
    const { header, item, event } = tracker.envelope(0);
    expect(header).toMatchObject({ event_id: expect.stringMatching(/^[0-9a-f]{32}$/), sent_at: expect.any(String) });
    expect(item["type"]).toBe("event");
    expect(item["length"]).toBe(Buffer.byteLength((request?.body ?? "").split("\n")[2] ?? ""));
    expect(event).toMatchObject({
      event_id: header["event_id"],
      platform: "node",
      level: "warning",
      release: "bot@7",
      environment: "staging",
      server_name: "pod-1",
      transaction: "deploy.ship",
      tags: { route: "deploy.ship", kind: "job", queue: "default", attempt: "2", errorId: "x1y2z3", thread: "work-1" },
      contexts: {
        delivery: { id: "abc123", keyHash: "0123456789ab", attempt: 2, next: "again in 1000 ms" },
        runtime: { name: "node", version: process.version },
      },
    });
    const { values } = event["exception"] as {
      values: { type: string; value: string; stacktrace: { frames: object[] } }[];
    };
    expect(values.map(({ type, value }) => [type, value])).toEqual([
      ["RangeError", "port 0"],
      ["TypeError", "no such app"],
    ]);
    expect(values[1]?.stacktrace.frames.at(-1)).toMatchObject({
      filename: import.meta.filename,
      lineno: expect.any(Number),
      in_app: true,
    });
  });

  test("a DSN may have a path before its project", async () => {
    reporting({ trackers: [`sentry+http://k@${tracker.host}/sub/path/7`] }).emit("run.failed", failed());
    await waitFor(() => tracker.received.length === 1);
    expect(tracker.received[0]?.path).toBe("/sub/path/api/7/envelope/");
  });
});

test("a tracker that takes JSON gets the report as it is, with the credentials of its URL", async () => {
  reporting({ trackers: [`http://ann:pass%21@${tracker.host}/errors?team=ops`] }).emit("run.failed", failed());
  await waitFor(() => tracker.received.length === 1);
  const [request] = tracker.received;
  expect(request?.path).toBe("/errors?team=ops");
  expect(request?.headers.authorization).toBe(`Basic ${Buffer.from("ann:pass!").toString("base64")}`);
  expect(JSON.parse(request?.body ?? "")).toMatchObject({
    at: expect.stringMatching(/^\d{4}-/),
    event: "run.failed",
    level: "warning",
    error: { type: "TypeError", message: "no such app" },
    run: { route: "deploy.ship", id: "abc123", attempt: 2 },
    about: { ...about, mode: "worker", thread: "work-1" },
  });
});

test("several trackers hear of everything; one that is away changes nothing for the other", async () => {
  const trackers = ["http://127.0.0.1:1/", `http://${tracker.host}/`, `sentry+http://k@${other.host}/1`];
  const { emit } = reporting({ trackers });
  emit("run.failed", failed({ route: "a.a" }));
  emit("part.failed", { part: "HTTP thread", error: new Error("gone") });
  await waitFor(() => tracker.received.length === 2 && other.received.length === 2);
  expect(other.envelope(1).event).toMatchObject({ transaction: "HTTP thread", logger: "part.failed", level: "error" });
});

test("what is no error is no report; a dead letter that its last failure told of is not told twice", async () => {
  const { emit } = reporting();
  emit("run.refused", { route: "a.a", user: "web:ann" });
  emit("run.failed", failed({ next: "dead letter" }));
  emit("run.dead", { route: "deploy.ship", queue: "default", origin: "abc123", reason: "TypeError: no such app" });
  emit("run.dead", { route: "deploy.ship", queue: "default", origin: "other", reason: "INPUT_INVALID: app" });
  await waitFor(() => tracker.received.length === 2);
  expect(tracker.envelope(0).event).toMatchObject({ logger: "run.failed", level: "error" });
  expect(tracker.envelope(1).event).toMatchObject({ logger: "run.dead", contexts: { delivery: { id: "other" } } });
  expect(told.map(({ name }) => name)).toEqual(["run.refused", "run.failed", "run.dead", "run.dead"]);
});

test("secrets that the configuration knows are taken out, of the message, the stack and the causes", async () => {
  const secrets = ["s3cret-token", "pw"];
  const cause = new Error("login as bot:s3cret-token failed");
  const error = new Error("GET https://x/?t=s3cret-token: 401, pw", { cause });
  reporting({ secrets }).emit("run.failed", failed({ error }));
  await waitFor(() => tracker.received.length === 1);
  expect(tracker.received[0]?.body).not.toContain("s3cret-token");
  // Too short to be taken out of every text.
  expect(tracker.received[0]?.body).toContain("?t=[removed]: 401, pw");
});

describe("a tracker in trouble", () => {
  test("that never answers holds up nobody: telling it takes no time, its queue is bounded, what is dropped is told", async () => {
    tracker.status = 0;
    const { emit, close } = reporting();
    const started = performance.now();
    for (let index = 0; index < 1000; index++) emit("run.failed", failed({ route: `r.r${index}` }));
    expect(performance.now() - started).toBeLessThan(5_000);
    await waitFor(() => told.some(({ name }) => name === "tracker.dropped"));
    const closing = performance.now();
    await close();
    expect(performance.now() - closing).toBeLessThan(3000);
    expect(tracker.received.length).toBe(1);
    const dropped = told.filter(({ name }) => name === "tracker.dropped");
    expect(dropped.length).toBe(1);
    expect(dropped[0]?.fields).toMatchObject({ tracker: tracker.host, problem: expect.stringContaining("too many") });
  });

  test("is tried again after 5xx, left alone for as long as 429 asks, and not bothered again after another refusal", async () => {
    const sleeps: number[] = [];
    const clock: Clock = {
      ...systemClock,
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic(),
      sleep: async (ms) => void sleeps.push(ms),
    };
    tracker.status = 503;
    const { emit } = reporting({}, clock);
    emit("run.failed", failed({ route: "a.a" }));
    await waitFor(() => tracker.received.length === 3 && told.some(({ name }) => name === "tracker.dropped"));
    expect(sleeps.slice(0, 2).every((ms) => ms > 0)).toBe(true);
    tracker.status = 429;
    tracker.retryAfter = "7";
    emit("run.failed", failed({ route: "b.b" }));
    await waitFor(() => sleeps.includes(7000));
    tracker.status = 400;
    tracker.retryAfter = undefined;
    emit("run.failed", failed({ route: "c.c" }));
    await waitFor(() => tracker.received.length === 5);
    tracker.status = 200;
    emit("run.failed", failed({ route: "d.d" }));
    await waitFor(() => tracker.received.length === 6);
  });

  test("what is the same over and over is told once a second", async () => {
    const { emit } = reporting();
    for (let index = 0; index < 50; index++) emit("run.failed", failed({ origin: `o${index}` }));
    emit("run.failed", failed({ route: "another.route" }));
    await waitFor(() => tracker.received.length === 2);
  });
});

test("without trackers the emitter is left as it is", async () => {
  const emit = (): void => {};
  const around = { emit, mode: "worker", clock: systemClock, random: Math.random, functions: { cwd: FIXTURES } };
  const made = openReporting({ trackers: [], secrets: [], about }, around);
  expect(made.emit).toBe(emit);
  await made.close();
});

describe("a collector of OTLP logs", () => {
  test("gets a record per error: what, where, how bad, in which trace; with the credentials of the URL", async () => {
    const { emit } = reporting({ trackers: [`otlp+http://ann:s%20cret@${tracker.host}/v1/logs`] });
    const trace = { trace_id: "0af7651916cd43dd8448eb211c80319c", span_id: "b7ad6b7169203331" };
    emit("run.failed", failed({ ...trace, next: "dead letter" }));
    emit("loop.failed", { loop: "reaper", error: new Error("slow") });
    await waitFor(() => tracker.received.length === 2);
    const [first] = tracker.received;
    expect(first).toMatchObject({
      path: "/v1/logs",
      headers: {
        "content-type": "application/x-protobuf",
        authorization: `Basic ${Buffer.from("ann:s cret").toString("base64")}`,
      },
    });
    const [record] = logRecords(first?.bytes ?? Buffer.alloc(0));
    expect(record).toMatchObject({
      severityNumber: 17,
      severityText: "ERROR",
      eventName: "run.failed",
      body: "TypeError: no such app",
      traceId: trace.trace_id,
      spanId: trace.span_id,
      attributes: {
        "exception.type": "TypeError",
        "exception.message": "no such app",
        "exception.stacktrace": expect.stringContaining("trackers.test.ts"),
        "messaging.destination.name": "default",
        "messaging.message.id": "abc123",
        "antiphon.route": "deploy.ship",
        "antiphon.attempt": 2,
      },
      resource: { "service.name": "antiphon", "service.version": "bot@7", "host.name": "pod-1" },
    });
    expect(Math.abs(Number(record?.timeUnixNano) / 1e6 - Date.now())).toBeLessThan(60_000);
    expect(logRecords(tracker.received[1]?.bytes ?? Buffer.alloc(0))).toMatchObject([
      { severityText: "WARN", eventName: "loop.failed", attributes: { "antiphon.where": "reaper" } },
    ]);
  });
});

describe("a function of one's own", () => {
  const folder = mkdtempSync(join(tmpdir(), "antiphon-trackers-"));
  const kept = join(folder, "kept");
  process.env["KEPT_REPORTS"] = kept;
  const lines = (): { threadId: number; report: Record<string, unknown> }[] =>
    existsSync(kept)
      ? readFileSync(kept, "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as never)
      : [];
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("is told in a thread of its own; what it throws is told, and the next report reaches it all the same", async () => {
    const { emit } = reporting({ trackers: ["./keep.ts", `http://${tracker.host}/errors`] });
    emit("run.failed", failed({ error: new Error("refuse this one") }));
    emit("run.failed", failed());
    await waitFor(() => lines().length === 1, { timeoutMs: 20_000 });
    expect(lines()[0]).toMatchObject({
      report: {
        event: "run.failed",
        level: "warning",
        error: { type: "TypeError", message: "no such app" },
        run: { route: "deploy.ship", queue: "default" },
        about: { server: "pod-1", thread: "work-1" },
      },
    });
    expect(lines()[0]?.threadId).not.toBe(threadId);
    expect(told).toContainEqual({
      name: "tracker.dropped",
      fields: { tracker: "keep.ts", reports: 1, problem: "that is not for me" },
    });
    await waitFor(() => tracker.received.length === 2); // the others hear of everything
  });

  test("that spins is ended and its report dropped with a count; telling it takes no time", async () => {
    const { emit } = reporting({ trackers: ["./spin.ts"] });
    const startedAt = performance.now();
    for (let one = 0; one < 200; one++) emit("run.failed", failed({ error: new Error(`number ${one}`) }));
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    const dropped = (): unknown[] => told.filter(({ name }) => name === "report.dropped");
    await waitFor(() => dropped().length > 101, { timeoutMs: 30_000 }); // those that did not fit, and two that it had
    expect(told).toContainEqual({ name: "report.dropped", fields: { tracker: "spin.ts" } });
  });

  test("that is none, or is not there, is told", async () => {
    const { emit } = reporting({ trackers: ["./none.ts"] });
    emit("run.failed", failed());
    await waitFor(() => told.some(({ name }) => name === "tracker.dropped"), { timeoutMs: 20_000 });
    expect(told).toContainEqual({
      name: "tracker.dropped",
      fields: { tracker: "none.ts", reports: 1, problem: "its default export is no function" },
    });
    expect(() => reporting({ trackers: ["./gone.ts"] })).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });
});
