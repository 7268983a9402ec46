// The mode `worker` as a whole: it waits for Redis, refuses what is not proven durable, and a start that fails leaves nothing running.

import { expect, test } from "vitest";
import { readConfig } from "../../services/config/read.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { startWorker } from "../../services/worker/worker.ts";
import { startProxy } from "../support/proxy.ts";
import { freePort, testRedis } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

async function worker(env: Readonly<Record<string, string>>): Promise<ReturnType<typeof startWorker>> {
  const variables = { ANTIPHON_NAMESPACE: `mode-${randomId()}`, ANTIPHON_HTTP_HOST: "127.0.0.1", LOG_LEVEL: "error" };
  const more = { ANTIPHON_HTTP_PORT: "0", ANTIPHON_ADMIN_PORT: "0", ANTIPHON_DRAIN_MS: "1000" };
  const around = { cwd: process.cwd(), cores: 2, terminal: false, dev: false };
  const config = await readConfig("worker", { ...around, env: { ...variables, ...more, ...env } });
  return startWorker({ config, cwd: process.cwd(), pod: "test", emit: () => {}, died: () => {} });
}

const status = async (port: number, path: string): Promise<number> =>
  (await fetch(`http://127.0.0.1:${port}${path}`)).status;

test("without Redis a worker is up and says so; when Redis comes it takes deliveries", async () => {
  const proxy = await startProxy(Number(new URL((await testRedis()).url).port));
  const [http, admin] = [await freePort(), await freePort()];
  await proxy.refuse();
  const running = await worker({
    REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
    ANTIPHON_HANDLERS: "examples/handlers/ping.ts",
    ANTIPHON_HTTP_PORT: `${http}`,
    ANTIPHON_ADMIN_PORT: `${admin}`,
  });
  let isReady = false;
  void running.ready.then(() => (isReady = true));
  try {
    await waitFor(async () => (await status(admin, "/livez")) === 200, { timeoutMs: 15_000 });
    expect(await status(admin, "/readyz")).toBe(503);
    expect(await status(admin, "/readyz?serving")).toBe(503);
    expect(isReady).toBe(false);
    await proxy.mend();
    expect(await running.ready).toMatchObject({ httpPort: http, adminPort: admin });
    await waitFor(async () => (await status(admin, "/readyz")) === 200);
    expect(await status(admin, "/readyz?serving")).toBe(200);
    await proxy.refuse();
    await waitFor(async () => (await status(admin, "/readyz")) === 503, { timeoutMs: 10_000 });
    expect([await status(admin, "/readyz?serving"), await status(admin, "/livez")]).toEqual([200, 200]);
    await proxy.mend();
    await waitFor(async () => (await status(admin, "/readyz")) === 200);
  } finally {
    await running.stop();
    await proxy.stop();
  }
});

test("handlers that are unfit fail the start, and leave nothing running", async () => {
  const { url } = await testRedis();
  const running = await worker({ REDIS_URL: url, ANTIPHON_HANDLERS: "test/fixtures/handlers/missing" });
  await expect(running.ready).rejects.toMatchObject({ code: "HANDLER_LOAD_FAILED", message: /missing/ });
  await running.stop();
});

test("a port that is taken fails the start", async () => {
  const { url } = await testRedis();
  const env = { REDIS_URL: url, ANTIPHON_HANDLERS: "examples/handlers/ping.ts" };
  const running = await worker({ ...env, ANTIPHON_HTTP_PORT: new URL(url).port });
  await expect(running.ready).rejects.toThrow(new URL(url).port);
  await running.stop();
});

test("a server that cannot prove the durability asked for fails the start, with the remedy", async () => {
  const { url } = await testRedis();
  const env = { REDIS_URL: url, ANTIPHON_HANDLERS: "examples/handlers/ping.ts", ANTIPHON_DURABILITY: "fsync" };
  const running = await worker(env);
  await expect(running.ready).rejects.toMatchObject({ code: "DURABILITY_UNSUPPORTED", message: /appendonly yes/ });
  await running.stop();
});

test("the door says 503 to what is stored and not proven, so that it is sent again", async () => {
  const { url } = await testRedis();
  const env = { REDIS_URL: url, ANTIPHON_HANDLERS: "examples/handlers/ping.ts", ANTIPHON_DURABILITY: "replica" };
  const running = await worker(env);
  try {
    const { httpPort } = await running.ready;
    const answer = await fetch(`http://127.0.0.1:${httpPort}/chat/lobby/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: "hello" }),
    });
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await answer.json()).toMatchObject({ error: { code: "DURABILITY_UNMET" } });
  } finally {
    await running.stop();
  }
});
