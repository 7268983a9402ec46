// The browser's client in a real browser: pages that share a connection, a page of another origin, the module.

import { fastify, type FastifyInstance } from "fastify";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { clientScript } from "../../services/bus/client-script.ts";
import { openTestBus, type OpenOptions, type TestBus } from "../conformance/bus/kit.ts";
import { launchChromium } from "../conformance/bus/pages.ts";
import { withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const WAIT = { timeoutMs: 30_000 };
const HELD_MS = 20_000;

withServer("chromium", () => {
  let browser: Browser;
  const contexts: BrowserContext[] = [];
  const others: FastifyInstance[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);

  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    for (const app of others.splice(0)) await app.close();
  });

  afterAll(() => browser?.close());

  function servePage(app: FastifyInstance): void {
    void app.register(clientScript);
    app.get("/page", async (_request, reply) => reply.type("text/html").send("<!doctype html><title>bus</title>"));
  }

  const open = (options: OpenOptions = {}): Promise<TestBus> =>
    openTestBus({ longPollMs: HELD_MS, prepare: servePage, ...options });

  async function visit(context: BrowserContext, url: string): Promise<Page> {
    const page = await context.newPage();
    await page.goto(`${url}/page`);
    return page;
  }

  async function newContext(): Promise<BrowserContext> {
    const context = await browser.newContext();
    contexts.push(context);
    return context;
  }

  /** Subscribes through the module; what comes is in `heard`. */
  function subscribe(
    page: Page,
    o: { from: string; settings?: object; channel: string; lastId: number },
  ): Promise<unknown> {
    const settings = JSON.stringify(o.settings ?? {});
    return page.evaluate(`(async () => {
      const { Bus } = await import(${JSON.stringify(`${o.from}/bus/client.mjs`)});
      window.bus ??= new Bus(${settings});
      window.heard ??= [];
      bus.subscribe(${JSON.stringify(o.channel)}, (data) => heard.push(data), ${o.lastId});
      await bus.ready();
    })()`);
  }

  const heard = (page: Page): Promise<unknown[]> => page.evaluate("heard");
  const hears = (page: Page, count: number): Promise<unknown> =>
    waitFor(async () => (await heard(page)).length >= count, WAIT);

  test("pages of one browser share one connection; when the page that holds it closes, the next goes on, and nothing is lost", async () => {
    const at = await open();
    const context = await newContext();
    const pages = [await visit(context, at.url), await visit(context, at.url), await visit(context, at.url)];
    const from = at.url;
    for (const [index, page] of pages.entries()) await subscribe(page, { from, channel: `/p${index % 2}`, lastId: 0 });
    await waitFor(() => at.bus.diagnostics().connections === 1, WAIT);
    await at.publish("/p0", 1);
    await at.publish("/p1", 1);
    for (const page of pages) await hears(page, 1);
    expect(at.bus.diagnostics().connections).toBe(1);

    // Whichever of them leads: each of the first two goes, and the last one remains.
    let n = 1;
    for (const page of pages.slice(0, 2)) {
      await page.close();
      for (let more = 0; more < 10; more++) await at.publish("/p0", ++n);
    }
    const [, , last] = pages;
    if (last === undefined) throw new Error("no page");
    await hears(last, n);
    expect(await heard(last)).toEqual(Array.from({ length: n }, (_, index) => index + 1));
    await waitFor(() => at.bus.diagnostics().connections === 1, WAIT);
  });

  test("a page that comes to the front takes over, and hears everything once", async () => {
    const at = await open();
    const context = await newContext();
    const [one, two] = [await visit(context, at.url), await visit(context, at.url)];
    for (const page of [one, two]) await subscribe(page, { from: at.url, channel: "/a", lastId: 0 });
    for (let n = 1; n <= 10; n++) {
      // As browsers tell pages that somebody looks at them.
      await (n % 2 === 0 ? one : two).evaluate("document.dispatchEvent(new Event('visibilitychange'))");
      await at.publish("/a", n);
    }
    for (const page of [one, two]) {
      await hears(page, 10);
      expect(await heard(page)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
    await waitFor(() => at.bus.diagnostics().connections === 1, WAIT);
  });

  test("a page of another origin reads with its cookies where the bus allows that origin, and not elsewhere", async () => {
    const allowed: string[] = [];
    const at = await open({
      access: "deny",
      identify: ({ headers }) => ({ user: /user=(\w+)/.exec(headers["cookie"]?.toString() ?? "")?.[1] }),
      authorize: ({ user }) => user === "ann",
      cors: { origins: (origin) => allowed.includes(origin), credentials: true },
    });
    const other = fastify();
    others.push(other);
    servePage(other);
    const origin = await other.listen({ port: 0, host: "127.0.0.1" });
    const context = await newContext();
    // Cookies do not care for ports.
    await context.addCookies([{ name: "user", value: "ann", domain: "127.0.0.1", path: "/" }]);
    const settings = { baseUrl: `${at.url}/`, withCredentials: true };

    const stranger = await visit(context, origin);
    await stranger.evaluate(`(async () => {
      const { Bus } = await import("/bus/client.mjs");
      window.bus = new Bus(${JSON.stringify(settings)});
      bus.subscribe("/a", () => {});
    })()`);
    await waitFor(async () => (await stranger.evaluate("bus.state")) === "waiting", WAIT);
    await stranger.close();

    allowed.push(origin);
    const guest = await visit(context, origin);
    await subscribe(guest, { from: at.url, settings, channel: "/a", lastId: 0 });
    await at.publish("/a", "hello");
    await hears(guest, 1);
    expect(await heard(guest)).toEqual(["hello"]);
  });

  test("the script is served with a tag by which a browser asks for it again, and is the same as a module", async () => {
    const at = await open();
    for (const name of ["client.js", "client.mjs"]) {
      const first = await fetch(`${at.url}/bus/${name}`);
      expect(first.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
      expect(await first.text()).toContain("message-bus/");
      const headers = { "if-none-match": first.headers.get("etag") ?? "" };
      expect((await fetch(`${at.url}/bus/${name}`, { headers })).status).toBe(304);
    }
  });
});
