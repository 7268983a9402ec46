// ctx.jobs, ctx.queues and ctx.schedules: what a run can see and change of other jobs and of queues.

import { afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import {
  type Ctx,
  defineHandler,
  job,
  type JobDetails,
  type JobInfo,
  type ScheduleInfo,
} from "../../../services/sdk/index.ts";
import { eachServer } from "../../support/redis.ts";
import { openBench, type ThreadBench } from "./thread-bench.ts";

const Work = job("work", z.object({ n: z.number() }));
const Now = job("now", z.object({}));

let url = "";
let ran: string[] = [];
afterEach(() => {
  ran = [];
});

/** Runs `go` once. */
async function go(run: (ctx: Ctx) => unknown): Promise<ThreadBench> {
  const handler = defineHandler({
    name: "h",
    routes: (r) => ({
      go: r.command("go", { run: async (ctx) => void (await run(ctx)) }),
      work: r.job(Work, {
        attempts: 1,
        run: ({ input }) => {
          ran.push(`work ${input.n}`);
          if (input.n < 0) throw new Error("bad");
        },
      }),
    }),
  });
  const bench = await openBench({ url, handlers: [handler] });
  await bench.say("!go");
  const [settled] = await bench.drive(["chat"]);
  expect(settled).toMatchObject({ kind: "done" });
  return bench;
}

eachServer((_name, getUrl) => {
  beforeAll(() => {
    url = getUrl();
  });

  test("a job that waits is found, changed, moved and cancelled", async () => {
    const seen: (JobDetails | undefined)[] = [];
    const said: string[] = [];
    const bench = await go(async ({ enqueue, jobs }) => {
      const [one, two, three] = [
        await enqueue(Work, { n: 1 }, { tags: ["a"] }),
        await enqueue(Work, { n: 2 }, { key: "k" }),
        await enqueue(Work, { n: 3 }),
      ];
      said.push(await jobs.edit(one.id, { input: { n: 10 } }));
      said.push(await jobs.edit(two.id, { delay: "1h" }));
      said.push(await jobs.cancel(three.id));
      for (const { id } of [one, two, three]) seen.push(await jobs.find(id));
    });
    expect(said).toEqual(["edited", "edited", "cancelled"]);
    expect(seen).toMatchObject([
      { state: "waiting", route: "h.work", body: '{"n":10}', tags: ["a"], errors: [] },
      { state: "delayed", key: "k" },
      undefined,
    ]);
    await bench.drive();
    expect(ran).toEqual(["work 10"]);
    bench.offsetMs += 3_700_000;
    await bench.drive();
    expect(ran).toEqual(["work 10", "work 2"]);
  });

  test("jobs are searched for, and dead ones run again or are forgotten by what they have in common", async () => {
    let found: readonly JobInfo[] = [];
    const counts: number[] = [];
    const bench = await go(async ({ enqueueAll, jobs }) => {
      await enqueueAll(Work, [{ n: 7 }, { n: 8 }], { tags: ["mine"] });
      found = (await jobs.search({ tag: "mine", text: "8" })).found;
    });
    expect(found).toMatchObject([{ body: '{"n":8}', state: "waiting" }]);
    for (const n of [-1, -2]) {
      await bench.add("default", { kind: "job", route: "h.work" }, { payload: JSON.stringify({ n }) });
    }
    await bench.drive();
    expect((await bench.dead("default")).length).toBe(2);
    ran = [];
    const other = defineHandler({
      name: "o",
      routes: (r) => ({
        mend: r.command("mend", {
          run: async ({ jobs }) => {
            counts.push(await jobs.retry({ route: "h.work", text: "-2" }), await jobs.purge({ route: "h" }));
          },
        }),
      }),
    });
    const second = await openBench({ url, handlers: [other], keys: bench.context.keys });
    await second.say("!mend");
    await second.drive(["chat"]);
    await bench.drive();
    expect(counts).toEqual([1, 1]);
    expect(ran).toEqual(["work -2"]);
  });

  test("a paused key waits until it is resumed", async () => {
    const bench = await go(async ({ enqueue, queues }) => {
      await queues.pause("default", { key: "k" });
      await enqueue(Work, { n: 1 }, { key: "k" });
      await enqueue(Work, { n: 2 });
      await queues.limit("default", { concurrency: 5 });
      expect(await queues.depth()).toMatchObject({ ready: 2, dead: 0 });
    });
    await bench.drive();
    expect(ran).toEqual(["work 2"]);
  });

  test("a schedule is added, shown, paused, run now and removed", async () => {
    const seen: (ScheduleInfo | undefined)[] = [];
    const bench = await go(async ({ schedules }) => {
      const see = async () => void seen.push((await schedules.list())[0]);
      await schedules.add("hourly", { job: "h.work", input: { n: 5 }, every: "1h" });
      await see();
      await schedules.pause("hourly");
      await schedules.set("hourly", { spec: "0 * * * *", tz: "UTC", misfire: "all" });
      await see();
      await schedules.resume("hourly");
      await schedules.run("hourly");
      await schedules.remove("hourly");
      await see();
      await expect(schedules.reset("hourly")).rejects.toMatchObject({ code: "SCHEDULE_UNKNOWN" });
    });
    expect(seen).toMatchObject([
      { id: "hourly", route: "h.work", times: { kind: "every", periodMs: 3_600_000 }, paused: false, added: true },
      { times: { kind: "cron", spec: "0 * * * *" }, misfire: "all", paused: true },
      undefined,
    ]);
    await bench.drive();
    expect(ran).toEqual(["work 5"]);
  });

  test("a schedule that is run now runs once per call, however often the run is tried", async () => {
    const ids: string[][] = [];
    const handler = defineHandler({
      name: "h",
      routes: (r) => ({
        work: r.job(Work, { run: ({ input }) => void ran.push(`work ${input.n}`) }),
        now: r.job(Now, {
          run: async ({ schedules, attempt }) => {
            if (attempt === 1) await schedules.add("hourly", { job: "h.work", input: { n: 5 }, every: "1h" });
            ids.push([(await schedules.run("hourly")).id, (await schedules.run("hourly")).id]);
            if (attempt < 3) throw new Error("again");
          },
        }),
      }),
    });
    const bench = await openBench({ url, handlers: [handler] });
    await bench.add("default", { kind: "job", route: "h.now" }, { payload: "{}" });
    for (let attempt = 1; attempt <= 3; attempt++) {
      await bench.drive();
      bench.offsetMs += 60_000;
    }
    expect(ran).toEqual(["work 5", "work 5"]);
    expect(ids).toHaveLength(3);
    expect(new Set(ids.flat()).size).toBe(2);
  });
});
