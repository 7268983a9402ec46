// Looking into living processes: what a handler's thread spends its time on, what is in memory, by whom and how often.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomId } from "../../services/runtime/ids.ts";
import { freePort, testRedis } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const ROOT = new URL("../../", import.meta.url);
const WAIT = { timeoutMs: 60_000 };
const ADMIN = "secret-of-admin-0123456789";
const ANN = "secret-of-ann-0123456789ab";
/** Keeps its thread busy in a function that has a name, and lets it breathe. */
const HANDLER = `import { defineHandler } from "antiphon";
function grindAway() {
  const until = performance.now() + 40;
  while (performance.now() < until);
}
export default defineHandler({
  name: "busy",
  setup: () => { setInterval(grindAway, 50).unref(); },
  routes: (r) => ({ hello: r.command("hello", { help: "Says hello", run: () => "hello" }) }),
});
`;

interface Threads {
  readonly process: string;
  readonly threads: readonly { readonly thread: string; readonly title: string }[];
}

interface Profile {
  readonly nodes: readonly { readonly callFrame: { readonly functionName: string } }[];
}

describe.each(["worker", "master"])("of a %s", (mode) => {
  let running: SpawnedNode;
  let folder = "";
  let url = "";

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "antiphon-diagnostics-"));
    writeFileSync(join(folder, "busy.ts"), HANDLER);
    const port = await freePort();
    url = `http://127.0.0.1:${port}/api`;
    running = spawnNode(new URL("services/main.ts", ROOT), {
      args: [mode],
      cwd: ROOT.pathname,
      env: {
        REDIS_URL: (await testRedis()).url,
        ANTIPHON_NAMESPACE: `t${randomId()}`,
        ANTIPHON_HANDLERS: join(folder, "busy.ts"),
        ANTIPHON_HTTP_PORT: "0",
        ANTIPHON_ADMIN_PORT: String(port),
        ANTIPHON_ADMIN_TOKEN: ADMIN,
        ANTIPHON_ADMIN_TOKENS: `ann:operator:${ANN}`,
        ANTIPHON_DRAIN_MS: "1000",
        LOG_LEVEL: "error",
      },
    });
    await waitFor(async () => (await ask("GET", "/session")).ok, WAIT).catch((error: unknown) => {
      throw new Error(running.lines.join("\n"), { cause: error });
    });
  }, 90_000);
  afterAll(async () => {
    running.child.kill("SIGTERM");
    await running.exited;
    rmSync(folder, { recursive: true });
  });

  const ask = (method: string, path: string, token = ADMIN, signal?: AbortSignal): Promise<Response> =>
    fetch(url + path, { method, headers: { authorization: `Bearer ${token}` }, ...(signal && { signal }) });
  const threads = async (): Promise<Threads> => (await (await ask("GET", "/diagnostics/threads")).json()) as Threads;
  const profile = async (thread: string): Promise<string[]> => {
    const answer = await ask("POST", `/diagnostics/cpu-profile?thread=${thread}&seconds=2`);
    expect(answer.headers.get("content-disposition")).toMatch(/\.cpuprofile"$/);
    return ((await answer.json()) as Profile).nodes.map(({ callFrame }) => callFrame.functionName);
  };

  test("its threads are told, and a profile names the function in which one spends its time", async () => {
    const told = await threads();
    expect(told.process).toMatch(new RegExp(`:${running.pid}$`));
    const titles = told.threads.map(({ title }) => title);
    expect(titles).toEqual(expect.arrayContaining(mode === "worker" ? ["main", "http", "chat-0"] : ["main"]));
    expect(await profile("main")).not.toContain("grindAway");
    if (mode === "master") return;
    const busy = told.threads.find(({ title }) => title.startsWith("work-"));
    expect(await profile(busy?.thread ?? "")).toContain("grindAway");
  }, 60_000);

  test("a heap snapshot of a thread is what a debugger reads; a master that leads must not stand still for one", async () => {
    const all = (await threads()).threads;
    expect(all.map(({ title }) => title)).not.toContain("watchdog");
    const named = all.filter(({ title }) => title === "main" || title.startsWith("work-"));
    if (mode === "master") {
      const leads = async (): Promise<boolean> =>
        (await (await ask("GET", "/now")).text()).includes(`"leader":"${hostname()}`);
      await waitFor(leads, WAIT);
      expect((await ask("POST", "/diagnostics/heap-snapshot?thread=main")).status).toBe(400);
      return;
    }
    for (const { thread } of named) {
      const answer = await ask("POST", `/diagnostics/heap-snapshot?thread=${thread}`);
      expect([answer.status, answer.headers.get("content-disposition")]).toEqual([
        200,
        expect.stringMatching(/heapsnapshot"$/),
      ]);
      const { snapshot, nodes } = (await answer.json()) as { snapshot: { node_count: number }; nodes: number[] };
      expect(snapshot.node_count).toBeGreaterThan(1_000);
      expect(nodes.length).toBeGreaterThan(snapshot.node_count);
    }
  }, 180_000);

  test("one at a time; whoever leaves ends his own", async () => {
    const leaving = new AbortController();
    const begin = () => ask("POST", "/diagnostics/cpu-profile?seconds=60", ADMIN, leaving.signal).catch(() => "left");
    let first = begin();
    await waitFor(async () => {
      // Whoever looks whether somebody is at it may be in his way.
      if ((await Promise.race([first, sleep(500, "at it")])) !== "at it") first = begin();
      return (await ask("GET", "/diagnostics/threads")).status === 429;
    }, WAIT);
    expect((await ask("POST", "/diagnostics/heap-snapshot?thread=999")).status).toBe(429);
    leaving.abort();
    expect(await first).toBe("left");
    await waitFor(async () => (await ask("GET", "/diagnostics/threads")).ok, WAIT);
    expect((await ask("POST", "/diagnostics/heap-snapshot?thread=999")).status).toBe(404);
    expect((await ask("POST", "/diagnostics/cpu-profile?seconds=3600")).status).toBe(400);
    expect((await ask("POST", "/diagnostics/cpu-profile?thread=../x")).status).toBe(400);
  }, 90_000);

  test("only an admin may, and each time is in the audit log", async () => {
    for (const path of ["/diagnostics/heap-snapshot", "/diagnostics/cpu-profile"])
      expect((await ask("POST", path, ANN)).status).toBe(403);
    expect((await ask("GET", "/support-bundle", ANN)).status).toBe(403);
    const bundle = await ask("GET", "/support-bundle");
    expect(await bundle.json()).toMatchObject({
      about: { process: expect.stringContaining(`:${running.pid}`) as unknown },
    });
    const { items } = (await (await ask("GET", "/audit")).json()) as { items: { action: string; who: string }[] };
    expect(items.map(({ who, action }) => `${who} ${action}`)).toEqual(
      expect.arrayContaining([
        "admin diagnostics.heap-snapshot",
        "admin diagnostics.cpu-profile",
        "admin diagnostics.support-bundle",
      ]),
    );
    expect(items.filter(({ who }) => who === "ann")).toEqual([]);
  }, 60_000);
});
