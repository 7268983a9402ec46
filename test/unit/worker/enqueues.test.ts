// What a run can enqueue: where it goes, when it runs, what waits for what, and that a second attempt enqueues nothing twice.

import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Ctx, defineHandler, event, type Handler, job } from "../../../services/sdk/index.ts";
import { eachServer } from "../../support/redis.ts";
import { openBench, type ThreadBench } from "./thread-bench.ts";

let url = "";
async function open(handlers: readonly Handler[]): Promise<ThreadBench> {
  return openBench({ url: url, handlers });
}

const Item = job("item", z.object({ n: z.number() }));
const Sum = job("sum", z.object({}));
const Media = job("media", z.object({}), { queue: "media", tag: "gpu" });
const Heard = event("heard", z.object({}));

interface Lab {
  readonly bench: ThreadBench;
  readonly ran: string[];
}

/** Says `!go`, which runs `go`; its jobs write into `ran` what they are. */
async function go(run: (ctx: Ctx) => unknown, queues = ["chat"]): Promise<Lab> {
  const ran: string[] = [];
  const bench = await open([
    defineHandler({
      name: "h",
      routes: (r) => ({
        go: r.command("go", { attempts: 3, run: (ctx) => run(ctx) }),
        item: r.job(Item, {
          attempts: 1,
          run: ({ input }) => {
            ran.push(`item ${input.n}`);
            if (input.n < 0) throw new Error("bad item");
          },
        }),
        sum: r.job(Sum, { run: () => void ran.push("sum") }),
        media: r.job(Media, { run: () => void ran.push("media") }),
        heard: r.on(Heard, { queue: "events", tag: "eu", class: 2, run: () => void ran.push("heard") }),
      }),
    }),
  ]);
  await bench.say("!go");
  await bench.drive(queues);
  return { bench, ran };
}

const ALL = ["chat", "default"];

