// The web chat's page in a real browser, against a real worker.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { freePort, testRedis, withServer } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const MAIN = new URL("../../services/main.ts", import.meta.url);
const HANDLERS = new URL("../fixtures/web", import.meta.url).pathname;
const READY_MS = 60_000;

withServer("chromium", () => {
  let browser: Browser;
  let port: number;
  let worker: SpawnedNode;
  let redisUrl: string;
  const contexts: BrowserContext[] = [];

  async function startWorker(): Promise<SpawnedNode> {
    const started = spawnNode(MAIN, {
      args: ["worker"],
      env: {
        REDIS_URL: redisUrl,
        ANTIPHON_HANDLERS: HANDLERS,
        ANTIPHON_HTTP_PORT: String(port),
        ANTIPHON_HTTP_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: "0",
        ANTIPHON_WEB_TOKEN: "ann=s3cret",
        LOG_FORMAT: "json",
      },
    });
    await started.waitForLine("process.started", READY_MS).catch(async (error: unknown) => {
      await started.end(); // it would keep the port
      throw error;
    });
    return started;
  }

  interface Opened {
    readonly page: Page;
    readonly problems: string[];
    /** The texts of the lines that are shown. */
    lines(): Promise<string[]>;
    say(text: string): Promise<void>;
    shows(...lines: string[]): Promise<void>;
  }

  async function open(path: string, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Opened> {
    const context = await browser.newContext(options);
    contexts.push(context);
    const page = await context.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      // The browser reports each refused connection; that is what some of the tests are about.
      if (message.type() === "error" && !message.text().includes("net::ERR_")) problems.push(message.text());
    });
    await page.goto(`http://127.0.0.1:${port}${path}`);
    const lines = (): Promise<string[]> => page.locator(".line .text").allTextContents();
    return {
      page,
      problems,
      lines,
      say: async (text) => {
        await page.getByRole("textbox", { name: "Message" }).fill(text);
        await page.keyboard.press("Enter");
      },
      shows: async (...expected) => {
        const what = `the page shows ${expected.join(" | ")}`;
        const isShown = async (): Promise<boolean> => (await lines()).join(" | ") === expected.join(" | ");
        await waitFor(isShown, { timeoutMs: 20_000, what }).catch(async (error: unknown) => {
          const shown = (await lines()).join(" | ");
          const { exitCode, signalCode } = worker.child;
          const how = `It shows ${shown}; the worker: ${exitCode ?? signalCode ?? "runs"}`;
          throw new Error([String(error), how, ...worker.lines].join("\n"), { cause: error });
        });
      },
    };
  }

  const connected = (page: Page): Promise<unknown> =>
    waitFor(async () => (await page.getByRole("status").textContent()) === "connected", {
      timeoutMs: 15_000,
      what: "connected",
    });

  beforeAll(async () => {
    redisUrl = (await testRedis()).url;
    port = await freePort();
    worker = await startWorker();
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    });
  }, 60_000);

  beforeEach(async () => {
    const { exitCode, signalCode } = worker.child;
    if (exitCode !== null || signalCode !== null) worker = await startWorker();
  });

  afterAll(async () => {
    for (const context of contexts) await context.close();
    await browser?.close();
    await worker?.end();
  });

  test("a line is said and answered, and everybody in the session sees it", async () => {
    const one = await open("/chat?session=page1");
    const two = await open("/chat?session=page1");
    await connected(one.page);
    await connected(two.page);
    await one.say("antiphon ping");
    await one.shows("antiphon ping", "pong");
    await two.shows("antiphon ping", "pong");
    expect(await one.page.locator(".line.mine .text").allTextContents()).toEqual(["antiphon ping"]);
    expect(await one.page.locator(".line.bot .text").allTextContents()).toEqual(["pong"]);
    expect(await two.page.locator(".line.mine").count()).toBe(0);
    expect(await one.page.locator(".line.sending, .line.failed").count()).toBe(0);
    await one.page.reload();
    await one.shows("antiphon ping", "pong");
    expect([...one.problems, ...two.problems]).toEqual([]);
  });

  test("an edit replaces the line that it edits, and addresses in it are links", async () => {
    const { page, say, shows, problems } = await open("/chat?session=page2");
    await connected(page);
    await say("antiphon progress");
    await shows("antiphon progress", "done: https://example.org/build/1.");
    expect(await page.locator(".line.bot .note").textContent()).toBe("edited");
    const link = page.getByRole("link", { name: "https://example.org/build/1" });
    expect(await link.getAttribute("href")).toBe("https://example.org/build/1");
    expect(await link.getAttribute("rel")).toContain("noopener");
    expect(problems).toEqual([]);
  });

  test("what is said is text, never markup", async () => {
    const { page, say, shows, problems } = await open("/chat?session=page3");
    await connected(page);
    await say("<script>document.title='x'</script>");
    await say("antiphon markup");
    await shows("<script>document.title='x'</script>", "antiphon markup", "<img src=x onerror=alert(1)> & <b>bold</b>");
    expect(await page.locator(".log img, .log b, .log script").count()).toBe(0);
    expect(problems).toEqual([]);
  });

  test("it comes back by itself after its worker was killed, and shows what it missed once", async () => {
    const { page, say, shows } = await open("/chat?session=page4");
    await connected(page);
    await say("antiphon ping");
    await shows("antiphon ping", "pong");
    await worker.kill("SIGKILL");
    await waitFor(async () => (await page.getByRole("status").textContent()) === "reconnecting…", {
      timeoutMs: 10_000,
    });
    await say("antiphon whoami");
    await waitFor(async () => (await page.locator(".line.sending").count()) === 1);
    worker = await startWorker();
    await shows("antiphon ping", "pong", "antiphon whoami", "web:guest false");
    await connected(page);
    expect(await page.locator(".line.sending").count()).toBe(0);
    expect(await page.locator(".gap").count()).toBe(0);
  });

  test("the token behind the # names the person and does not stay in the address", async () => {
    const { page, say, shows, problems } = await open("/chat?session=page5#token=s3cret");
    await connected(page);
    expect(page.url()).toBe(`http://127.0.0.1:${port}/chat?session=page5`);
    await say("antiphon whoami");
    await shows("antiphon whoami", "web:ann false");
    await page.reload();
    await connected(page);
    await say("antiphon ping");
    await shows("antiphon whoami", "web:ann false", "antiphon ping", "pong");
    expect(await page.locator(".line .from").allTextContents()).toEqual(["ann", "antiphon", "ann", "antiphon"]);
    expect(problems).toEqual([]);
  });

  test("a wrong token is said to be wrong", async () => {
    const { page } = await open("/chat?session=page5#token=wrong");
    await waitFor(async () => (await page.getByRole("status").textContent()) === "The token is wrong.");
  });

  test("it can be used with the keyboard and by name alone", async () => {
    const { page, shows } = await open("/chat?session=page6");
    await connected(page);
    const field = page.getByRole("textbox", { name: "Message" });
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.type("antiphon ping");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("twice");
    expect(await field.inputValue()).toBe("antiphon ping\ntwice");
    await field.fill("antiphon ping");
    await page.getByRole("button", { name: "Send" }).press("Enter");
    await shows("antiphon ping", "pong");
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.press("ArrowUp");
    expect(await field.inputValue()).toBe("antiphon ping");
    await page.keyboard.press("ArrowDown");
    expect(await field.inputValue()).toBe("");
    const log = page.getByRole("log", { name: "Conversation" });
    expect(await log.getAttribute("aria-live")).toBe("polite");
    expect(await page.getByRole("heading", { name: "antiphon" }).count()).toBe(1);
    expect(await page.locator("html").getAttribute("lang")).toBe("en");
  });

  test("it fits a phone: nothing is wider than the screen, and the newest line is in sight", async () => {
    const phone = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
    const { page, say } = await open("/chat?session=page7", phone);
    await connected(page);
    await say("antiphon long");
    await waitFor(async () => (await page.locator(".line.bot").count()) === 1);
    await say("antiphon ping");
    await waitFor(async () => (await page.locator(".line.bot").count()) === 2);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    const inSight = async (): Promise<boolean> => {
      const [line, form] = [
        await page.locator(".line.bot").last().boundingBox(),
        await page.locator("form").boundingBox(),
      ];
      return line !== null && form !== null && line.y + line.height <= form.y + 1 && line.y >= 0;
    };
    await waitFor(inSight, { what: "the newest line is in sight" });
    await page.setViewportSize({ width: 360, height: 320 });
    await waitFor(inSight, { what: "the newest line is in sight above a keyboard" });
    for (const target of [page.getByRole("button", { name: "Send" }), page.getByRole("textbox")]) {
      expect((await target.boundingBox())?.height).toBeGreaterThanOrEqual(44);
    }
  });

  test("it is light by day and dark by night, with enough contrast", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const { page, say, shows } = await open(`/chat?session=page8-${colorScheme}`, { colorScheme });
      await connected(page);
      await say("antiphon ping");
      await shows("antiphon ping", "pong");
      const low = await page.evaluate(() => {
        const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const luminance = (color: string): number => {
          if (!canvas) return 0;
          canvas.fillStyle = color;
          canvas.fillRect(0, 0, 1, 1);
          const [r = 0, g = 0, b = 0] = canvas.getImageData(0, 0, 1, 1).data;
          const [red = 0, green = 0, blue = 0] = [r, g, b].map((value) => {
            const part = value / 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const ground = (element: Element | null): string => {
          for (let at = element; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if (color !== "rgba(0, 0, 0, 0)") return color;
          }
          return "white";
        };
        const texts = [...document.querySelectorAll("h1, .room, .state, .from, time, .text, button, textarea, .hint")];
        return texts
          .map((element) => {
            const pair = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((a, b) => b - a);
            return {
              name: element.className || element.tagName,
              ratio: ((pair[0] ?? 0) + 0.05) / ((pair[1] ?? 0) + 0.05),
            };
          })
          .filter(({ ratio }) => ratio < 4.5);
      });
      expect(low).toEqual([]);
      const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      expect(dark).toBe(colorScheme === "dark" ? "rgb(20, 22, 26)" : "rgb(246, 247, 249)");
    }
  });
});
