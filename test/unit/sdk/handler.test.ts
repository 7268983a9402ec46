// defineHandler: plain frozen data, and everything that is wrong told at once.

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineHandler, event, type Handler, job } from "../../../services/sdk/handler.ts";
import type { Route, Routes } from "../../../services/sdk/options.ts";
import type { AnyRoute, HandlerShape } from "../../../services/sdk/routes.ts";

const run = (): void => {};
const Ship = job("deploy.ship", z.object({ app: z.string() }));
const Shipped = event("deploy.shipped", z.object({ app: z.string() }));

/** What the rest of Antiphon sees of it. */
function shapeOf(handler: Handler): HandlerShape {
  return handler as unknown as HandlerShape;
}

function only(make: (r: Routes<unknown>) => Route): AnyRoute {
  const route = shapeOf(defineHandler({ name: "h", routes: (r) => ({ it: make(r) }) })).routes["it"];
  if (route === undefined) throw new Error("no route");
  return route;
}

/** The problems that a definition is refused with, as plain JavaScript could write it. */
function problemsOf(definition: unknown): readonly string[] {
  try {
    defineHandler(definition as Parameters<typeof defineHandler>[0]);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as TypeError).cause as string[];
  }
  throw new Error("it was accepted");
}

type Loose = Record<keyof Routes<unknown>, (...given: unknown[]) => Route>;
const problemOf = (make: (r: Loose) => unknown): string =>
  problemsOf({ name: "h", routes: (r: unknown) => ({ it: make(r as Loose) }) }).join("; ");

describe("a handler", () => {
  const config = z.object({ api: z.string() });
  const handler = defineHandler({
    name: "deploy",
    config,
    setup: run,
    teardown: run,
    routes: (r) => ({ ship: r.job(Ship, { restrictTo: ["deployers"], run }), ping: r.command("ping", { run }) }),
  });

  test("is frozen data all the way down", () => {
    const { routes } = shapeOf(handler);
    for (const value of [handler, routes, ...Object.values(routes), routes["ship"]?.restrictTo, routes["ship"]?.needs])
      expect(Object.isFrozen(value)).toBe(true);
    expect(Object.getPrototypeOf(handler)).toBe(Object.prototype);
  });

  test("has a format, its functions, and routes under stable ids", () => {
    const shape = shapeOf(handler);
    expect(shape).toMatchObject({ format: 1, name: "deploy", config, setup: run, teardown: run });
    expect(Object.values(shape.routes).map((route) => route.id)).toEqual(["deploy.ship", "deploy.ping"]);
  });

  test("without a schema has no config", () => {
    expect(Object.keys(defineHandler({ name: "x", routes: (r) => ({ a: r.fallback({ run }) }) }))).toEqual([
      "format",
      "name",
      "routes",
    ]);
  });
});

describe("routes get their defaults", () => {
  test("chat runs once and for a minute, work ten times and for ten minutes", () => {
    const chat = { attempts: 1, timeoutMs: 60_000, needs: [] };
    const work = { attempts: 10, timeoutMs: 600_000, needs: [] };
    expect(only((r) => r.command("a", { run }))).toMatchObject(chat);
    expect(only((r) => r.hear(/a/, { run }))).toMatchObject(chat);
    expect(only((r) => r.fallback({ run }))).toMatchObject(chat);
    expect(only((r) => r.job(Ship, { run }))).toMatchObject({ kind: "job", job: Ship, ...work });
    expect(only((r) => r.on(Shipped, { run }))).toMatchObject({ kind: "event", event: Shipped, ...work });
    expect(only((r) => r.every("5m", { run }))).toMatchObject({ kind: "every", periodMs: 300_000, ...work });
    const cron = only((r) => r.cron(" 0 9 * * 1-5 ", { tz: "Europe/Paris", attempts: 2, timeout: "90s", run }));
    expect(cron).toMatchObject({
      kind: "cron",
      spec: "0 9 * * 1-5",
      tz: "Europe/Paris",
      attempts: 2,
      timeoutMs: 90_000,
    });
  });

  test("limits and places are kept as they are run", () => {
    const rate = { limit: 100, per: "1m", burst: 10, by: "key" } as const;
    expect(only((r) => r.job(Ship, { run, rate, concurrency: 3, maxHeap: 200 }))).toMatchObject({
      rate: { limit: 100, perMs: 60_000, burst: 10, by: "key" },
      concurrency: 3,
      maxHeapMb: 200,
    });
    expect(only((r) => r.on(Shipped, { run, queue: "low", tag: "eu", class: 3 }))).toMatchObject({
      queue: "low+eu",
      class: 3,
    });
  });

  test("HTTP", () => {
    expect(only((r) => r.post("/hooks/:repo", { run }))).toEqual({
      id: "h.it",
      kind: "http",
      method: "POST",
      path: "/hooks/:repo",
      attempts: 10,
      timeoutMs: 600_000,
      needs: [],
      meta: {},
      queue: "default",
      parse: "after",
      limitBytes: 1_048_576,
      contentTypes: ["application/json", "application/x-www-form-urlencoded", "text/plain"],
      run,
    });
    const route = only((r) =>
      r.put("/", {
        hmac: { header: "X-Hub-Signature-256", secret: () => "s" },
        dedupe: { header: "X-GitHub-Delivery" },
        parse: "before",
        limit: 10,
        contentTypes: ["Application/XML"],
        run,
      }),
    );
    expect(route).toMatchObject({
      method: "PUT",
      hmac: { header: "x-hub-signature-256", format: "github" },
      dedupe: { header: "x-github-delivery", ttlMs: 3_600_000 },
      parse: "before",
      limitBytes: 10,
      contentTypes: ["application/xml"],
    });
  });

  test.each([
    ["X-Slack-Signature", undefined, "slack"],
    ["X-Signature", undefined, "hex"],
    ["X-Signature", "base64", "base64"],
    ["X-Hub-Signature-256", "hex", "hex"],
  ] as const)("the signature in %s, said to be %s, is read as %s", (header, format, expected) => {
    const hmac = { header, secret: () => "s", ...(format === undefined ? {} : { format }) };
    expect(only((r) => r.post("/x", { hmac, run }))).toMatchObject({ hmac: { format: expected } });
  });

  test("every verb", () => {
    const verbs = ["get", "post", "put", "patch", "delete"] as const;
    expect(verbs.map((verb) => (only((r) => r[verb]("/x", { run })) as { method?: string }).method)).toEqual([
      "GET",
      "POST",
      "PUT",
      "PATCH",
      "DELETE",
    ]);
  });
});

