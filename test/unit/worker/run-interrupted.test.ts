// Deliveries that are not for this thread, runs that are interrupted, and runs that ended with their thread.

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { publicId } from "../../../services/runtime/ids.ts";
import { defineHandler, event, type Handler, job } from "../../../services/sdk/index.ts";
import { testRedis } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type BenchOptions, openBench, type ThreadBench } from "./thread-bench.ts";

async function open(handlers: readonly Handler[], options: Partial<BenchOptions> = {}): Promise<ThreadBench> {
  return openBench({ url: (await testRedis()).url, handlers, ...options });
}

const Ship = job("ship", z.object({ app: z.string(), at: z.coerce.date().optional() }));
const Shipped = event("shipped", z.object({ app: z.string() }));

const Note = job("note", z.object({}));

describe("what is not this thread's to run", () => {
  const handlers = [defineHandler({ name: "some", routes: (r) => ({ note: r.job(Note, { run: () => {} }) }) })];

  test("an unknown route waits for a worker that knows it, uncounted, and is a dead letter after an hour", async () => {
    const bench = await open(handlers);
    await bench.add("default", { kind: "job", route: "new.route" }, { route: 99, payload: "{}" });
    const [settled] = await bench.drive();
    expect(settled).toMatchObject({ kind: "wait", error: "ROUTE_UNKNOWN: new.route" });
    bench.offsetMs += 10_000;
    expect((await bench.drive())[0]).toMatchObject({ kind: "wait" });
    bench.offsetMs += 3_700_000;
    expect((await bench.drive())[0]).toMatchObject({ kind: "dead", error: "ROUTE_UNKNOWN: new.route" });
    expect((await bench.dead("default"))[0]?.element.attempts).toBe(1);
  });

  test("bytes that are no delivery are a dead letter; a deleted delivery is done unrun", async () => {
    const bench = await open(handlers);
    await bench.add("default", { kind: "message" }, { payload: "{}" });
    await bench.add("default", { kind: "message" }, { payload: "nonsense" });
    expect((await bench.drive()).map(({ kind, error }) => [kind, error])).toEqual([
      ["dead", "the payload is no Message"],
      ["dead", "the payload is no Message"],
    ]);
    const id = await bench.add("default", { kind: "job", route: "some.note" }, { payload: "{}" });
    const prefix = bench.context.keys.queue("default");
    const number = (await bench.client.hkeys(`${prefix}:j`)).find((field) => publicId(field) === id) ?? "";
    await bench.client.hdel(`${prefix}:j`, number);
    expect((await bench.drive()).map(({ kind, history }) => [kind, history])).toEqual([["gone", ""]]);
  });
});

describe("a run that is interrupted", () => {
  function slow(): { handler: Handler; log: string[] } {
    const log: string[] = [];
    const handler = defineHandler({
      name: "slow",
      routes: (r) => ({
        note: r.job(Note, {
          run: async ({ signal, emit, attempt }) => {
            log.push(`run ${attempt}`);
            await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
            await emit(Shipped, { app: "x" });
          },
        }),
        stubborn: r.job(Ship, {
          run: async ({ signal, send }) => {
            log.push("stubborn");
            await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
            await send("web:lobby", "too late").catch((error: unknown) => log.push((error as { code: string }).code));
          },
        }),
      }),
    });
    return { handler, log };
  }

  test("by its timeout has failed; by a drain goes back uncounted", async () => {
    const { handler, log } = slow();
    const bench = await open([handler]);
    await bench.add("default", { kind: "job", route: "slow.note" }, { payload: "{}" });
    for (const [reason, kind] of [
      ["drain", "interrupted"],
      ["timeout", "skip"],
    ] as const) {
      const runs = await bench.take("default");
      const answered = bench.run(runs);
      await waitFor(() => log.length > 0);
      bench.runner.abort([runs[0]?.claims[0]?.serial ?? 0], reason);
      const [settled] = await answered;
      expect(settled?.kind).toBe(kind);
      if (kind === "skip") expect(settled?.error).toMatch(/^RUN_TIMEOUT: /);
      else
        await (await bench.claims("default")).release(runs.flatMap(({ claims }) => claims.map(({ claim }) => claim)));
      expect(log.splice(0)).toEqual(["run 1"]);
    }
    expect(bench.named("run.interrupted")).toMatchObject([{ route: "slow.note" }]);
    expect(bench.begun[0]).toMatchObject({ timeoutMs: 600_000 });
  });

  test("after its claim is lost can write nothing more, and neither can one that has ended", async () => {
    const { handler, log } = slow();
    const bench = await open([handler]);
    await bench.add("default", { kind: "job", route: "slow.stubborn" }, { payload: '{"app":"x"}' });
    const runs = await bench.take("default");
    const answered = bench.run(runs);
    await waitFor(() => log.length > 0);
    await (await bench.claims("default")).release(runs.flatMap(({ claims }) => claims.map(({ claim }) => claim)));
    bench.runner.abort([runs[0]?.claims[0]?.serial ?? 0], "timeout");
    expect((await answered)[0]?.kind).toBe("lost");
    expect(log).toEqual(["stubborn", "CLAIM_LOST"]);
    expect(await bench.texts()).toEqual([]);
  });

  test("starts nothing once main closed the gate, and answers what it was told to drop", async () => {
    const { handler, log } = slow();
    const bench = await open([handler]);
    for (let index = 0; index < 3; index++) {
      await bench.add("default", { kind: "job", route: "slow.note" }, { payload: "{}", key: "k" });
    }
    bench.isOpen = false;
    const runs = await bench.take("default");
    const answered = await bench.run(runs);
    expect(answered.map(({ kind }) => kind)).toEqual(["interrupted"]);
    expect(log).toEqual([]);
  });

  test("a handler that goes on after it has answered cannot say anything", async () => {
    const codes: unknown[] = [];
    let later: (() => Promise<unknown>) | undefined;
    const bench = await open([
      defineHandler({
        name: "zombie",
        routes: (r) => ({
          note: r.job(Note, {
            run: ({ send }) => {
              later = () => send("web:lobby", "still here");
            },
          }),
        }),
      }),
    ]);
    await bench.add("default", { kind: "job", route: "zombie.note" }, { payload: "{}" });
    await bench.drive();
    await later?.().catch((error: unknown) => codes.push((error as { code?: unknown }).code));
    expect(codes).toEqual(["CLAIM_LOST"]);
    expect(await bench.texts()).toEqual([]);
  });
});

