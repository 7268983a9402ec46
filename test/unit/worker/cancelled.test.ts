// Deliveries that are cancelled before they begin, and Messages of which several routes run.

import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { cancelDelivery, editDelivery } from "../../../services/broker/jobs.ts";
import { Results } from "../../../services/queue/results.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { type Handler, defineHandler, job } from "../../../services/sdk/index.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";
import { openBench, type ThreadBench } from "./thread-bench.ts";

const Work = job("work", z.object({ n: z.number() }));

let url = "";
async function open(handler: Handler): Promise<ThreadBench> {
  return openBench({ url, handlers: [handler] });
}

eachServer((_name, getUrl) => {
  beforeAll(() => {
    url = getUrl();
  });

  test("one that waits in the thread behind another of its key is done unrun, in its turn", async () => {
    const ran: number[] = [];
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const bench = await open(
      defineHandler({
        name: "h",
        routes: (r) => ({
          work: r.job(Work, {
            run: async ({ input }) => {
              ran.push(input.n);
              if (input.n === 1) await released;
            },
          }),
        }),
      }),
    );
    for (const n of [1, 2, 3]) {
      const more = { payload: JSON.stringify({ n }), key: "k" };
      await bench.add("default", { kind: "job", route: "h.work" }, more);
    }
    const runs = await bench.take("default");
    const [, second] = runs[0]?.claims ?? [];
    bench.start(runs);
    await waitFor(() => ran.length === 1, { what: "the first one" });
    bench.runner.abort([second?.serial ?? 0], "cancel");
    release();
    const answered = await bench.answers(runs);
    expect(ran).toEqual([1, 3]);
    expect(answered.map(({ kind, history }) => [kind, (JSON.parse(history) as { outcome: string }).outcome])).toEqual([
      ["done", "done"],
      ["done", "cancelled"],
      ["done", "done"],
    ]);
    expect(await bench.settle("default", runs, answered)).toEqual([true, true, true]);
    expect(await bench.depth("default")).toMatchObject({ stored: 0 });
  });

  test("whoever awaits one that is cancelled while it runs is told so; one that waited has no result", async () => {
    const bench = await open(
      defineHandler({
        name: "h",
        routes: (r) => ({
          work: r.job(Work, {
            run: ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
          }),
        }),
      }),
    );
    const header = { kind: "job", route: "h.work", result: 60_000 } as const;
    const id = await bench.add("default", header, { payload: '{"n":1}' });
    const runs = await bench.take("default");
    bench.start(runs);
    await waitFor(() => bench.begun.length === 1, { what: "it began" });
    bench.runner.abort([runs[0]?.claims[0]?.serial ?? 0], "cancel");
    await bench.settle("default", runs, await bench.answers(runs));
    const waiting = await bench.add("default", header, { payload: '{"n":2}' });
    expect(await cancelDelivery(bench.context, waiting)).toBe("cancelled");
    const subscriber = openRedis({ url, name: "bells", purpose: "subscriber", onState: () => {} });
    const results = new Results({
      ...bench.context,
      subscriber: () => subscriber,
      clock: systemClock,
      random: Math.random,
    });
    const dead = { code: "JOB_DEAD", message: expect.stringContaining("cancelled") as string };
    await expect(results.await(id, 5000)).rejects.toMatchObject(dead);
    await expect(results.await(waiting, 5000)).rejects.toMatchObject({ code: "RESULT_MISSING" });
    await results.close();
    await closeRedis(subscriber);
  });

  test("of a Message whose first route is cancelled the others do not run, and nobody is told of a failure", async () => {
    const ran: string[] = [];
    const bench = await open(
      defineHandler({
        name: "h",
        routes: (r) => ({
          first: r.hear(/go/, {
            args: z.object({}),
            run: ({ signal }) => {
              ran.push("first");
              return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
            },
          }),
          second: r.hear(/go/, { args: z.object({}), run: () => void ran.push("second") }),
        }),
      }),
    );
    await bench.say("go");
    const runs = await bench.take("chat");
    bench.start(runs);
    await waitFor(() => ran.length === 1, { what: "the first route" });
    bench.runner.abort([runs[0]?.claims[0]?.serial ?? 0], "cancel");
    const answered = await bench.answers(runs);
    await bench.settle("chat", runs, answered);
    expect(answered).toMatchObject([{ kind: "done" }]);
    expect(ran).toEqual(["first"]);
    expect(await bench.texts()).toEqual([]);
    expect(await bench.depth("chat")).toMatchObject({ stored: 0, dead: 0 });
  });

  test("one whose large body is lost is told, and what waits for it goes on, also when it was moved before", async () => {
    const ran: number[] = [];
    const bench = await open(
      defineHandler({
        name: "h",
        routes: (r) => ({ work: r.job(Work, { run: ({ input }) => void ran.push(input.n) }) }),
      }),
    );
    const add = (n: number, more: object = {}): Promise<string> =>
      bench.add(
        "default",
        { kind: "job", route: "h.work" },
        { payload: JSON.stringify({ n, more: "x".repeat(5000) }), ...more },
      );
    const [first, moved] = [await add(1), await add(2)];
    expect(await editDelivery(bench.context, moved, { class: 2 })).toBe("edited");
    await add(3, { after: [first, moved] });
    const prefix = bench.context.keys.queue("default");
    const runs = await bench.take("default");
    for (const { claim } of runs.flatMap(({ claims }) => claims))
      if (claim.bodyToken !== "") await bench.client.del(`${prefix}:b:${claim.bodyToken}`);
    const answered = await bench.run(runs);
    expect(answered.map(({ kind, origin }) => [kind, origin])).toEqual(
      expect.arrayContaining([
        ["gone", first],
        ["gone", moved],
      ]),
    );
    await bench.settle("default", runs, answered);
    expect(bench.named("body.lost")).toEqual(
      expect.arrayContaining([
        { queue: "default", id: first },
        { queue: "default", id: moved },
      ]),
    );
    await bench.drive(["default"]);
    expect(ran).toEqual([3]);
    expect(await bench.depth("default")).toMatchObject({ stored: 0, dead: 0 });
    expect(await bench.client.hgetall(`${prefix}:o`)).toEqual({});
    expect(await bench.client.hget(`${prefix}:m`, "bodyBytes")).toBe("0");
  });

  test("of one whose claim is not in force any more nothing is told to be lost", async () => {
    const bench = await open(defineHandler({ name: "h", routes: (r) => ({ work: r.job(Work, { run: () => {} }) }) }));
    await bench.add("default", { kind: "job", route: "h.work" }, { payload: "x".repeat(5000) });
    const runs = await bench.take("default");
    const [claim] = runs.flatMap(({ claims }) => claims.map((one) => one.claim));
    const prefix = bench.context.keys.queue("default");
    await bench.client.del(`${prefix}:b:${claim?.bodyToken}`, `${prefix}:c:${runs[0]?.wid}`);
    expect(await bench.run(runs)).toMatchObject([{ kind: "lost" }]);
    expect(bench.named("body.lost")).toEqual([]);
  });
});
