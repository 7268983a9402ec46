// What people and programs write is text on the dashboard, wherever it is shown, and never HTML.

import { afterAll, beforeAll, expect, test } from "vitest";
import { Browsing, eventually, goTo, Shop } from "../support/dashboard.ts";
import { withServer } from "../support/redis.ts";

const HANDLERS = ["dashboard", "dashboard-hostile"].map(
  (name) => new URL(`../fixtures/${name}`, import.meta.url).pathname,
);
const IMAGE = `"><img src=x onerror="window.hit='image'">`;
const SCRIPT = "</pre><script>window.hit='script'</script>";
const SVG = "<svg/onload=window.hit='svg'>";
const LINK = "javascript:window.hit='link'";
const QUEUE = "javascript";

withServer("chromium", () => {
  let shop: Shop;
  let browsing: Browsing;
  const ids: string[] = [];

  beforeAll(async () => {
    shop = await Shop.open({ env: { ANTIPHON_HANDLERS: HANDLERS.join(",") } });
    browsing = await Browsing.open();
    const options = { tags: [SVG, LINK], key: IMAGE };
    const fails = { order: SCRIPT, error: `${IMAGE}\n${SCRIPT}` };
    ids.push((await shop.queue.enqueue("pay.capture", fails, options)).id);
    await eventually(async () => (await shop.queue.find(ids[0] ?? ""))?.state === "dead", "a dead job");
    const slow = { month: SCRIPT };
    ids.push((await shop.queue.enqueue("report.build", slow, options)).id);
    await eventually(async () => (await shop.queue.find(ids[1] ?? ""))?.progress !== undefined, "a job that runs");
    await shop.queue.pause(QUEUE);
    for (const key of [IMAGE, SVG, LINK])
      ids.push((await shop.queue.enqueue("mail.send", { to: SVG }, { queue: QUEUE, key })).id);
    shop.chat.say({ room: `#${IMAGE}`, user: SVG, text: `!ship ${SCRIPT} staging` });
    await eventually(async () => (await shop.queue.history("chat")).length > 0, "a Message that was answered");
  }, 240_000);

  afterAll(async () => {
    await browsing?.close();
    await shop?.close();
  });

  test("hostile texts, errors, keys, tags, help and progress are shown as they are and do nothing", async () => {
    const { page, problems } = await browsing.look(shop, { role: "operator", viewport: { width: 1400, height: 900 } });
    const places = [
      "",
      "queues",
      "queues/default",
      `queues/${QUEUE}`,
      "queues/chat",
      "jobs",
      "jobs?state=dead",
      "jobs?state=finished",
      `jobs?text=${encodeURIComponent(SCRIPT)}&tag=${encodeURIComponent(SVG)}&key=${encodeURIComponent(IMAGE)}`,
      ...ids.map((id) => `jobs/${id}`),
      `jobs/${encodeURIComponent(IMAGE)}`,
      `queues/${encodeURIComponent(SVG)}`,
      "workers",
      `workers?pod=${encodeURIComponent(SCRIPT)}`,
      "cron",
      `cron/${encodeURIComponent(IMAGE)}`,
      "chat",
      "bus",
      "handlers",
      `handlers?route=${encodeURIComponent(SVG)}`,
      "audit",
    ];
    for (const at of places) {
      await goTo(page, at);
      await page.waitForLoadState("networkidle").catch(() => {}); // the stream of what is live never ends
      await page.locator("main table, main .empty, main .facts").first().waitFor();
      const made = await page.evaluate(
        "document.querySelectorAll('main :is(img, script, iframe, [onload], [onerror], [onmouseover])').length",
      );
      expect(made, at).toBe(0);
      const links = await page
        .locator("main a")
        .evaluateAll((all) => all.map((link) => link.getAttribute("href") ?? ""));
      expect(
        links.filter((href) => !href.startsWith("#/")),
        at,
      ).toEqual([]);
    }
    await goTo(page, `jobs/${ids[0]}`);
    await page.locator("pre").filter({ hasText: IMAGE }).first().waitFor();
    await page.locator("pre").filter({ hasText: SCRIPT }).first().waitFor();
    await goTo(page, "handlers");
    await page.getByText("Takes <script>alert(1)</script>").waitFor();
    expect(await page.evaluate("window.hit")).toBeUndefined();
    expect(problems).toEqual([]);
  });

  test("a hostile key is paused from its row, and is text in the audit log", async () => {
    const { page, problems } = await browsing.look(shop, { role: "operator", at: `queues/${QUEUE}` });
    await page
      .getByRole("region", { name: "Hottest keys" })
      .getByRole("button", { name: `Pause the key ${IMAGE}` })
      .click();
    await eventually(
      async () => (await shop.queue.show(QUEUE)).pauses.some(({ key }) => key === IMAGE),
      "a pause of the key",
    );
    await goTo(page, "audit");
    await page.getByText("queue.pause").first().waitFor();
    expect(await page.evaluate("document.querySelectorAll('main img').length")).toBe(0);
    expect(await page.evaluate("window.hit")).toBeUndefined();
    expect(problems).toEqual([]);
  });
});
