// What becomes of jobs, events, webhooks and cron ticks in a handler thread.

import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { readHistory } from "../../../services/broker/history.ts";
import { defineHandler, event, type Handler, job } from "../../../services/sdk/index.ts";
import { eachServer } from "../../support/redis.ts";
import { type BenchOptions, openBench, type ThreadBench } from "./thread-bench.ts";

let url = "";
async function open(handlers: readonly Handler[], options: Partial<BenchOptions> = {}): Promise<ThreadBench> {
  return openBench({ url, handlers, ...options });
}

const Ship = job("ship", z.object({ app: z.string(), at: z.coerce.date().optional() }));
const Shipped = event("shipped", z.object({ app: z.string() }));

function notes(line: string | undefined): unknown {
  return JSON.parse(line ?? "{}");
}

eachServer((_name, getUrl) => {
  beforeAll(() => {
    url = getUrl();
  });

  describe("jobs and events", () => {
    test("a job gets its checked input and hears of its attempt; its result is in the history", async () => {
      const seen: unknown[] = [];
      const bench = await open([
        defineHandler({
          name: "deploy",
          routes: (r) => ({
            go: r.command("deploy <app>", {
              run: async ({ args, enqueue }) => {
                const { id } = await enqueue(Ship, { app: args.app, at: "2024-01-01" });
                return id;
              },
            }),
            ship: r.job(Ship, { run: ({ input, attempt }) => (seen.push(input, attempt), `shipped ${input.app}`) }),
          }),
        }),
      ]);
      await bench.say("!deploy api");
      const settled = await bench.drive();
      expect(seen).toEqual([{ app: "api", at: new Date("2024-01-01") }, 1]);
      expect(await bench.texts()).toEqual([settled[1]?.origin]);
      expect(notes(settled[1]?.history)).toMatchObject({
        routes: ["deploy.ship"],
        outcome: "done",
        result: "shipped api",
      });
      expect((await readHistory(bench.context, "default", 10)).map(({ text }) => text)).toEqual([settled[1]?.history]);
    });

    test("a key keeps jobs in order, a delay holds one back, a uid makes two one", async () => {
      const ran: string[] = [];
      const ids: string[] = [];
      const bench = await open([
        defineHandler({
          name: "deploy",
          routes: (r) => ({
            go: r.command("go", {
              run: async ({ enqueue }) => {
                const add = async (app: string, options: object): Promise<void> =>
                  void ids.push((await enqueue(Ship, { app }, options)).id);
                await add("a", { key: "k" });
                await add("b", { key: "k" });
                await add("later", { delay: "10m" });
                await add("once", { uid: "u" });
                await add("twice", { uid: "u" });
              },
            }),
            ship: r.job(Ship, { run: ({ input }) => void ran.push(input.app) }),
          }),
        }),
      ]);
      await bench.say("!go");
      await bench.drive();
      expect(ran.toSorted()).toEqual(["a", "b", "once"]);
      expect(ran.indexOf("a")).toBeLessThan(ran.indexOf("b"));
      expect(ids[4]).toBe(ids[3]);
      bench.offsetMs += 601_000;
      await bench.drive();
      expect(ran).toContain("later");
    });

    test("a retried run enqueues and emits once; every subscriber hears of an event", async () => {
      const heard: string[] = [];
      const bench = await open([
        defineHandler({
          name: "deploy",
          routes: (r) => ({
            ship: r.job(Ship, {
              run: async ({ input, attempt, emit, enqueue }) => {
                await emit(Shipped, { app: input.app });
                await enqueue(Note, {});
                if (attempt === 1) throw new Error("after the effects");
              },
            }),
            note: r.job(Note, { run: () => void heard.push("note") }),
            one: r.on(Shipped, { run: ({ payload }) => void heard.push(`one ${payload.app}`) }),
            two: r.on(Shipped, { run: ({ payload }) => void heard.push(`two ${payload.app}`) }),
          }),
        }),
      ]);
      await bench.add("default", { kind: "job", route: "deploy.ship" }, { payload: '{"app":"api"}' });
      await bench.drive();
      expect(heard.toSorted()).toEqual(["note", "one api", "two api"]);
      bench.offsetMs += 2_000;
      await bench.drive();
      expect(heard.length).toBe(3);
      expect(await bench.depth("default")).toMatchObject({ stored: 0 });
    });

    test("a step that was made is not made again: its result comes back, also after the step beside it failed", async () => {
      const made: string[] = [];
      const seen: unknown[] = [];
      const bench = await open([
        defineHandler({
          name: "deploy",
          routes: (r) => ({
            ship: r.job(Ship, {
              run: async ({ step, attempt }) => {
                const push = async (): Promise<{ sha: string; at: Date }> => {
                  made.push(`push ${attempt}`);
                  return { sha: "abc", at: new Date(0) };
                };
                seen.push(await step("push", push));
                await step("announce", () => {
                  made.push(`announce ${attempt}`);
                  if (attempt === 1) throw new Error("not yet");
                });
              },
            }),
          }),
        }),
      ]);
      await bench.add("default", { kind: "job", route: "deploy.ship" }, { payload: '{"app":"api"}' });
      await bench.drive();
      bench.offsetMs += 2_000;
      await bench.drive();
      expect(made).toEqual(["push 1", "announce 1", "announce 2"]);
      expect(seen).toEqual([{ sha: "abc", at: "1970-01-01T00:00:00.000Z" }, seen[0]]);
      expect(await bench.depth("default")).toMatchObject({ stored: 0 });
      expect(await bench.context.client.keys(`${bench.context.keys.tag}:*:e:*`)).toEqual([]);
    });

    test("a step's name used twice, or one that is none, is a coded error", async () => {
      const codes: unknown[] = [];
      const bench = await open([
        defineHandler({
          name: "deploy",
          routes: (r) => ({
            ship: r.job(Ship, {
              run: async ({ step }) => {
                const code = (error: unknown): void => void codes.push((error as { code?: unknown }).code);
                await step("one", () => 1);
                await step("one", () => 2).catch(code);
                await step("", () => 3).catch(code);
                await step("large", () => "x".repeat(300_000)).catch(code);
              },
            }),
          }),
        }),
      ]);
      await bench.add("default", { kind: "job", route: "deploy.ship" }, { payload: '{"app":"api"}' });
      expect((await bench.drive()).map(({ kind }) => kind)).toEqual(["done"]);
      expect(codes).toEqual(["INPUT_INVALID", "INPUT_INVALID", "VALUE_TOO_LARGE"]);
    });

    test("wrong input is refused where it is enqueued, and so is a job that nobody has", async () => {
      const codes: unknown[] = [];
      const bench = await open([
        defineHandler({
          name: "deploy",
          routes: (r) => ({
            go: r.command("go", {
              run: async ({ enqueue, emit }) => {
                const code = (error: unknown): void => void codes.push((error as { code?: unknown }).code);
                await enqueue(Ship, { app: 1 } as never).catch(code);
                await enqueue(Note, {}).catch(code);
                await emit(Shipped, {} as never).catch(code);
                await emit(event("nobody", z.object({})), {});
              },
            }),
            ship: r.job(Ship, { run: () => {} }),
          }),
        }),
      ]);
      await bench.say("!go");
      expect((await bench.drive()).map(({ kind }) => kind)).toEqual(["done"]);
      expect(codes).toEqual(["INPUT_INVALID", "ROUTE_UNKNOWN", "INPUT_INVALID"]);
    });

    test("retries grow apart and end in a dead letter with its reason; a keyed job holds its key, an unkeyed one does not", async () => {
      const bench = await open([
        defineHandler({
          name: "deploy",
          routes: (r) => ({
            ship: r.job(Ship, {
              attempts: 5,
              run: () => {
                throw new Error("no");
              },
            }),
          }),
        }),
      ]);
      await bench.add("default", { kind: "job", route: "deploy.ship" }, { payload: '{"app":"api"}', key: "k" });
      const [keyed] = await bench.drive();
      expect(keyed?.kind).toBe("block");
      const delays = [keyed?.delayMs ?? 0];
      for (let attempt = 2; attempt <= 5; attempt++) {
        bench.offsetMs += 600_000;
        const [settled] = await bench.drive();
        delays.push(settled?.delayMs ?? -1);
      }
      for (const [index, ceiling] of [1000, 2000, 4000, 8000].entries()) {
        expect(delays[index]).toBeGreaterThanOrEqual(ceiling / 2);
        expect(delays[index]).toBeLessThanOrEqual(ceiling);
      }
      expect(delays[4]).toBe(-1);
      expect(await bench.dead("default")).toMatchObject([{ reason: "deploy.ship: Error: no", key: "k" }]);
      expect(bench.named("run.dead")).toMatchObject([{ route: "deploy.ship", reason: "deploy.ship: Error: no" }]);
      await bench.add("default", { kind: "job", route: "deploy.ship" }, { payload: '{"app":"api"}' });
      expect((await bench.drive())[0]?.kind).toBe("skip");
    });

    test("what a job may do is asked of who caused it", async () => {
      const handlers = [
        defineHandler({
          name: "deploy",
          routes: (r) => ({
            go: r.command("go", { run: async ({ enqueue }) => void (await enqueue(Ship, { app: "x" })) }),
            ship: r.job(Ship, { restrictTo: ["deployers"], run: () => {} }),
          }),
        }),
      ];
      const bench = await open(handlers, { groups: { deployers: ["web:bob"] } });
      await bench.say("!go", { user: "web:bob" });
      expect((await bench.drive()).map(({ kind }) => kind)).toEqual(["done", "done"]);
      await bench.say("!go", { user: "web:ann" });
      expect((await bench.drive()).map(({ kind }) => kind)).toEqual(["done", "dead"]);
      expect(bench.named("run.refused")).toMatchObject([{ route: "deploy.ship", user: "web:ann" }]);
      await bench.say("!go", { user: "web:guest", admin: true });
      expect((await bench.drive()).map(({ kind }) => kind)).toEqual(["done", "done"]);
    });
  });

  const Note = job("note", z.object({}));

  describe("webhooks and cron", () => {
    const seen: unknown[] = [];
    const handlers = [
      defineHandler({
        name: "hooks",
        routes: (r) => ({
          push: r.post("/hooks/:repo", {
            body: z.object({ sha: z.string() }),
            query: z.object({ branch: z.string().default("main") }),
            run: ({ body, query, params, headers }) => void seen.push([body, query, params, headers["x-id"]]),
          }),
          raw: r.post("/raw", { contentTypes: ["application/octet-stream"], run: ({ body }) => void seen.push(body) }),
          nightly: r.cron("0 3 * * *", { tz: "UTC", run: ({ send }) => void send("web:lobby", "good night") }),
        }),
      }),
    ];
    const request = (type: string, search = "") => ({
      method: "POST",
      path: "/hooks/api",
      search,
      headers: { "content-type": type, "x-id": "1" },
      params: { repo: "api" },
    });

    test("a webhook gets what its schemas make of body, query and params, however large the body", async () => {
      seen.length = 0;
      const bench = await open(handlers);
      const header = { kind: "webhook", route: "hooks.push" } as const;
      const large = JSON.stringify({ sha: "s".repeat(71_000) });
      await bench.add(
        "default",
        { ...header, request: request("application/json; charset=utf-8") },
        { payload: large },
      );
      await bench.drive();
      await bench.add(
        "default",
        { ...header, request: request("application/x-www-form-urlencoded", "branch=dev") },
        { payload: "sha=1" },
      );
      await bench.drive();
      expect(seen).toEqual([
        [{ sha: "s".repeat(71_000) }, { branch: "main" }, { repo: "api" }, "1"],
        [{ sha: "1" }, { branch: "dev" }, { repo: "api" }, "1"],
      ]);
      seen.length = 0;
      await bench.add(
        "default",
        { kind: "webhook", route: "hooks.raw", request: request("application/octet-stream") },
        { payload: "\x00x" },
      );
      await bench.drive();
      expect(seen).toEqual([Buffer.from("\x00x")]);
    });

    test("malformed JSON and a body that does not fit are dead letters at once, with the reason", async () => {
      seen.length = 0;
      const bench = await open(handlers);
      const header = { kind: "webhook", route: "hooks.push", request: request("application/json") } as const;
      await bench.add("default", header, { payload: "{nope" });
      await bench.add("default", header, { payload: '{"sha":1}' });
      await bench.add("default", { kind: "job", route: "hooks.push" }, { payload: "{}" });
      expect((await bench.drive()).map(({ kind }) => kind)).toEqual(["dead", "dead", "dead"]);
      expect((await bench.dead("default")).map(({ reason }) => reason).toSorted()).toEqual([
        "hooks.push is a http route, and this is a job",
        expect.stringMatching(/^hooks\.push: INPUT_INVALID: body: sha: /),
        expect.stringMatching(/^hooks\.push: INPUT_INVALID: the body is no JSON: /),
      ]);
      expect(seen).toEqual([]);
      expect(bench.named("run.failed")).toEqual([]);
    });

    test("a cron tick runs its route", async () => {
      const bench = await open(handlers);
      await bench.add("default", { kind: "cron", route: "hooks.nightly" }, { payload: '{"slot":1}' });
      await bench.drive();
      expect(await bench.texts()).toEqual(["good night"]);
    });
  });

  describe("the store", () => {
    const handler = defineHandler({
      name: "count",
      routes: (r) => ({
        up: r.command("up", {
          run: async ({ store }) => {
            const before = (await store.get("n", z.number())) ?? 0;
            store.set("n", before + 1);
            return `${await store.get("n")}`;
          },
        }),
        fail: r.command("fail", {
          run: ({ store }) => {
            store.set("n", 100);
            throw new Error("no");
          },
        }),
        twice: r.hear(/twice/, { args: z.object({}), run: ({ store }) => store.set("n", 7) }),
        seen: r.hear(/twice/, { args: z.object({}), run: async ({ store }) => `seen ${String(await store.get("n"))}` }),
        clear: r.command("clear", { run: ({ store }) => store.delete("n") }),
        odd: r.command("odd", { run: ({ store }) => store.set("n", "text") }),
        large: r.command("large", { run: ({ store }) => store.set("big", "x".repeat(10_000)) }),
      }),
    });

    test("a run reads its own writes; others read them when it has succeeded", async () => {
      const bench = await open([handler]);
      for (const text of ["!up", "!up", "!fail", "!up", "twice", "!clear", "!up", "!large", "!odd", "!up"]) {
        await bench.say(text);
        await bench.drive();
      }
      expect((await bench.texts()).filter((text) => !text.startsWith("Sorry"))).toEqual(["1", "2", "3", "seen 7", "1"]);
      expect(bench.named("run.failed").map(({ error }) => (error as { code?: string }).code)).toEqual([
        undefined,
        "INPUT_INVALID",
      ]);
      const fields = await bench.client.hgetall(bench.context.keys.store("count"));
      expect(fields).toEqual({ n: '"text"', big: JSON.stringify("x".repeat(10_000)) });
    });
  });
});
