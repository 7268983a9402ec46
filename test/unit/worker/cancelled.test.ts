// Deliveries that are cancelled before they begin, and Messages of which several routes run.

import { afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type Handler, defineHandler, job } from "../../../services/sdk/index.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";
import { ThreadBench } from "./thread-bench.ts";

const Work = job("work", z.object({ n: z.number() }));

let url = "";
const benches: ThreadBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

async function open(handler: Handler): Promise<ThreadBench> {
  const bench = await ThreadBench.open({ url, handlers: [handler] });
  benches.push(bench);
  return bench;
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
});
