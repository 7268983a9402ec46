// An adapter from outside the tree, as `antiphon new adapter` writes it, in real masters and workers.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ExampleService } from "../../templates/adapter/service.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { testRedis } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const ENTRY = new URL("../../services/main.ts", import.meta.url);
const SLOW = 60_000;
const LATE = `
import { defineHandler } from "antiphon";
export default defineHandler({
  name: "late",
  routes: (r) => ({
    say: r.command("late", {
      run: async ({ reply }) => {
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        await reply("only at once", { expires: "500ms" });
        await reply("whenever");
      },
    }),
  }),
});
`;

let folder: string;
let env: Record<string, string>;
let processes: SpawnedNode[];
let service: ExampleService;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "antiphon-own-"));
  processes = [];
  env = {
    REDIS_URL: (await testRedis()).url,
    ANTIPHON_NAMESPACE: `own-${randomId()}`,
    ANTIPHON_HTTP_PORT: "0",
    ANTIPHON_ADMIN_HOST: "127.0.0.1",
    ANTIPHON_ADMIN_PORT: "0",
    ANTIPHON_LEASE_MS: "1500",
    LOG_FORMAT: "json",
  };
  service = await made("hip-chat");
});

afterEach(async () => {
  await Promise.all(processes.map((one) => one.kill("SIGKILL")));
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
});

function run(...args: string[]): SpawnedNode {
  const started = spawnNode(ENTRY, { args, env, cwd: folder });
  processes.push(started);
  return started;
}

/** `antiphon new adapter NAME`, its service started, the adapter configured. */
async function made(name: string): Promise<ExampleService> {
  expect(await run("new", "adapter", name).exited).toEqual({ code: 0, signal: null });
  const module = (await import(/* @vite-ignore */ join(folder, name, "service.ts"))) as Record<
    string,
    typeof ExampleService
  >;
  const [Service] = Object.values(module);
  const started = await (Service as typeof ExampleService).start();
  const prefix = `ANTIPHON_ADAPTER_${name.toUpperCase().replace("-", "_")}`;
  const { port, token } = started.settings;
  env[`${prefix}_PORT`] = String(port);
  env[`${prefix}_TOKEN`] = String(token);
  env["ANTIPHON_ADAPTERS"] = [...(env["ANTIPHON_ADAPTERS"]?.split(",") ?? []), `./${name}`].join();
  return started;
}

const started = (mode: SpawnedNode): Promise<string> => mode.waitForLine('"process.started"', SLOW);
const say = (text: string): void => service.say({ room: "lobby", user: "ann", text });
const said = (text: string): Promise<boolean> =>
  waitFor(() => service.said("lobby").includes(text), { timeoutMs: SLOW, what: `it says ${text}` });

test("is scaffolded, loaded from its folder, and speaks", async () => {
  await run("new", "handler", "hip-say").exited;
  expect(await run("validate").exited).toEqual({ code: 0, signal: null });
  await Promise.all([started(run("master")), started(run("worker"))]);
  say("antiphon hip-say world");
  await said("Hello world!");
  const before = readFileSync(join(folder, "hip-chat/client.ts"), "utf8");
  writeFileSync(join(folder, "hip-chat/client.ts"), `${before}// mine\n`);
  expect((await run("new", "adapter", "hip-chat").exited).code).toBe(1);
  expect(readFileSync(join(folder, "hip-chat/client.ts"), "utf8")).toContain("// mine");
});

test("another one with wrong credentials: /readyz says which, and this one goes on", async () => {
  await run("new", "handler", "hip-say").exited;
  const other = await made("hop");
  env["ANTIPHON_ADAPTER_HOP_TOKEN"] = "wrong";
  const master = run("master");
  await Promise.all([started(master), started(run("worker"))]);
  await master.waitForLine('"state":"failed"', SLOW);
  const { urls } = JSON.parse(await master.waitForLine('"process.started"')) as { urls: string };
  const ready = async (): Promise<{ name: string; ok: boolean; detail: string }[]> => {
    const response = await fetch(`${urls}/readyz`);
    return ((await response.json()) as { checks: never[] }).checks;
  };
  const bad = { name: "adapter hop", ok: false, detail: "failed: refused: the token is wrong" };
  await waitFor(async () => (await ready()).some(({ name }) => name === bad.name), { timeoutMs: SLOW });
  expect((await ready()).filter(({ ok }) => !ok)).toEqual([bad]);
  expect((await fetch(`${urls}/readyz?serving`)).status).toBe(200);
  say("antiphon hip-say world");
  await said("Hello world!");
  await other.stop();
});

test("all masters down: replies wait in the outbox and are said, unless they expired", async () => {
  await run("new", "handler", "hip-say").exited;
  writeFileSync(join(folder, "handlers/late.ts"), LATE);
  const master = run("master");
  await Promise.all([started(master), started(run("worker"))]);
  say("antiphon hip-say first");
  await said("Hello first!");
  say("antiphon late");
  // Long before the handler answers, and long after the master has stored what was asked.
  const asked = performance.now();
  await waitFor(() => performance.now() - asked > 500);
  await master.kill("SIGKILL");
  await waitFor(() => performance.now() - asked > 4_000);
  await started(run("master"));
  await said("whenever");
  expect(service.said("lobby")).toEqual(["Hello first!", "whenever"]);
});