describe("a run that ended with its thread", () => {
  const handlers = [
    defineHandler({
      name: "poison",
      routes: (r) => ({
        note: r.job(Note, {
          run: () => {
            throw new Error("must not run");
          },
        }),
        say: r.command("say", {
          run: () => {
            throw new Error("must not run");
          },
        }),
      }),
    }),
  ];
  const timeout = { code: "RUN_TIMEOUT", detail: "after 100 ms", afterMs: 100 } as const;
  const crash = { code: "RUN_CRASHED", detail: "out of memory", afterMs: 5 } as const;

  test("counts an attempt when its time was over", async () => {
    const bench = await open(handlers);
    await bench.add("default", { kind: "job", route: "poison.note" }, { payload: "{}" });
    const [settled] = await bench.tick("default", timeout);
    expect(settled).toMatchObject({ kind: "skip", error: expect.stringMatching(/^RUN_TIMEOUT: .*after 100 ms/) });
  });

  test("in chat it was the only one, and the person is told", async () => {
    const bench = await open(handlers);
    await bench.say("!say");
    expect((await bench.tick("chat", timeout))[0]?.kind).toBe("dead");
    expect(await bench.texts()).toEqual([expect.stringMatching(/^Sorry, that went wrong/)]);
  });

  test("only the route that ran is to blame; the others of its Message run", async () => {
    const ran: string[] = [];
    const hear = (name: string) => ({ args: z.object({}), run: () => (ran.push(name), name) });
    const many = defineHandler({
      name: "many",
      routes: (r) => ({ a: r.hear(/go/, hear("a")), b: r.hear(/go/, hear("b")), c: r.hear(/go/, hear("c")) }),
    });
    const bench = await open([many]);
    await bench.say("go");
    const [settled] = await bench.tick("chat", { ...timeout, route: bench.numbers.get("many.b") ?? 0 });
    expect(ran).toEqual(["a", "c"]);
    expect(settled).toMatchObject({ kind: "dead", error: expect.stringMatching(/^many\.b: RUN_TIMEOUT/) });
    expect(await bench.texts()).toEqual(["a", expect.stringMatching(/^Sorry/), "c"]);
  });

  test("counts a crash when it took the thread with it, and the third is the last", async () => {
    const bench = await open(handlers);
    await bench.say("!say");
    await bench.add("default", { kind: "job", route: "poison.note" }, { payload: "{}" });
    for (const queue of ["chat", "default"]) {
      for (const kind of ["crash", "crash", "dead"]) {
        bench.offsetMs += 60_000;
        const [settled] = await bench.tick(queue, crash);
        expect(settled?.kind).toBe(kind);
      }
      expect((await bench.dead(queue))[0]?.reason).toMatch(/CRASH_LIMIT.*out of memory/);
    }
    expect(await bench.texts()).toEqual([expect.stringMatching(/^Sorry, that went wrong/)]);
  });
});
