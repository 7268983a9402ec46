// The example deploy-board as its page says: a handler publishes, a page in a real browser shows it.

import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../conformance/bus/pages.ts";
import { freePort, testRedis, withServer } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const ROOT = new URL("../../", import.meta.url);
const HANDLERS = new URL("examples/deploy-board/handlers", ROOT).pathname;
const READY_MS = 60_000;
const WAIT = { timeoutMs: 30_000 };
/** Writes the page's picture there, for the documentation. */
const PICTURE = process.env["BOARD_PICTURE"];

withServer("chromium", () => {
  let browser: Browser;
  let bot: string;
  let board: string;
  let redisUrl: string;
  let port: number;
  let worker: SpawnedNode;

  async function startWorker(): Promise<SpawnedNode> {
    const started = spawnNode(new URL("services/main.ts", ROOT), {
      args: ["worker"],
      env: {
        REDIS_URL: redisUrl,
        ANTIPHON_HANDLERS: HANDLERS,
        ANTIPHON_HANDLER_BOARD_STEP_MS: "300",
        ANTIPHON_HTTP_PORT: String(port),
        ANTIPHON_HTTP_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: "0",
        ANTIPHON_WEB_TOKEN: "ann=s3cret",
        LOG_FORMAT: "json",
      },
    });
    await started.waitForLine("process.started", READY_MS);
    return started;
  }

  beforeAll(async () => {
    redisUrl = (await testRedis()).url;
    port = await freePort();
    bot = `http://127.0.0.1:${port}`;
    const page = spawnNode(new URL("examples/deploy-board/serve.ts", ROOT), { args: ["0"] });
    [worker, browser] = await Promise.all([startWorker(), launchChromium()]);
    board = /http:\S+/.exec(await page.waitForLine("the board is at"))?.[0] ?? "";
  }, 90_000);

  afterAll(() => browser?.close());

  async function open(): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 960, height: 420 } });
    await page.goto(`${board}?bus=${bot}/`);
    await waitFor(async () => (await page.getByRole("status").textContent()) === "live", WAIT);
    return page;
  }

  async function say(text: string): Promise<void> {
    const response = await fetch(`${bot}/chat/lobby/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer s3cret" },
      body: JSON.stringify({ text }),
    });
    expect(response.status).toBe(202);
  }

  /** App, environment and step of each deploy, from top to bottom. */
  const rows = (page: Page): Promise<string[]> =>
    page
      .locator(".board li")
      .evaluateAll((all) =>
        all.map((row) => [".app", ".env", ".step"].map((part) => row.querySelector(part)?.textContent).join(" ")),
      );
  const shows = (page: Page, ...expected: string[]): Promise<unknown> =>
    waitFor(async () => (await rows(page)).join("|") === expected.join("|"), { ...WAIT, what: expected.join("|") });

  test("a deploy is shown step by step; a page that comes later is filled; nothing is missing after the worker was killed", async () => {
    const page = await open();
    expect(await page.locator(".empty").isVisible()).toBe(true);
    await say("antiphon ship api prod");
    await shows(page, "api prod done");
    await say("antiphon ship web staging");
    await shows(page, "web staging done", "api prod done");
    const later = await open();
    await shows(later, "web staging done", "api prod done");

    await worker.kill("SIGKILL");
    worker = await startWorker();
    await say("antiphon ship docs prod");
    for (const one of [page, later]) await shows(one, "docs prod done", "web staging done", "api prod done");
    expect(await page.locator(".gap").isVisible()).toBe(false);

    await say("antiphon ship billing prod");
    await waitFor(async () => /billing prod (building|testing)/.test((await rows(page))[0] ?? ""), WAIT);
    if (PICTURE !== undefined) {
      mkdirSync(new URL("docs/images", ROOT), { recursive: true });
      await page.screenshot({ path: PICTURE });
    }
    await shows(page, "billing prod done", "docs prod done", "web staging done", "api prod done");
  });
});
