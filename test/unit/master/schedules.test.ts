import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readConfig } from "../../../services/config/read.ts";
import { loadSchedules } from "../../../services/master/schedules.ts";
import type { TimedRoute } from "../../../services/master/timetable.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function schedulesOf(source: string): Promise<readonly TimedRoute[]> {
  const cwd = mkdtempSync(join(tmpdir(), "schedules-"));
  folders.push(cwd);
  writeFileSync(join(cwd, "handler.ts"), source);
  const env = { REDIS_URL: "redis://127.0.0.1:1", ANTIPHON_HANDLERS: cwd };
  return loadSchedules(await readConfig("master", { env, cwd, cores: 2, terminal: false, dev: false }), []);
}

const handler = (routes: string): string =>
  `import { defineHandler } from "antiphon"; export default defineHandler({ name: "ticker", routes: (r) => (${routes}) });`;

test("the schedules of handlers are found, without their code", async () => {
  const routes = `{
    tick: r.every("10s", { misfire: "skip", run: () => "tick" }),
    daily: r.cron("0 4 * * *", { tz: "Europe/Berlin", overlap: "skip", queue: "slow", tag: "eu", class: 3, run: () => "day" }),
    hello: r.command("hello", { run: () => "hello" }),
  }`;
  expect(await schedulesOf(handler(routes))).toEqual([
    { kind: "every", id: "ticker.tick", periodMs: 10_000, misfire: "skip", queue: "default" },
    {
      kind: "cron",
      id: "ticker.daily",
      spec: "0 4 * * *",
      tz: "Europe/Berlin",
      overlap: "skip",
      queue: "slow+eu",
      class: 3,
    },
  ]);
});

test("what a module opens while it is loaded keeps nothing alive", async () => {
  const routes = handler(`{ tick: r.every("10s", { run: () => "tick" }) }`);
  expect(await schedulesOf(`setInterval(() => {}, 1000); ${routes}`)).toHaveLength(1);
});

test("handlers that are unfit are refused with every problem", async () => {
  const routes = `{ a: r.cron("61 * * * *", { tz: "UTC", run: () => 1 }), b: r.cron("* * * * *", { tz: "Moon", run: () => 1 }) }`;
  const problem = { code: "HANDLER_INVALID", message: expect.stringMatching(/ticker\.a[^]*ticker\.b/) as string };
  await expect(schedulesOf(handler(routes))).rejects.toMatchObject(problem);
});

test("a module that ends its process is refused", async () => {
  await expect(schedulesOf("process.exit(0);")).rejects.toMatchObject({ code: "HANDLER_LOAD_FAILED" });
});
