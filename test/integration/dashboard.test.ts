// The dashboard in a real browser on a bot under load: every page, for everybody, in both colours, on a phone, by keys.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Download, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Browsing, eventually, goTo, Shop, TOKENS } from "../support/dashboard.ts";
import { AT_FIRST, dashboardPages } from "../support/dashboard-pages.ts";
import { withServer } from "../support/redis.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const PAGES = [
  { at: "", heading: "Now", shows: "Throughput" },
  { at: "queues", heading: "Queues", shows: "default" },
  { at: "queues/default", heading: "default", shows: "Latest runs" },
  { at: "jobs", heading: "Jobs", shows: "report.build" },
  { at: "jobs?state=dead", heading: "Jobs", shows: "no such card" },
  { at: "workers", heading: "Workers", shows: "What runs now" },
  { at: "cron", heading: "Cron", shows: "0 9 * * 1-5 Europe/Paris" },
  { at: "cron/mail.digest", heading: "mail.digest", shows: "Latest runs" },
  { at: "chat", heading: "Chat", shows: "fake" },
  { at: "bus", heading: "Bus", shows: "Bus" },
  { at: "handlers", heading: "Handlers", shows: "Ships <app> to staging or prod" },
  { at: "audit", heading: "Audit", shows: "session.login" },
  { at: "nowhere", heading: "No such page", shows: "There is nothing at this address" },
] as const;

/** The proxy is played by the browser: it says itself who looks. */
const BEHIND_PROXY = {
  ANTIPHON_ADMIN_TRUSTED_PROXIES: "127.0.0.1",
  ANTIPHON_ADMIN_PROXY_ROLES: "ops=operator",
  ANTIPHON_ADMIN_PROXY_SIGN_OUT: "/oauth2/sign_out",
};

/** Rules that what is shown breaks, with where. */
async function flaws(page: Page): Promise<string[]> {
  return await page.evaluate(`${AXE};axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ": " + nodes.slice(0, 2).map(({ html }) => html.slice(0, 160)).join(" and ")))`);
}

