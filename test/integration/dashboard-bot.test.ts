// What the dashboard does to the bot itself, schedules, routes, workers, in a real browser, judged by what became of it in Redis.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { Browsing, goTo, Shop } from "../support/dashboard.ts";
import { Hand } from "../support/dashboard-hand.ts";
import { withServer } from "../support/redis.ts";

withServer("chromium", () => {
  let shop: Shop;
  let browsing: Browsing;
  let page: Page;
  let problems: readonly string[];
  let hand: Hand;

  beforeAll(async () => {
    shop = await Shop.open();
    shop.startLoad(5);
    browsing = await Browsing.open();
    ({ page, problems } = await browsing.look(shop, { role: "operator", viewport: { width: 1400, height: 900 } }));
    hand = new Hand(page, shop);
  }, 240_000);

  afterEach(() => expect(problems).toEqual([]));

  afterAll(async () => {
    await browsing?.close();
    await shop?.close();
  });

  describe("schedules", () => {
    const schedule = async (id: string) => (await shop.queue.schedules.list()).find((one) => one.id === id);

    test("one is run, paused, resumed, edited and reset", async () => {
      await goTo(page, "cron");
      await hand.click("Run mail.digest now");
      await hand.soon("it ran", async () =>
        (await shop.queue.history("default")).some(({ routes }) => routes.includes("mail.digest")),
      );
      await hand.click("Pause mail.digest");
      await hand.soon("it is paused", async () => (await schedule("mail.digest"))?.paused === true);
      await hand.click("Resume mail.digest");
      await hand.soon("it is not", async () => (await schedule("mail.digest"))?.paused === false);
      await hand.click("Edit mail.digest");
      await hand.fill("Cron, five fields", "30 7 * * *");
      await hand.inDialog("Change");
      await hand.soon("its times are others", async () =>
        JSON.stringify((await schedule("mail.digest"))?.times).includes("30 7 * * *"),
      );
      await hand.click("Reset mail.digest: as its handler says");
      await hand.soon("they are its own", async () =>
        JSON.stringify((await schedule("mail.digest"))?.times).includes("0 9 * * 1-5"),
      );
      await goTo(page, "cron/mail.digest");
      await page.getByText("done").first().waitFor();
    });

    test("one is added and removed", async () => {
      await goTo(page, "cron");
      await hand.click("Add");
      await hand.fill("Name", "weekly-report");
      await hand.fill("Job that it enqueues", "report.build");
      await hand.fill("Input, JSON", '{"month": "all", "ms": 1}');
      await hand.fill("or every", "168h");
      await hand.inDialog("Add");
      await hand.soon("it is there", async () => (await schedule("weekly-report"))?.route === "report.build");
      await hand.click("Remove weekly-report");
      await hand.inDialog("Remove");
      await hand.soon("it is gone", async () => (await schedule("weekly-report")) === undefined);
    });
  });

  test("a route is switched off in every queue, and on", async () => {
    await goTo(page, "handlers");
    await hand.click("Switch off deploy.ship");
    await hand.inDialog("Switch off");
    await hand.soon("it is paused", async () =>
      (await shop.queue.show("default")).pauses.some(({ route }) => route === "deploy.ship"),
    );
    await hand.click("Switch on deploy.ship");
    await hand.soon("it goes on", async () => (await shop.queue.show("default")).pauses.length === 0);
  });

  test("what was done is in the audit log, with who did it", async () => {
    await goTo(page, "audit");
    await page.getByText("schedule.run").first().waitFor();
    await page.getByText("ann").first().waitFor();
  });

  test("a worker is quieted, resumed and stopped", async () => {
    const [{ pod = "" } = {}] = await shop.queue.workers.list();
    const orderOf = async (): Promise<string | undefined> => (await shop.queue.workers.list())[0]?.order;
    await goTo(page, "workers");
    await hand.click(`Quiet ${pod}: it takes nothing more`);
    await hand.says(`${pod} takes nothing more`);
    await hand.soon("it is quiet", async () => (await orderOf()) === "quiet");
    await hand.click(`Resume ${pod}`);
    await hand.soon("it is not", async () => (await orderOf()) === "");
    await hand.click(`Stop ${pod}`);
    await hand.inDialog("Stop it");
    await hand.soon("it is gone", async () => (await shop.queue.workers.list()).length === 0);
    await page.getByText("No worker lives").waitFor();
  });

  test("who signs out has to sign in again", async () => {
    await hand.click("Sign out");
    await page.getByLabel("Token").waitFor();
    await page.reload();
    await page.getByLabel("Token").waitFor();
  });
});