eachServer((_name, getUrl) => {
  beforeAll(() => {
    url = getUrl();
  });

  describe("places", () => {
    test("a job, an event and an enqueue say which queue and tag it goes to", async () => {
      const { bench, ran } = await go(async ({ enqueue, emit }) => {
        await enqueue(Media, {});
        await enqueue(Media, {}, { queue: "urgent", tag: "eu" });
        await emit(Heard, {});
      });
      const queues = await bench.client.smembers(bench.context.keys.queues());
      expect(queues.toSorted()).toEqual(["chat", "events+eu", "media+gpu", "urgent+eu"]);
      await bench.drive(queues);
      expect(ran.toSorted()).toEqual(["heard", "media", "media"]);
    });

    test("a lower class goes first", async () => {
      const { ran } = await go(async ({ enqueue }) => {
        await enqueue(Item, { n: 3 }, { class: 3 });
        await enqueue(Item, { n: 0 }, { class: 0 });
      }, ALL);
      expect(ran).toEqual(["item 0", "item 3"]);
    });

    test("lanes let as many of a key run side by side, and no more", async () => {
      const { bench } = await go(async ({ enqueueAll }) => {
        const many = Array.from({ length: 40 }, (_, n) => ({ n }));
        await enqueueAll(Item, many, { key: "api", lanes: 3 });
      });
      const keys = (await bench.take("default")).map(({ claims }) => claims[0]?.claim.key);
      expect(keys.toSorted()).toEqual(["api#0", "api#1", "api#2"]);
    });
  });

  describe("times", () => {
    test("at is a moment, by the server's clock", async () => {
      const { bench, ran } = await go(
        ({ enqueue }) => enqueue(Item, { n: 1 }, { at: new Date(Date.now() + 60_000) }),
        ALL,
      );
      expect(ran).toEqual([]);
      bench.offsetMs += 61_000;
      await bench.drive();
      expect(ran).toEqual(["item 1"]);
    });

    test("what has expired is not run, and is no failure", async () => {
      const { bench, ran } = await go(async ({ enqueue }) => {
        await enqueue(Item, { n: 1 }, { expires: "10s" });
        await enqueue(Item, { n: 2 }, { expires: new Date(Date.now() + 10_000) });
        await enqueue(Item, { n: 3 }, { expires: "1h" });
      });
      bench.offsetMs += 11_000;
      const settled = await bench.drive();
      expect(ran).toEqual(["item 3"]);
      expect(settled.map(({ kind }) => kind)).toEqual(["done", "done", "done"]);
      expect(bench.named("run.expired")).toMatchObject([{ route: "h.item" }, { route: "h.item" }]);
      expect(JSON.parse(settled[0]?.history ?? "")).toMatchObject({ outcome: "expired", routes: ["h.item"] });
      expect(await bench.depth("default")).toMatchObject({ stored: 0, dead: 0 });
    });

    test("what was taken in time but waited too long behind others of its key has expired too", async () => {
      const ran: number[] = [];
      const bench = await open([
        defineHandler({
          name: "h",
          routes: (r) => ({
            item: r.job(Item, {
              run: async ({ input }) => {
                ran.push(input.n);
                await new Promise((resolve) => setTimeout(resolve, 30));
              },
            }),
          }),
        }),
      ]);
      const notAfter = Date.now() + 60_000;
      for (const n of [1, 2]) {
        const header = { kind: "job", route: "h.item", ...(n === 2 ? { notAfter } : {}) } as const;
        await bench.add("default", header, { payload: JSON.stringify({ n }), key: "k" });
      }
      // Both are taken a few milliseconds before the second one expires.
      bench.offsetMs = notAfter - Date.now() - 15;
      await bench.drive();
      expect(ran).toEqual([1]);
    });

    test("a retry that comes too late has expired too", async () => {
      let runs = 0;
      const Again = job("again", z.object({}));
      const bench = await open([
        defineHandler({
          name: "h",
          routes: (r) => ({
            go: r.command("go", { run: ({ enqueue }) => enqueue(Again, {}, { expires: "30s" }) }),
            again: r.job(Again, {
              retry: { every: "20s" },
              run: () => {
                runs++;
                throw new Error("no");
              },
            }),
          }),
        }),
      ]);
      await bench.say("!go");
      for (const ms of [0, 21_000, 21_000]) {
        bench.offsetMs += ms;
        await bench.drive();
      }
      expect(runs).toBe(2);
      expect(await bench.depth("default")).toMatchObject({ stored: 0 });
    });
  });

  describe("unique", () => {
    test("until it has ended, replaced by what is newer", async () => {
      const ids: string[] = [];
      const unique = { id: "x", until: "end", repeat: "replace" } as const;
      const { bench, ran } = await go(async ({ enqueue }) => {
        for (const n of [1, 2]) ids.push((await enqueue(Item, { n }, { unique })).id);
      }, ALL);
      expect(new Set(ids).size).toBe(1);
      expect(ran).toEqual(["item 2"]);
      await bench.say("!go");
      await bench.drive();
      expect(ids[2]).not.toBe(ids[0]);
      expect(ran).toEqual(["item 2", "item 2"]);
    });
  });

  describe("many at once", () => {
    test("enqueueAll keeps the order and gives the ids in it", async () => {
      let ids: readonly { readonly id: string }[] = [];
      const { ran } = await go(async ({ enqueueAll }) => {
        const many = Array.from({ length: 1500 }, (_, n) => ({ n }));
        ids = await enqueueAll(Item, many, { key: "k" });
      }, ALL);
      expect(ran).toEqual(Array.from({ length: 1500 }, (_, n) => `item ${n}`));
      expect(new Set(ids.map(({ id }) => id)).size).toBe(1500);
    });

    test("nothing is enqueued when one of them is wrong, and all wrong ones are named", async () => {
      let message = "";
      const { bench } = await go(async ({ enqueueAll }) => {
        const wrong = [{ n: 1 }, { n: "x" as never }, { n: 2 }, { n: Number.NaN }];
        message = await enqueueAll(Item, wrong).then(
          () => "",
          (error: Error) => error.message,
        );
      });
      expect(message).toMatch(/number 2: .*n: .*number 4: .*input\.n is NaN/);
      expect((await bench.depth("default")).stored).toBe(0);
    });

    test("a batch: the last one runs when all members have finished, whichever order they end in", async () => {
      let made: { readonly id: string; readonly members: readonly string[] } | undefined;
      const { bench, ran } = await go(async ({ batch }) => {
        made = await batch(
          [
            { job: Item, input: { n: 1 }, options: { delay: "10s" } },
            { job: Item, input: { n: 2 } },
            { job: Media, input: {} },
          ],
          { job: Sum, input: {} },
        );
      }, ALL);
      expect(made?.members.length).toBe(3);
      expect(ran).toEqual(["item 2"]);
      await bench.drive(["media+gpu"]);
      expect(ran).toEqual(["item 2", "media"]);
      bench.offsetMs += 11_000;
      await bench.drive();
      expect(ran).toEqual(["item 2", "media", "item 1", "sum"]);
    });

    test("a member that is a dead letter holds the last one back", async () => {
      const { bench, ran } = await go(
        ({ batch }) => batch([{ job: Item, input: { n: -1 } }], { job: Sum, input: {} }),
        ALL,
      );
      expect(ran).toEqual(["item -1"]);
      expect(await bench.depth("default")).toMatchObject({ dead: 1, stored: 2 });
    });

    test("a batch of nothing runs its last one at once", async () => {
      const { ran } = await go(({ batch }) => batch([], { job: Sum, input: {} }), ALL);
      expect(ran).toEqual(["sum"]);
    });

    test("a second attempt enqueues nothing twice", async () => {
      const { bench, ran } = await go(async ({ attempt, enqueueAll, batch, enqueue }) => {
        await enqueueAll(Item, [{ n: 1 }, { n: 1 }]);
        await enqueue(Item, { n: 2 }, { at: new Date(Date.now() - attempt), key: "k", lanes: 5 });
        await batch([{ job: Item, input: { n: 3 } }], { job: Sum, input: {} });
        if (attempt === 1) throw new Error("again");
      });
      bench.offsetMs += 5000;
      await bench.drive();
      expect(ran.toSorted()).toEqual(["item 1", "item 1", "item 2", "item 3", "sum"]);
    });
  });

  test(
    "a run may have 10,000 effects, whatever a queue's limit; more are refused, many at once before the first",
    { timeout: 60_000 },
    async () => {
      const refused: unknown[] = [];
      const note = (error: { code: string }): void => void refused.push(error.code);
      const { bench } = await go(async ({ enqueue, enqueueAll, batch, emit, step, progress }) => {
        const many = (count: number) => Array.from({ length: count }, (_, n) => ({ n }));
        await enqueueAll(Item, many(10_001)).catch(note);
        await enqueueAll(Item, many(9_999));
        progress("no effect");
        const members = many(1).map((input) => ({ job: Item, input }));
        await batch(members, { job: Sum, input: {} }).catch(note);
        await enqueue(Sum, {});
        await enqueue(Sum, {}).catch(note);
        await emit(Heard, {}).catch(note);
        await step("one more", () => 1).catch(note);
      });
      expect(refused).toEqual(Array.from({ length: 5 }, () => "TOO_MANY_EFFECTS"));
      expect((await bench.depth("default")).stored).toBe(10_000);
    },
  );

  test("what is wrong with an enqueue fails it with a code, and everything is told", async () => {
    const errors: { code: string; message: string }[] = [];
    await go(async ({ enqueue, emit }) => {
      const note = (error: { code: string; message: string }): void => void errors.push(error);
      await enqueue(Item, { n: 1 }, { delay: "-1s" as never, key: "k".repeat(600) }).catch(note);
      await enqueue(Sum, { at: new Date(0) } as never).catch(note);
      await enqueue(Item, { n: "x" } as never).catch(note);
      await emit(Heard, { f: () => 1 } as never).catch(note);
      await enqueue(job("nobody", z.object({})), {}).catch(note);
    });
    expect(errors.map(({ code }) => code)).toEqual([
      "OPTIONS_INVALID",
      "VALUE_NOT_JSON",
      "INPUT_INVALID",
      "VALUE_NOT_JSON",
      "ROUTE_UNKNOWN",
    ]);
    expect(errors[0]?.message).toMatch(/key must be.*delay must be/);
    expect(errors[1]?.message).toContain("input.at is a Date");
  });
});
