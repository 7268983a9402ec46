// /api/workers, runs, schedules, routes, chat, bus, leaders, doctor, now, audit: what they show is so, and what they change is
// changed in Redis.

import { describe, expect, test } from "vitest";
import { Claims } from "../../../services/broker/claims.ts";
import { type RouteNote, writeCatalogue } from "../../../services/broker/catalogue.ts";
import { writeVitals } from "../../../services/broker/vitals.ts";
import { lookAtSchedules, syncSchedules } from "../../../services/broker/cron.ts";
import { adminApis, type Json, SECRET, WATCHER } from "../../support/admin-api.ts";
import { outcome } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

const FACTS = { process: "p1", startedAtMs: 1_700_000_000_000, threads: 2, slots: 32, pool: "heavy" };

eachServer((_name, url) => {
  const api = adminApis(url);

  describe("workers", () => {
    test("each is shown with what it serves and has in hand, and is quieted, resumed and stopped", async () => {
      const worker = await api().bench.worker("pod-1.a");
      await worker.register({ clientId: "1", pod: "pod-1", facts: FACTS });
      await api().bench.worker("pod-2.b");
      await api().enqueue();
      await api().take(worker);
      const thread = { thread: "work-0", state: "ready", slots: 16, busy: 0, heapBytes: 7_000_000 } as const;
      await writeVitals(api().bench.context, "p1", {
        rssBytes: 123_456_789,
        heapBytes: 23_456_789,
        threads: [{ ...thread, runs: [] }],
      });
      const { items } = await api().get("/workers");
      expect(items).toMatchObject([
        {
          pod: "pod-1",
          claimed: 1,
          slots: 32,
          threads: 2,
          pool: "heavy",
          queues: ["default"],
          order: "",
          rssBytes: 123_456_789,
          heapBytes: 23_456_789,
          threadsNow: [{ process: "p1", ...thread }],
        },
        { pod: "pod-2", claimed: 0 },
      ]);
      expect((await api().get("/workers?limit=1")).cursor).toBe("pod-1");
      for (const order of ["quiet", "stop"]) {
        await api().done("POST", `/workers/pod-1/${order}`);
        expect((await worker.beat()).order).toBe(order);
      }
      await api().done("POST", "/workers/pod-1/resume");
      expect((await worker.beat()).order).toBe("");
      expect(await api().ask("POST", "/workers/pod-3/quiet")).toMatchObject({
        status: 404,
        body: { error: { code: "WORKER_UNKNOWN" } },
      });
    });

    test("two processes of one name are one worker, with what both have", async () => {
      for (const [queue, process] of [
        ["default", "p1"],
        ["low", "p2"],
      ] as const) {
        const claims = new Claims({ ...api().bench.context, queue, wid: `pod-1.${process}` });
        await claims.register({ clientId: "1", pod: "pod-1", facts: { ...FACTS, process } });
        await writeVitals(api().bench.context, process, { rssBytes: 100, heapBytes: 10, threads: [] });
      }
      const all = { pod: "pod-1", slots: 64, threads: 4, rssBytes: 200, heapBytes: 20, processes: ["p1", "p2"] };
      expect((await api().get("/workers")).items).toMatchObject([all]);
      expect((await api().get("/now")).workers).toEqual([
        { pod: "pod-1", pool: "heavy", slots: 64, claimed: 0, order: "" },
      ]);
    });

    test("what has begun is shown with its thread, and not where that was an attempt before", async () => {
      const worker = await api().bench.worker("pod-1.a");
      await worker.register({ clientId: "1", pod: "pod-1", facts: FACTS });
      const id = await api().enqueue();
      const [claim] = await api().take(worker);
      const { since } = (await api().get("/runs")).items[0];
      const told = async (ms: number): Promise<Json> => {
        const runs = [[String(claim?.id), 3, Date.parse(since) + ms]] as const;
        const thread = { thread: "work-1", state: "ready", slots: 1, busy: 1, runs } as const;
        await writeVitals(api().bench.context, "p1", { rssBytes: 1, threads: [thread] });
        return (await api().get("/runs")).items[0];
      };
      const begun = new Date(Date.parse(since) + 40).toISOString();
      expect(await told(40)).toMatchObject({ id, since, thread: "work-1", process: "p1", begun, route: "deploy.ship" });
      expect(await told(-60_000)).not.toHaveProperty("thread");
    });

    test("what runs is shown with its worker, and since when", async () => {
      const worker = await api().bench.worker("pod-1.a");
      const id = await api().enqueue({}, { key: "k" });
      await api().take(worker);
      await api().enqueue();
      const { items } = await api().get("/runs");
      expect(items).toMatchObject([{ id, pod: "pod-1", queue: "default", route: "reports.monthly", key: "k" }]);
      expect(items[0].ms).toBeGreaterThanOrEqual(0);
    });
  });

  describe("schedules", () => {
    const nightly = {
      route: "reports.monthly",
      times: { kind: "cron", spec: "0 3 * * *", tz: "UTC" },
      misfire: "latest",
      overlap: "allow",
      queue: "default",
    };

    test("a schedule is paused, resumed, changed, reset, run now", async () => {
      const { context } = api().bench;
      const { nowMs, version } = await lookAtSchedules(context, 1);
      const known = { id: "reports.monthly", definition: "d", description: nightly, nextMs: nowMs + 60_000 };
      await syncSchedules(context, version, [known]);
      const shown = async (): Promise<unknown> => (await api().get("/schedules")).items[0];
      expect(await shown()).toMatchObject({
        id: "reports.monthly",
        times: { kind: "cron", spec: "0 3 * * *", tz: "UTC" },
        paused: false,
        added: false,
      });
      await api().done("POST", "/schedules/reports.monthly/pause");
      expect(await shown()).toMatchObject({ paused: true });
      await api().done("POST", "/schedules/reports.monthly/resume");
      await api().done("PATCH", "/schedules/reports.monthly", { every: "5m", overlap: "skip" });
      expect(await shown()).toMatchObject({
        paused: false,
        changed: true,
        times: { kind: "every", periodMs: 300_000 },
      });
      expect(await api().ask("PATCH", "/schedules/reports.monthly", { spec: "nonsense", tz: "UTC" })).toMatchObject({
        status: 400,
        body: { error: { code: "CRON_INVALID" } },
      });
      expect(await api().ask("PATCH", "/schedules/reports.monthly", {})).toMatchObject({ status: 400 });
      await api().done("POST", "/schedules/reports.monthly/reset");
      expect(await shown()).toMatchObject({ changed: false });
      const { id } = await api().done("POST", "/schedules/reports.monthly/run");
      expect(await api().queue.find(id)).toMatchObject({ state: "waiting", kind: "cron", route: "reports.monthly" });
      expect(await api().ask("POST", "/schedules/nobody/run")).toMatchObject({ status: 404 });
      expect(await api().ask("DELETE", "/schedules/reports.monthly")).toMatchObject({ status: 400 });
    });

    test("one is added and removed, and its runs are in its history", async () => {
      await api().done("POST", "/schedules", {
        id: "digest",
        job: "reports.make",
        every: "1h",
        input: { team: "all" },
      });
      expect(await api().queue.schedules.list()).toMatchObject([{ id: "digest", added: true }]);
      const { id } = await api().done("POST", "/schedules/digest/run");
      const worker = await api().bench.worker("pod.1");
      for (const claim of await api().take(worker)) {
        const line = { id, kind: "job", routes: ["reports.monthly"], outcome: "done", attempt: 1, ms: 3 };
        await worker.settle([outcome(claim, "done", { history: JSON.stringify(line) })]);
      }
      expect((await api().get("/schedules/digest/history")).items).toMatchObject([{ id, outcome: "done" }]);
      await api().done("DELETE", "/schedules/digest");
      expect(await api().queue.schedules.list()).toEqual([]);
    });
  });

  test("routes are shown as workers describe them; one is switched off in every queue, and on again", async () => {
    const { context } = api().bench;
    const note: RouteNote = {
      kind: "job",
      on: "reports.make",
      builtin: false,
      timeoutMs: 600_000,
      queue: "nightly",
      attempts: 5,
    };
    const chat: RouteNote = {
      kind: "command",
      on: "deploy <app>",
      builtin: false,
      timeoutMs: 60_000,
      queue: "chat",
      restrictTo: ["ops"],
    };
    await writeCatalogue(
      context,
      new Map([
        ["reports.monthly", note],
        ["deploy.ship", chat],
      ]),
    );
    const id = await api().enqueue();
    const rows = async (): Promise<unknown[]> => (await api().get("/routes")).items;
    expect(await rows()).toMatchObject([
      {
        id: "deploy.ship",
        handler: "deploy",
        kind: "command",
        on: "deploy <app>",
        restrictTo: ["ops"],
        disabled: false,
      },
      { id: "low.slow", handler: "low", disabled: false },
      { id: "reports.monthly", kind: "job", attempts: 5 },
    ]);
    await api().done("POST", "/routes/reports.monthly/disable");
    expect((await rows())[2]).toMatchObject({ disabled: true, pausedIn: [{ queue: "default" }, { queue: "nightly" }] });
    const worker = await api().bench.worker("pod.1");
    await api().enqueue({}, { queue: "nightly" });
    expect(await api().take(worker)).toEqual([]);
    expect(await api().take(await api().bench.worker("pod.2", "nightly"))).toEqual([]);
    await api().done("POST", "/routes/reports.monthly/enable");
    expect(await api().take(worker)).toHaveLength(1);
    expect(await api().queue.find(id)).toMatchObject({ state: "claimed" });
    await api().done("POST", "/routes/deploy.ship/disable");
    expect((await rows())[0]).toMatchObject({ disabled: true, pausedIn: [{ queue: "chat" }] });
    expect(await api().ask("POST", "/routes/reports.weekly/disable")).toMatchObject({ status: 404 });
  });

  test("chat units are shown with their leader, their state and what they still have to say, by room", async () => {
    const { context, producer } = api().bench;
    const { client } = api();
    for (const room of ["#ops", "#ops", "#dev"])
      await producer.enqueue("outbox/irc/libera", { route: 0, envelope: "x", key: room });
    await client.set(context.keys.lease("irc/libera"), "pod-1/abc:1", "PX", 60_000);
    await client.set(context.keys.epoch("irc/libera"), "17");
    await client.hset(context.keys.seat("irc/libera"), {
      handovers: 2,
      doubts: 1,
      state: "ready",
      detail: "",
      stateAt: 1,
    });
    const { items } = await api().get("/chat");
    expect(items).toMatchObject([
      {
        unit: "irc/libera",
        adapter: "irc",
        leader: "pod-1",
        epoch: "17",
        state: "ready",
        handovers: 2,
        doubts: 1,
        outbox: { waiting: 3, dead: 0 },
        rooms: [
          { room: "#ops", waiting: 2 },
          { room: "#dev", waiting: 1 },
        ],
      },
    ]);
    expect((await api().get("/leaders?units=irc/libera")).units).toMatchObject([
      { unit: "control" },
      { unit: "irc/libera", leader: "pod-1/abc" },
    ]);
  });

  test("the bus tells of no process where none has work with it", async () => {
    expect(await api().get("/bus")).toEqual({ nodes: [], total: 0 });
  });

  test("now is how the bot stands: totals, queues, units, workers, the last failures", async () => {
    const worker = await api().bench.worker("pod-1.a");
    await worker.register({ clientId: "1", pod: "pod-1", facts: FACTS });
    const id = await api().enqueue();
    await api().enqueue({}, { delay: "1h" });
    await api().take(worker, 1);
    await worker.beat({
      finished: 3,
      runMs: 30,
      heldMs: 30,
      busyMs: 10,
      failed: 1,
      failure: { id, route: 1, message: "no <b>answer</b>" },
    });
    const now = await api().get("/now");
    expect(now).toMatchObject({
      redis: { ok: true, version: expect.stringMatching(/^\d+\./) },
      totals: { ready: 0, claimed: 1, delayed: 1, dead: 0 },
      queues: [{ name: "default", claimed: 1, delayed: 1, paused: false, workers: 1 }],
      units: [{ unit: "control", leader: null }],
      workers: [{ pod: "pod-1", pool: "heavy", slots: 32, claimed: 1, order: "" }],
      lastErrors: [{ queue: "default", route: "reports.monthly", id, message: "no <b>answer</b>" }],
    });
    expect(now.redis.usedBytes).toBeGreaterThan(0);
    expect(now.totals.finishedPerSecond).toBeGreaterThan(0);
    expect(now.totals.failedPerSecond).toBeGreaterThan(0);
  });

  test("every change is in the audit log, newest first; looking is not; a viewer changes nothing", async () => {
    await api().done("POST", "/queues/default/pause", {});
    await api().get("/queues");
    await api().done("PUT", "/queues/default/limits", { concurrency: 2 });
    const refused = await api().askAs(WATCHER.secret, { method: "POST", path: "/queues/default/resume", body: {} });
    expect(refused).toMatchObject({ status: 403, body: { error: { code: "FORBIDDEN" } } });
    expect((await api().get("/queues/default")).pauses).toHaveLength(1);
    const { items, cursor } = await api().get("/audit?limit=1");
    expect(items).toMatchObject([{ who: "admin", action: "queue.limit", outcome: "done", status: 200 }]);
    expect((await api().get(`/audit?cursor=${cursor}`)).items).toMatchObject([{ action: "queue.pause" }]);
    expect((await api().askAs(WATCHER.secret, { method: "GET", path: "/queues" })).status).toBe(200);
    expect((await api().askAs("x".repeat(20), { method: "GET", path: "/queues" })).status).toBe(401);
    expect(SECRET).not.toBe(WATCHER.secret);
  });

  test("the doctor finds what is wrong, and mends it for an admin", async () => {
    const id = await api().enqueue();
    const { context } = api().bench;
    await api().client.hset(`${context.keys.queue("default")}:m`, "bodyBytes", 999);
    const found = await api().get("/doctor?queue=default");
    expect(found).toMatchObject({ sound: false, queues: ["default"], findings: [{ queue: "default", mended: false }] });
    expect(await api().askAs(WATCHER.secret, { method: "POST", path: "/doctor/repair" })).toMatchObject({
      status: 403,
    });
    expect(await api().done("POST", "/doctor/repair")).toMatchObject({ sound: true, findings: [{ mended: true }] });
    expect(await api().get("/doctor")).toMatchObject({ sound: true, findings: [], deliveries: 1 });
    expect(await api().queue.find(id)).toBeDefined();
  });
});