describe("refused", () => {
  test("all problems at once, each with its route", () => {
    const problems = problemsOf({
      name: "no name",
      config: {},
      setup: 1,
      extra: true,
      routes: (r: Loose) => ({
        a: r.command("deploy <app", { run, timeout: "10" }),
        b: { run },
        "c.d": r.command("x", { run }),
      }),
    });
    expect(problems).toEqual([
      "unknown option extra",
      'the name "no name" must be a letter and then letters, digits, - or _',
      "config is no Standard Schema",
      "setup is no function",
      expect.stringContaining("route a: timeout must be a duration"),
      expect.stringContaining('route a: "<app" is neither'),
      "route b: must be made with r, as in r.command(…)",
      expect.stringContaining('route "c.d"'),
    ]);
  });

  test("a message with name and reasons", () => {
    expect(() => defineHandler({ name: "x", routes: () => ({}) })).toThrow(
      'handler "x": routes must return an object with at least one route',
    );
    expect(problemsOf({ name: "x" })).toEqual(["routes must be a function: (r) => ({ … })"]);
    expect(problemsOf({ name: "x", routes: () => null })).toHaveLength(1);
  });

  test("the stack starts where the author wrote it", () => {
    const places = [() => defineHandler({ name: "x", routes: () => ({}) }), () => job("a b", z.string())].map(
      (define) => {
        try {
          return String(define());
        } catch (error) {
          return (error as Error).stack?.split("\n")[1];
        }
      },
    );
    expect(places).toEqual([expect.stringContaining("handler.test.ts"), expect.stringContaining("handler.test.ts")]);
  });

  test("a route of another handler", () => {
    let stolen: Route | undefined;
    defineHandler({ name: "a", routes: (r) => ({ a: (stolen = r.fallback({ run })) }) });
    expect(problemOf(() => stolen)).toContain("must be made with r");
  });

  test.each<[string, (r: Loose) => unknown]>([
    ["its options must be an object", (r) => r.command("x")],
    ["its options must be an object", (r) => r.fallback(run)],
    ["run is no function", (r) => r.command("x", {})],
    ["unknown option tiemout", (r) => r.command("x", { run, tiemout: "1s" })],
    ["unknown option body", (r) => r.command("x", { run, body: z.string() })],
    ["unknown option key", (r) => r.job(Ship, { run, key: "room" })],
    ["help must be a text", (r) => r.command("x", { run, help: 1 })],
    ["restrictTo must be a list", (r) => r.command("x", { run, restrictTo: "ops" })],
    ["restrictTo must be a list", (r) => r.command("x", { run, restrictTo: [] })],
    ["maxHeap must be a whole number", (r) => r.job(Ship, { run, maxHeap: 0.5 })],
    ["concurrency must be a whole number", (r) => r.job(Ship, { run, concurrency: 0 })],
    ["rate: limit and per are both needed", (r) => r.job(Ship, { run, rate: { limit: 1 } as never })],
    ["rate: per must be a duration", (r) => r.job(Ship, { run, rate: { limit: 1, per: "x" as never } })],
    ["rate: by must be", (r) => r.job(Ship, { run, rate: { limit: 1, per: "1s", by: "user" as never } })],
    ["rate: unknown option max", (r) => r.job(Ship, { run, rate: { limit: 1, per: "1s", max: 2 } as never })],
    ["queue must be a letter", (r) => r.on(Shipped, { run, queue: "a:b" })],
    ["queue: chat is only", (r) => r.every("5m", { run, queue: "chat" })],
    ["tag must be a letter", (r) => r.post("/x", { run, tag: "" })],
    ["class must be 0, 1, 2 or 3", (r) => r.post("/x", { run, class: 4 as never })],
    ["unknown option queue", (r) => r.job(Ship, { run, queue: "x" } as never)],
    ["unknown option rate", (r) => r.command("x", { run, rate: { limit: 1, per: "1s" } } as never)],
    ["attempts must be a whole number", (r) => r.command("x", { run, attempts: 0 })],
    ["attempts must be a whole number", (r) => r.command("x", { run, attempts: 1.5 })],
    ["timeout must be a duration", (r) => r.command("x", { run, timeout: "0s" })],
    ['no adapter can do "fly"', (r) => r.command("x", { run, needs: ["fly"] })],
    ['key must be "room"', (r) => r.command("x", { run, key: "rooms" })],
    ["key is no function", (r) => r.command("x", { run, key: 1 })],
    ["args is no Standard Schema", (r) => r.command("x <a>", { run, args: { a: "string" } })],
    ["the pattern must be a text", (r) => r.command(/x/, { run })],
    ["the pattern must be a regular expression", (r) => r.hear("x", { run })],
    ["made with job(name, schema)", (r) => r.job("deploy.ship", { run })],
    ["made with job(name, schema)", (r) => r.job(Shipped, { run })],
    ["made with event(name, schema)", (r) => r.on({ kind: "event", name: "x" }, { run })],
    ["five fields", (r) => r.cron("daily", { run, tz: "UTC" })],
    ["tz must name a time zone", (r) => r.cron("0 9 * * *", { run })],
    ["misfire must be one of", (r) => r.every("1m", { run, misfire: "never" })],
    ["overlap must be one of", (r) => r.cron("0 9 * * *", { run, tz: "UTC", overlap: "yes" })],
    ["at least a second", (r) => r.every("10ms", { run })],
    ["at least a second", (r) => r.every(10, { run })],
    ["path must be a text", (r) => r.post("hooks", { run })],
    ["names a parameter twice", (r) => r.post("/:a/:a", { run })],
    ["may hold segments", (r) => r.post("/a b", { run })],
    ["may hold segments", (r) => r.post("/a?b=c", { run })],
    ["may hold segments", (r) => r.post("/a//b", { run })],
    ["may hold segments", (r) => r.post("/:", { run })],
    ["a GET has no body", (r) => r.get("/x", { run, body: z.string() })],
    ["parse can only be", (r) => r.post("/x", { run, parse: "after" })],
    ["limit must be a whole number", (r) => r.post("/x", { run, limit: "1mb" })],
    ["hmac must be an object", (r) => r.post("/x", { run, hmac: "x" })],
    ["hmac.header must be", (r) => r.post("/x", { run, hmac: { secret: run } })],
    ["hmac.secret is missing", (r) => r.post("/x", { run, hmac: { header: "x" } })],
    ["hmac: secret is no function", (r) => r.post("/x", { run, hmac: { header: "x", secret: "s" } })],
    ["hmac.format must be", (r) => r.post("/x", { run, hmac: { header: "x", secret: run, format: "md5" } })],
    ["hmac: unknown option algo", (r) => r.post("/x", { run, hmac: { header: "x", secret: run, algo: 1 } })],
    ["dedupe must be an object", (r) => r.post("/x", { run, dedupe: true })],
    ["dedupe.header must be", (r) => r.post("/x", { run, dedupe: { header: "a b" } })],
    ["dedupe.ttl must be", (r) => r.post("/x", { run, dedupe: { header: "x", ttl: "1" } })],
    ["contentTypes must be a list", (r) => r.post("/x", { run, contentTypes: "text/plain" })],
  ])("%s", (reason, make) => {
    expect(problemOf(make)).toContain(reason);
  });
});

describe("job and event", () => {
  test("are frozen contract values", () => {
    expect(Ship).toMatchObject({ kind: "job", name: "deploy.ship" });
    expect(Shipped).toMatchObject({ kind: "event", name: "deploy.shipped" });
    expect([Ship, Shipped].every((contract) => Object.isFrozen(contract))).toBe(true);
  });

  test("need a name and a schema", () => {
    expect(() => job("a b", {} as never)).toThrow(/job "a b": the name must be.*; the second argument must be/);
    expect(() => event("", z.string())).toThrow(/the name must be/);
  });
});