async function kept(file: Download): Promise<{ name: string; text: string }> {
  return { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
}

withServer("chromium", () => {
  let shop: Shop;
  let browsing: Browsing;
  let deadId: string;

  beforeAll(async () => {
    const traces = { ANTIPHON_TRACE_URL: "https://traces.example.org/?id={trace}&from=antiphon" };
    shop = await Shop.open({ env: { ...traces, ...BEHIND_PROXY } });
    browsing = await Browsing.open();
    shop.startLoad(5);
    deadId = (await shop.queue.enqueue("pay.capture", { order: "7", error: "no such card" }, { tags: ["vip"] })).id;
    await shop.queue.enqueue("report.build", { month: "2026-10", ms: 540_000 }, { key: "reports" });
    await eventually(async () => (await shop.queue.find(deadId))?.state === "dead", "a dead job");
  }, 240_000);

  afterEach(() => browsing?.closeAll());

  afterAll(async () => {
    await browsing?.close();
    await shop?.close();
  });

  const shown = async (
    page: Page,
    { at, heading, shows }: { at: string; heading: string; shows: string },
  ): Promise<void> => {
    await goTo(page, at);
    await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
    await page.locator("main").getByText(shows).first().waitFor();
  };

  test.each([
    { colorScheme: "light", viewport: { width: 1360, height: 900 } },
    { colorScheme: "dark", viewport: { width: 1360, height: 900 } },
    { colorScheme: "light", viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
    { colorScheme: "dark", viewport: { width: 320, height: 640 } },
  ] as const)(
    "every page, $colorScheme, $viewport.width wide: what it should show, no flaw, nothing beside the window",
    async (options) => {
      const { page, problems } = await browsing.look(shop, { role: "operator", ...options });
      const found: Record<string, string[]> = {};
      for (const one of [...PAGES, { at: `jobs/${deadId}`, heading: deadId, shows: "What happened" }]) {
        await shown(page, one);
        const beside = Number(
          await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
        );
        const list = [...(await flaws(page)), ...(beside > 0 ? [`${beside} px wider than the window`] : [])];
        if (list.length > 0) found[one.at] = list;
      }
      expect(found).toEqual({});
      expect(problems).toEqual([]);
    },
  );

  test("the login page has no flaw, refuses what is no token, and does not say more", async () => {
    const { page, problems } = await browsing.look(shop);
    await page.getByLabel("Token").waitFor();
    expect(await flaws(page)).toEqual([]);
    await page.getByLabel("Token").fill("something else entirely");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: /\w/ }).first().waitFor();
    expect(await page.getByRole("navigation").count()).toBe(0);
    expect(problems).toEqual([]);
  });

  test("whom a proxy logs in is shown as that, asked to log in there again when that has ended, and signed out there", async () => {
    const bob = { "x-forwarded-user": "bob", "x-forwarded-groups": "ops" };
    const { page } = await browsing.look(shop, { extraHTTPHeaders: bob });
    await page.locator(".who").first().getByText("operator").waitFor();
    await page.evaluate(() => Object.assign(window, { isFirst: true }));
    await page.context().setExtraHTTPHeaders({});
    await goTo(page, "queues");
    await page.getByLabel("Token").waitFor();
    // The page itself was asked for, which is where a proxy has people log in.
    expect(await page.evaluate(() => "isFirst" in window)).toBe(false);
    await page.context().setExtraHTTPHeaders(bob);
    await page.reload();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/oauth2/sign_out");
    const eve = await browsing.look(shop, { extraHTTPHeaders: { "x-forwarded-user": "eve" } });
    await eve.page.getByRole("alert").getByText("gives no role to eve").waitFor();
  });

  test("the charts have a past when the page is opened, and go on by themselves", async () => {
    const first = await browsing.look(shop, { role: "viewer" });
    const clock = first.page.locator("main time").first();
    await clock.waitFor();
    await first.page.locator("canvas").first().waitFor();
    const before = await clock.textContent();
    await eventually(async () => (await clock.textContent()) !== before, "a newer snapshot");
    await first.page.reload();
    await eventually(async () => {
      const said =
        (await first.page.getByRole("img", { name: /^Deliveries per second/ }).getAttribute("aria-label")) ?? "";
      return /finished: [1-9]/.test(said);
    }, "what finishes, in the chart");
  });

  test("a viewer sees everything and can change nothing", async () => {
    const { page, problems } = await browsing.look(shop, { role: "viewer" });
    for (const one of [...PAGES, { at: `jobs/${deadId}`, heading: deadId, shows: "What happened" }]) {
      await shown(page, one);
      const buttons = await page.locator("main button").allTextContents();
      const labels = await page
        .locator("main button")
        .evaluateAll((all) => all.map((one) => one.getAttribute("aria-label") ?? ""));
      const acting = [...buttons, ...labels].filter((text) =>
        /pause|resume|retry|delete|edit|stop|quiet|end|run|switch|enqueue|add$|change/i.test(text),
      );
      expect(acting, one.at).toEqual([]);
      expect(await page.locator("main input[type=checkbox]").count()).toBe(0);
    }
    const refused = await page.evaluate(
      "fetch('api/queues/default/pause', { method: 'POST' }).then((answer) => answer.status)",
    );
    expect(refused).toBe(403);
    expect(problems).toEqual([]);
  });

  test("each page asks the API for what the list of pages says, and for nothing else", async () => {
    const { page } = await browsing.look(shop, { role: "viewer", at: "nowhere" });
    const asked: string[] = [];
    page.on("request", (request) => {
      const { pathname, search } = new URL(request.url());
      if (pathname.startsWith("/api/")) asked.push(`${pathname.slice("/api/".length)}${search}`);
    });
    const pages = dashboardPages({ queue: "default", job: deadId, schedule: "mail.digest" });
    const reached = pages.map(({ at }) => at.split(/[/?]/)[0]);
    expect(
      PAGES.map(({ at }) => at.split(/[/?]/)[0]).filter((at) => at !== "nowhere" && !reached.includes(at)),
    ).toEqual([]);
    await page.reload();
    await eventually(() => AT_FIRST.every((path) => asked.includes(path)), "what is asked at first");
    let before: readonly string[] = AT_FIRST;
    for (const { at, asks } of pages) {
      asked.length = 0;
      await goTo(page, at);
      // The page that knows how it stands from the stream has nothing to ask.
      if (at !== "")
        await eventually(() => asks.every((path) => asked.includes(path)), `${at} asks for ${asks.join()}`);
      expect(
        asked.filter((path) => ![...asks, ...before].includes(path)),
        at,
      ).toEqual([]);
      before = asks;
    }
  });

  test("each thread of a worker says what it runs and for how long, or that it is idle", async () => {
    const { page } = await browsing.look(shop, { role: "viewer", at: "workers" });
    const threads = page.getByRole("region", { name: "Threads" });
    const busy = threads.getByRole("row").filter({ hasText: "report.build" });
    await busy.getByText("work-").waitFor();
    expect(await busy.getByText(/for \d/).count()).toBe(1);
    await threads.getByRole("row").filter({ hasText: "chat-" }).getByText("idle").waitFor();
    const runs = page.getByRole("region", { name: "What runs now" });
    const thread = await busy.getByText(/^work-\d+$/).textContent();
    await runs.getByRole("row").filter({ hasText: "report.build" }).getByText(String(thread)).waitFor();
    await eventually(async () => /\d MiB/.test((await busy.textContent()) ?? ""), "its heap");
  });

  describe("looking into processes", () => {
    const ASKED = [
      ["GET", "diagnostics/processes"],
      ["GET", "diagnostics/threads"],
      ["POST", "diagnostics/cpu-profile?seconds=1"],
      ["POST", "diagnostics/heap-snapshot"],
      ["GET", "support-bundle"],
    ] as const;

    test.each(["viewer", "operator"] as const)("as %s nothing of it is seen, and it is refused", async (role) => {
      const { page } = await browsing.look(shop, { role, at: "workers" });
      await page.getByRole("region", { name: "Threads" }).waitFor();
      expect(await page.getByRole("button", { name: "Quiet" }).count()).toBe(role === "operator" ? 1 : 0);
      expect(await page.getByText("Look into a process").count()).toBe(0);
      expect(await page.getByRole("button", { name: /profile|snapshot|bundle/i }).count()).toBe(0);
      const { csrf } = (await page.evaluate("fetch('api/session').then((one) => one.json())")) as { csrf: string };
      for (const [method, path] of ASKED) {
        const init = JSON.stringify({ method, headers: { "x-csrf-token": csrf } });
        const status = await page.evaluate(`fetch("api/${path}", ${init}).then((one) => one.status)`);
        expect(status, path).toBe(403);
      }
    });

    test("an admin has a profile, a snapshot of another process' memory, and a support bundle", async () => {
      const { page, problems } = await browsing.look(shop, { role: "admin", at: "workers" });
      const processes = page.getByRole("region", { name: "Processes" });
      const worker = processes.getByRole("row").filter({ hasText: "worker" });
      await worker.waitFor();
      await processes.getByRole("row").filter({ hasText: "master" }).getByText("shows this page").waitFor();
      expect(await flaws(page)).toEqual([]);

      const fileOf = async (button: RegExp, wanted: string): Promise<{ name: string; text: string }> => {
        await worker.getByRole("button", { name: button }).focus();
        await page.keyboard.press("Enter");
        await page.getByRole("dialog").getByLabel("Thread").selectOption({ label: "work-1" });
        await page.getByRole("dialog").getByText(wanted).waitFor();
        expect(await flaws(page)).toEqual([]);
        const coming = page.waitForEvent("download", { timeout: 120_000 });
        await page.getByRole("dialog").getByRole("button", { name: "Make it" }).press("Enter");
        return await kept(await coming);
      };
      const profile = await fileOf(/^CPU profile/, "It goes on meanwhile");
      expect(profile.name).toMatch(/\.cpuprofile$/);
      expect((JSON.parse(profile.text) as { nodes: unknown[] }).nodes.length).toBeGreaterThan(3);
      await page.getByRole("dialog").waitFor({ state: "detached" });
      const snapshot = await fileOf(/^Heap snapshot/, "The file holds secrets");
      expect(snapshot.name).toMatch(/\.heapsnapshot$/);
      expect(snapshot.text.startsWith('{"snapshot":')).toBe(true);
      expect(snapshot.text.trimEnd().endsWith("}")).toBe(true);
      await page.getByRole("dialog").waitFor({ state: "detached" });

      const coming = page.waitForEvent("download", { timeout: 120_000 });
      await page.getByRole("button", { name: "Support bundle" }).click();
      const bundle = await kept(await coming);
      expect(JSON.parse(bundle.text)).toMatchObject({ about: { antiphon: expect.any(String) as unknown } });
      expect(bundle.text).not.toContain(TOKENS.admin);
      await goTo(page, "audit");
      await page.getByText("diagnostics.heap-snapshot").first().waitFor();
      expect(problems).toEqual([]);
    }, 300_000);

    test("a phone shows it too, and a master that leads refuses to stand still", async () => {
      const phone = { viewport: { width: 390, height: 844 }, colorScheme: "dark" } as const;
      const { page } = await browsing.look(shop, { role: "admin", at: "workers", ...phone });
      const master = page.getByRole("region", { name: "Processes" }).getByRole("row").filter({ hasText: "this page" });
      await master.getByRole("button", { name: /^Heap snapshot/ }).click();
      await page.getByRole("dialog").getByLabel("Thread").selectOption({ label: "main" });
      expect(await flaws(page)).toEqual([]);
      await page.getByRole("dialog").getByRole("button", { name: "Make it" }).click();
      await page.getByRole("dialog").getByRole("alert").getByText("This master leads").waitFor();
      const beside = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
      expect(await page.evaluate(beside)).toBe(0);
    });
  });

  describe("by keys", () => {
    test("pages are reached, rows are walked and opened, jobs are searched, the list of keys is shown", async () => {
      const { page } = await browsing.look(shop, { role: "operator" });
      const at = (heading: string): Promise<void> =>
        page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
      await page.keyboard.type("gq");
      await at("Queues");
      expect(await page.evaluate("document.activeElement.tagName")).toBe("H1");
      await page.getByRole("link", { name: "default", exact: true }).waitFor();
      await page.keyboard.type("jj");
      expect(await page.evaluate("document.activeElement.textContent")).toBe("default");
      await page.keyboard.press("Enter");
      await at("default");
      await page.keyboard.type("/");
      await at("Jobs");
      await eventually(
        async () => (await page.evaluate("document.activeElement.name")) === "text",
        "the focus in the search",
      );
      await page.keyboard.type("no such card");
      await page.getByRole("link", { name: deadId }).waitFor();
      await eventually(() => page.url().includes("text=no+such+card"), "the search in the address");
      await page.keyboard.press("Tab");
      await page.evaluate("document.activeElement.blur()");
      await page.keyboard.type("?");
      await page.getByRole("dialog").waitFor();
      expect(await flaws(page)).toEqual([]);
      await page.getByLabel("Single letters do something").uncheck();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await page.keyboard.type("gw");
      await at("Jobs");
    });

    test("the focus stays in a dialog, and is given back", async () => {
      const { page } = await browsing.look(shop, { role: "operator", at: "jobs" });
      const enqueue = page.getByRole("button", { name: "Enqueue" });
      await enqueue.focus();
      await page.keyboard.press("Enter");
      const inside = (): Promise<unknown> => page.evaluate("document.activeElement.closest('dialog') !== null");
      await page.getByRole("dialog").waitFor();
      for (let n = 0; n < 9; n++) {
        await page.keyboard.press("Tab");
        // Between the last and the first the browser itself may have it.
        expect(await page.evaluate("document.activeElement.closest('main, aside') === null")).toBe(true);
      }
      await page.getByLabel("Input, JSON").focus();
      expect(await inside()).toBe(true);
      expect(await flaws(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      expect(await enqueue.evaluate((button) => button === document.activeElement)).toBe(true);
    });
  });

  test("dark and light follow the system until one is chosen, which is kept", async () => {
    const { page } = await browsing.look(shop, {
      role: "viewer",
      colorScheme: "dark",
      viewport: { width: 1200, height: 800 },
    });
    const ground = (): Promise<string> => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const dark = await ground();
    await page.emulateMedia({ colorScheme: "light" });
    const light = await ground();
    expect(light).not.toBe(dark);
    await page.getByRole("button", { name: "Colours: system. Change" }).click();
    await page.getByRole("button", { name: "Colours: light. Change" }).click();
    expect(await ground()).toBe(dark);
    await page.reload();
    await page.getByRole("button", { name: "Colours: dark. Change" }).waitFor();
    expect(await ground()).toBe(dark);
  });

  test("a webhook's request is shown without its secrets, with a link to where its trace is shown", async () => {
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const headers = {
      traceparent: `00-${trace}-00f067aa0ba902b7-01`,
      authorization: "Bearer a-secret",
      "x-bank": "north",
      "content-type": "application/json",
    };
    const answer = await fetch(`http://127.0.0.1:${shop.httpPort}/hooks/pay`, {
      method: "POST",
      headers,
      body: '{"a":1}',
    });
    const { id } = (await answer.json()) as { id: string };
    await eventually(async () => (await shop.queue.find(id))?.state === "dead", "a dead webhook");
    const { page } = await browsing.look(shop, { role: "viewer", at: `jobs/${id}` });
    const request = page.getByRole("region", { name: "Request" });
    await request.getByText("x-bank: north").waitFor();
    expect(await request.textContent()).not.toContain("a-secret");
    const link = page.getByRole("link", { name: trace });
    expect(await link.getAttribute("href")).toBe(`https://traces.example.org/?id=${trace}&from=antiphon`);
    expect(await link.getAttribute("rel")).toBe("noreferrer");
  });

  test("links lead from a job to its queue, its route, its worker and what else its key has", async () => {
    const running = (await shop.queue.search({ states: ["claimed"], route: "report.build" })).found[0]?.id ?? "";
    const { page } = await browsing.look(shop, { role: "viewer", at: `jobs/${running}` });
    const from = async (name: string | RegExp, heading: string): Promise<void> => {
      await page.locator(".facts").getByRole("link", { name }).first().click();
      await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
      await page.goBack();
      await page.locator(".facts").first().waitFor();
    };
    await from("default", "default");
    await from("report.build", "Handlers");
    await from("reports", "Jobs");
    const pod = (await shop.queue.workers.list())[0]?.pod ?? "";
    await from(pod, "Workers");
  });
});
