// What a route's retry policy makes of a failure: when it runs again, when not.

import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { defineHandler, fail, job, type RetryPolicy } from "../../../services/sdk/index.ts";
import type { AnyRoute } from "../../../services/sdk/routes.ts";
import { againAfter } from "../../../services/worker/results.ts";
import { eachServer } from "../../support/redis.ts";
import { openBench, type ThreadBench } from "./thread-bench.ts";

const Work = job("work", z.object({}));

let url = "";
interface Options {
  readonly retry?: RetryPolicy;
  readonly noRetry?: readonly (string | typeof TypeError)[] | ((error: unknown) => boolean);
  readonly attempts?: number;
  readonly run?: () => unknown;
}

function handlerOf({ run = boom, ...options }: Options) {
  return defineHandler({ name: "h", routes: (r) => ({ work: r.job(Work, { ...options, run }) }) });
}

function boom(): never {
  throw new TypeError("boom");
}

function pauses(options: Options, attempts: readonly number[], random = () => 0.999_999): (number | undefined)[] {
  const route = handlerOf(options).routes["work"] as AnyRoute;
  return attempts.map((attempt) => againAfter(route, { attempt, error: new TypeError("x") }, random).retry?.delayMs);
}

/** Enqueues one and drives it once. */
async function once(options: Options): Promise<{ bench: ThreadBench; settled: unknown }> {
  const bench = await openBench({ url: url, handlers: [handlerOf(options)] });
  await bench.add("default", { kind: "job", route: "h.work" }, { payload: "{}", key: "k" });
  return { bench, settled: (await bench.drive())[0] };
}

eachServer((_name, getUrl) => {
  beforeAll(() => {
    url = getUrl();
  });

  describe("pauses", () => {
    test("double up to five minutes by default, and end after minutes of tries", () => {
      expect(pauses({}, [1, 2, 3, 9, 10])).toEqual([1000, 2000, 4000, 256_000, undefined]);
      expect(pauses({ attempts: 30 }, [29])).toEqual([300_000]);
      expect(pauses({}, [1, 2], () => 0)).toEqual([500, 1000]);
    });

    test("follow first, max and jitter", () => {
      expect(pauses({ retry: { first: "10s", max: "25s", jitter: 0 } }, [1, 2, 3, 4])).toEqual([
        10_000, 20_000, 25_000, 25_000,
      ]);
      expect(pauses({ retry: { first: "10s", jitter: 1 } }, [1], () => 0.25)).toEqual([2500]);
    });

    test("are all the same with every", () => {
      expect(pauses({ retry: { every: "10s" }, attempts: 3 }, [1, 2, 3])).toEqual([10_000, 10_000, undefined]);
    });

    test("walk a list, whose last entry repeats without end", () => {
      expect(pauses({ retry: ["3s", "30s", "24h"] }, [1, 2, 3, 4, 5000])).toEqual([
        3000, 30_000, 86_400_000, 86_400_000, 86_400_000,
      ]);
    });

    test("are what a function says, which gives up by saying nothing", () => {
      const retry: RetryPolicy = (attempt, error) =>
        attempt < 3 && error instanceof TypeError ? `${attempt * 100}ms` : undefined;
      expect(pauses({ retry }, [1, 2, 3])).toEqual([100, 200, undefined]);
    });
  });

  test("reaching the last entry of a list is told, once", async () => {
    const { bench, settled } = await once({ retry: ["1s", "2s"] });
    expect(settled).toMatchObject({ kind: "block", delayMs: 1000 });
    for (const expected of [0, 1, 1, 1]) {
      expect(bench.named("retry.exhausted").length).toBe(expected);
      bench.offsetMs += 3000;
      await bench.drive();
    }
    expect(bench.named("retry.exhausted")).toMatchObject([{ route: "h.work", attempt: 2, everyMs: 2000 }]);
  });

  test("a function that throws is told of, and the usual pauses stand in, up to the usual end", async () => {
    const { bench, settled } = await once({
      retry: () => {
        throw new Error("my policy is broken");
      },
    });
    expect(settled).toMatchObject({ kind: "block" });
    expect((settled as { delayMs: number }).delayMs).toBeLessThanOrEqual(1000);
    expect(String(bench.named("retry.unfit")[0]?.["error"])).toContain("my policy is broken");
    const retry = (() => "soon") as unknown as RetryPolicy;
    expect(pauses({ retry }, [1, 10])).toEqual([1000, undefined]);
  });

  test("an error of noRetry is a dead letter at once; one that it does not know is tried again", async () => {
    const { bench, settled } = await once({ noRetry: [TypeError] });
    expect(settled).toMatchObject({ kind: "dead", error: "h.work: TypeError: boom" });
    expect(await bench.dead("default")).toHaveLength(1);
    expect((await once({ noRetry: ["RangeError"] })).settled).toMatchObject({ kind: "block" });
  });

  test("a noRetry that throws says nothing", async () => {
    const noRetry = (): boolean => {
      throw new Error("broken");
    };
    expect((await once({ noRetry })).settled).toMatchObject({ kind: "block" });
  });

  test("fail, returned or thrown, is a dead letter at once, with its reason", async () => {
    const thrown = (): never => {
      throw fail("no such customer");
    };
    for (const run of [() => fail("no such customer"), thrown]) {
      const { bench, settled } = await once({ run });
      expect(settled).toMatchObject({ kind: "dead", error: "h.work: no such customer" });
      expect(bench.named("run.failed")).toMatchObject([{ error: "no such customer", next: "dead letter" }]);
    }
  });

  test("attempts: 1 goes straight to the dead letters", async () => {
    expect((await once({ attempts: 1 })).settled).toMatchObject({ kind: "dead" });
  });
});
