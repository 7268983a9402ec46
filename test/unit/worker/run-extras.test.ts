// Progress, results, fences, cancelled runs, envelopes of later releases.

import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Ctx, defineHandler, discard, fail, type Handler, job } from "../../../services/sdk/index.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";
import { openBench, type ThreadBench } from "./thread-bench.ts";

let url = "";
const Work = job("work", z.object({}));

async function open(run: (ctx: Ctx) => unknown): Promise<ThreadBench> {
  const handlers: Handler[] = [
    defineHandler({ name: "h", routes: (r) => ({ work: r.job(Work, { retry: { every: "1s" }, attempts: 2, run }) }) }),
  ];
  return openBench({ url: url, handlers });
}

/** Enqueues one job. */
function add(bench: ThreadBench, header: object = {}, key?: string): Promise<string> {
  const more = key === undefined ? {} : { key };
  return bench.add("default", { kind: "job", route: "h.work", ...header }, { payload: "{}", ...more });
}

async function memory(bench: ThreadBench, origin: string): Promise<Record<string, string>> {
  return bench.client.hgetall(`${bench.context.keys.queue("default")}:e:${origin}`);
}

eachServer((_name, getUrl) => {
  beforeAll(() => {
    url = getUrl();
  });

  describe("progress", () => {
    test("is there while it runs, of several values the last one, and gone when it is done", async () => {
      let release = (): void => {};
      const released = new Promise<void>((resolve) => (release = resolve));
      const bench = await open(async ({ progress }) => {
        for (let percent = 1; percent <= 50; percent++) progress({ percent });
        await released;
      });
      const id = await add(bench);
      const runs = await bench.take("default");
      bench.start(runs);
      await waitFor(async () => (await memory(bench, id))["progress"] === '{"percent":50}', { what: "the last value" });
      release();
      await bench.settle("default", runs, await bench.answers(runs));
      expect(await memory(bench, id)).toEqual({});
    });

    test("of a run that fails stays until the next", async () => {
      const bench = await open(({ progress, attempt }) => {
        progress(attempt);
        progress(attempt * 10);
        throw new Error("no");
      });
      const id = await add(bench);
      await bench.drive();
      expect(await memory(bench, id)).toMatchObject({ progress: "10" });
    });

    test("that is no JSON, or too large, is refused", async () => {
      const bench = await open(({ progress }) => {
        expect(() => progress(new Date())).toThrow(expect.objectContaining({ code: "VALUE_NOT_JSON" }));
        expect(() => progress("x".repeat(5000))).toThrow(expect.objectContaining({ code: "VALUE_TOO_LARGE" }));
      });
      await add(bench);
      expect((await bench.drive())[0]).toMatchObject({ kind: "done" });
    });
  });

  describe("results", () => {
    async function resultOf(run: (ctx: Ctx) => unknown, drives = 1): Promise<{ result: unknown; ttlMs: number }> {
      const bench = await open(run);
      const id = await add(bench, { result: 60_000 });
      for (let drive = 0; drive < drives; drive++) {
        await bench.drive();
        bench.offsetMs += 2000;
      }
      const key = bench.context.keys.result(id);
      const [text, ttlMs] = [await bench.client.get(key), await bench.client.pttl(key)];
      return { result: text === null ? null : JSON.parse(text), ttlMs };
    }

    test("what the handler returned is kept for its time", async () => {
      const { result, ttlMs } = await resultOf(() => ({ pages: 12, left: undefined }));
      expect(result).toEqual({ ok: true, value: { pages: 12 } });
      expect(ttlMs).toBeGreaterThan(50_000);
      expect(ttlMs).toBeLessThanOrEqual(60_000);
      expect((await resultOf(() => undefined)).result).toEqual({ ok: true });
      const large = "x".repeat(100_000);
      expect((await resultOf(() => large)).result).toEqual({ ok: true, value: large });
    });

    test("there is none before it is over, and a dead letter has its reason for one", async () => {
      const boom = (): never => {
        throw new Error("boom");
      };
      expect((await resultOf(boom)).result).toBeNull();
      expect((await resultOf(boom, 2)).result).toEqual({ ok: false, error: "h.work: Error: boom" });
      expect((await resultOf(() => fail("never"))).result).toEqual({ ok: false, error: "h.work: never" });
      expect((await resultOf(() => discard("too old"))).result).toEqual({ ok: false, error: "discarded: too old" });
    });

    test("one that cannot be JSON is a failure that no retry mends", async () => {
      expect((await resultOf(() => 1n)).result).toMatchObject({
        ok: false,
        error: expect.stringContaining("VALUE_NOT_JSON"),
      });
      expect((await resultOf(() => "x".repeat(300_000))).result).toMatchObject({
        ok: false,
        error: expect.stringContaining("VALUE_TOO_LARGE"),
      });
    });

    test("whoever awaits it hears of it", async () => {
      const bench = await open(() => 1);
      const id = await add(bench, { result: 60_000 });
      const heard: string[] = [];
      const ears = openRedis({ url, name: "ears", purpose: "subscriber", onState: () => {} });
      ears.on("smessage", (channel: string) => void heard.push(channel));
      await ears.ssubscribe(bench.context.keys.resultBell(id));
      await bench.drive();
      await waitFor(() => heard.length === 1, { what: "the bell of the result" });
      await closeRedis(ears);
    });

    test("nobody asked: nothing is kept", async () => {
      const bench = await open(() => 1);
      const id = await add(bench);
      await bench.drive();
      expect(await bench.client.exists(bench.context.keys.result(id))).toBe(0);
    });
  });

  test("the history says how many effects a run had, and nothing where it had none", async () => {
    const bench = await open(async ({ send, store, progress }) => {
      progress(1);
      await send("web:lobby", "one");
      await send("web:lobby", "two");
      store.set("a", 1);
      return "said";
    });
    await add(bench);
    expect(JSON.parse((await bench.drive())[0]?.history ?? "")).toMatchObject({
      effects: 3,
      attempt: 1,
      result: "said",
    });
    const quiet = await open(() => {});
    await add(quiet);
    expect(JSON.parse((await quiet.drive())[0]?.history ?? "")).not.toHaveProperty("effects");
  });

  test("the fence grows with each time that a delivery is taken", async () => {
    const fences: number[] = [];
    const bench = await open(({ fence }) => {
      fences.push(fence);
      throw new Error("again");
    });
    await add(bench);
    await bench.drive();
    bench.offsetMs += 2000;
    await bench.drive();
    expect(fences.length).toBe(2);
    expect(fences[1]).toBeGreaterThan(fences[0] ?? Infinity);
  });

  describe("a cancelled run", () => {
    async function cancelled(run: (ctx: Ctx) => unknown) {
      let begun = false;
      const bench = await open((ctx) => {
        begun = true;
        return run(ctx);
      });
      await add(bench, { result: 60_000 });
      const runs = await bench.take("default");
      const serials = runs.flatMap(({ claims }) => claims.map(({ serial }) => serial));
      bench.start(runs);
      await waitFor(() => begun, { what: "the run" });
      bench.runner.abort(serials, "cancel");
      const answered = await bench.answers(runs);
      await bench.settle("default", runs, answered);
      return { bench, settled: answered[0] };
    }

    function untilAborted({ signal }: Ctx): Promise<never> {
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    }

    test("is done and not failed: it is not tried again", async () => {
      const { bench, settled } = await cancelled(untilAborted);
      expect(settled).toMatchObject({ kind: "done" });
      expect(JSON.parse(settled?.history ?? "")).toMatchObject({ outcome: "cancelled", routes: ["h.work"] });
      expect(bench.named("run.cancelled")).toMatchObject([{ route: "h.work" }]);
      expect(bench.named("run.failed")).toEqual([]);
      expect(await bench.depth("default")).toMatchObject({ stored: 0, dead: 0 });
      const result = await bench.client.get(bench.context.keys.result(settled?.origin ?? ""));
      expect(JSON.parse(result ?? "")).toEqual({ ok: false, error: "cancelled" });
    });

    test("whose thread had to be ended is cancelled all the same", async () => {
      const bench = await open(() => "never called");
      await add(bench);
      const failed = { code: "RUN_CANCELLED", detail: "", afterMs: 0 } as const;
      const [settled] = await bench.tick("default", failed);
      expect(settled).toMatchObject({ kind: "done" });
      expect(JSON.parse(settled?.history ?? "")).toMatchObject({ outcome: "cancelled" });
    });
  });

  describe("an envelope of a later release", () => {
    test("what a later release wrote is put back, however often and however long, and never fails", async () => {
      const bench = await open(() => {});
      const id = await add(bench, { v: 2 });
      for (let round = 0; round < 4; round++) {
        expect((await bench.drive())[0]).toMatchObject({ kind: "wait", origin: id });
        bench.offsetMs += 3_600_000;
      }
      expect(bench.named("envelope.unread")).toMatchObject(Array.from({ length: 4 }, () => ({ version: 2, id })));
      expect(await bench.depth("default")).toMatchObject({ stored: 1, dead: 0 });
    });

    test("it keeps the place of its key", async () => {
      const bench = await open(() => {});
      await add(bench, { v: 2 }, "k");
      await add(bench, {}, "k");
      expect(await bench.drive()).toMatchObject([{ kind: "park" }]);
      expect(await bench.depth("default")).toMatchObject({ stored: 2 });
    });
  });

  test("the memory limit of a route is its own failure, and tried again", async () => {
    const bench = await open(() => {});
    await add(bench);
    const [settled] = await bench.tick("default", { code: "RUN_HEAP", detail: "600 MB", afterMs: 5 });
    expect(settled).toMatchObject({ kind: "skip", error: expect.stringContaining("RUN_HEAP") });
  });
});
