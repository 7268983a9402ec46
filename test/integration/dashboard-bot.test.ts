// What the dashboard does to the bot itself, schedules, routes, workers, in a real browser, judged by what became of it in Redis.

import { describe, test } from "vitest";
import { goTo } from "../support/dashboard.ts";
import { useOperator } from "../support/dashboard-hand.ts";
import { withServer } from "../support/redis.ts";

withServer("chromium", () => {
  const at = useOperator();

  describe("schedules", () => {
    const schedule = async (id: string) => (await at.shop.queue.schedules.list()).find((one) => one.id === id);

    test("one is run, paused, resumed, edited and reset", async () => {
      await goTo(at.page, "cron");
      await at.hand.click("Run mail.digest now");
      await at.hand.soon("it ran", async () =>
        (await at.shop.queue.history("default")).some(({ routes }) => routes.includes("mail.digest")),
      );
      await at.hand.click("Pause mail.digest");
      await at.hand.soon("it is paused", async () => (await schedule("mail.digest"))?.paused === true);
      await at.hand.click("Resume mail.digest");
      await at.hand.soon("it is not", async () => (await schedule("mail.digest"))?.paused === false);
      await at.hand.click("Edit mail.digest");
      await at.hand.fill("Cron, five fields", "30 7 * * *");
      await at.hand.inDialog("Change");
      await at.hand.soon("its times are others", async () =>
        JSON.stringify((await schedule("mail.digest"))?.times).includes("30 7 * * *"),
      );
      await at.hand.click("Reset mail.digest: as its handler says");
      await at.hand.soon("they are its own", async () =>
        JSON.stringify((await schedule("mail.digest"))?.times).includes("0 9 * * 1-5"),
      );
      await goTo(at.page, "cron/mail.digest");
      await at.page.getByText("done").first().waitFor();
    });

    test("one is added and removed", async () => {
      await goTo(at.page, "cron");
      await at.hand.click("Add");
      await at.hand.fill("Name", "weekly-report");
      await at.hand.fill("Job that it enqueues", "report.build");
      await at.hand.fill("Input, JSON", '{"month": "all", "ms": 1}');
      await at.hand.fill("or every", "168h");
      await at.hand.inDialog("Add");
      await at.hand.soon("it is there", async () => (await schedule("weekly-report"))?.route === "report.build");
      await at.hand.click("Remove weekly-report");
      await at.hand.inDialog("Remove");
      await at.hand.soon("it is gone", async () => (await schedule("weekly-report")) === undefined);
    });
  });

  test("a route is switched off in every queue, and on", async () => {
    await goTo(at.page, "handlers");
    await at.hand.click("Switch off deploy.ship");
    await at.hand.inDialog("Switch off");
    await at.hand.soon("it is paused", async () =>
      (await at.shop.queue.show("default")).pauses.some(({ route }) => route === "deploy.ship"),
    );
    await at.hand.click("Switch on deploy.ship");
    await at.hand.soon("it goes on", async () => (await at.shop.queue.show("default")).pauses.length === 0);
  });

  test("what was done is in the audit log, with who did it", async () => {
    await goTo(at.page, "audit");
    await at.page.getByText("schedule.run").first().waitFor();
    await at.page.getByText("ann").first().waitFor();
  });

  test("a worker is quieted, resumed and stopped", async () => {
    const [{ pod = "" } = {}] = await at.shop.queue.workers.list();
    const orderOf = async (): Promise<string | undefined> => (await at.shop.queue.workers.list())[0]?.order;
    await goTo(at.page, "workers");
    await at.hand.click(`Quiet ${pod}: it takes nothing more`);
    await at.hand.says(`${pod} takes nothing more`);
    await at.hand.soon("it is quiet", async () => (await orderOf()) === "quiet");
    await at.hand.click(`Resume ${pod}`);
    await at.hand.soon("it is not", async () => (await orderOf()) === "");
    await at.hand.click(`Stop ${pod}`);
    await at.hand.inDialog("Stop it");
    await at.hand.soon("it is gone", async () => (await at.shop.queue.workers.list()).length === 0);
    await at.page.getByText("No worker lives").waitFor();
  });

  test("who signs out has to sign in again", async () => {
    await at.hand.click("Sign out");
    await at.page.getByLabel("Token").waitFor();
    await at.page.reload();
    await at.page.getByLabel("Token").waitFor();
  });
});
