// Every action of the dashboard in a real browser, each judged by what became of it in Redis.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { Browsing, eventually, goTo, Shop } from "../support/dashboard.ts";
import { withServer } from "../support/redis.ts";

withServer("chromium", () => {
  let shop: Shop;
  let browsing: Browsing;
  let page: Page;
  let problems: readonly string[];

  const click = (name: string | RegExp): Promise<void> =>
    page.getByRole("button", { name, ...(typeof name === "string" && { exact: true }) }).click();
  const inDialog = (name: string | RegExp): Promise<void> =>
    page.getByRole("dialog").getByRole("button", { name }).click();
  const fill = (label: string, text: string): Promise<void> => page.getByRole("dialog").getByLabel(label).fill(text);
  const says = (text: string | RegExp): Promise<void> => page.locator(".toasts").getByText(text).last().waitFor();
  const stateOf = async (id: string): Promise<string | undefined> => (await shop.queue.find(id))?.state;
  const soon = (what: string, condition: () => Promise<boolean>): Promise<unknown> => eventually(condition, what);

  /** In a queue that nothing takes from. */
  async function held(to: string, options: object = {}): Promise<string> {
    await shop.queue.pause("parked");
    return (await shop.queue.enqueue("mail.send", { to, ms: 1 }, { queue: "parked", ...options })).id;
  }

  async function dead(order: string, queue = "default"): Promise<string> {
    const { id } = await shop.queue.enqueue("pay.capture", { order, error: `no money for ${order}` }, { queue });
    await soon(`${order} is dead`, async () => (await stateOf(id)) === "dead");
    return id;
  }

  beforeAll(async () => {
    shop = await Shop.open();
    shop.startLoad(5);
    browsing = await Browsing.open();
    ({ page, problems } = await browsing.look(shop, { role: "operator", viewport: { width: 1400, height: 900 } }));
  }, 240_000);

  afterEach(() => expect(problems).toEqual([]));

  afterAll(async () => {
    await browsing?.close();
    await shop?.close();
  });

  describe("queues", () => {
    test("a queue is paused and resumed", async () => {
      await goTo(page, "queues");
      await click("Pause default");
      await soon("it is paused", async () =>
        (await shop.queue.show("default")).pauses.some(({ kind }) => kind === "queue"),
      );
      await click("Resume default");
      await soon("it goes on", async () => (await shop.queue.show("default")).pauses.length === 0);
    });

    test("a route and a key of a queue are paused, and resumed", async () => {
      await goTo(page, "queues/default");
      await click("Pause a part");
      await fill("Its name", "report.build");
      await inDialog("Pause");
      await soon(
        "the route is paused",
        async () => (await shop.queue.show("default")).pauses[0]?.route === "report.build",
      );
      await click("Pause a part");
      await page.getByRole("dialog").getByLabel("What").selectOption("key");
      await fill("Its name", "docs");
      await inDialog("Pause");
      await soon("the key too", async () =>
        (await shop.queue.show("default")).pauses.some(({ key }) => key === "docs"),
      );
      await click("Resume report.build");
      await click("Resume docs");
      await soon("nothing is", async () => (await shop.queue.show("default")).pauses.length === 0);
    });

    test("a key is paused where it is shown as the hottest", async () => {
      for (const to of ["a", "b"]) await held(to, { key: "hot" });
      await goTo(page, "queues/parked");
      await page
        .getByRole("region", { name: "Hottest keys" })
        .getByRole("button", { name: "Pause the key hot" })
        .click();
      await soon("it is paused", async () => (await shop.queue.show("parked")).pauses.some(({ key }) => key === "hot"));
    });

    test("a queue is limited, and its limits are taken away", async () => {
      await goTo(page, "queues/default");
      await click("Change");
      await page.getByRole("dialog").getByLabel("Begin at most").fill("500");
      await page.getByRole("dialog").getByLabel("per", { exact: true }).fill("1m");
      await fill("Run at most at a time", "7");
      await inDialog("Change");
      await soon("it is limited", async () => {
        const { rate, concurrency } = (await shop.queue.show("default")).limits;
        return rate?.limit === 500 && rate.per === "60000ms" && concurrency === 7;
      });
      await page.getByText("7 at a time").waitFor();
      await click("Change");
      await page.getByRole("dialog").getByLabel("Begin at most").fill("");
      await fill("Run at most at a time", "");
      await inDialog("Change");
      await soon("it is not", async () => JSON.stringify((await shop.queue.show("default")).limits) === "{}");
    });
  });

  describe("one job", () => {
    test("a job is enqueued, and its story is shown", async () => {
      await goTo(page, "jobs");
      await click("Enqueue");
      await fill("Job, by its name or the id of its route", "deploy.ship");
      await fill("Input, JSON", '{"app": "api", "env": "prod", "ms": 5}');
      await fill("Ordering key", "by-hand");
      await inDialog("Enqueue");
      await page.locator("h1.mono").waitFor();
      const id = (await page.locator("h1.mono").textContent()) ?? "";
      await soon("it ran", async () =>
        (await shop.queue.history("default")).some((one) => one.id === id && one.outcome === "done"),
      );
      await page.getByText("api is live on prod").first().waitFor();
    });

    test("what is no JSON is refused in the dialog, and nothing is enqueued", async () => {
      await goTo(page, "jobs");
      await click("Enqueue");
      await fill("Job, by its name or the id of its route", "mail.send");
      await fill("Input, JSON", "{");
      await inDialog("Enqueue");
      await page.getByRole("dialog").getByRole("alert").getByText("no JSON").waitFor();
      await inDialog("Cancel");
    });

    test("a dead job is retried", async () => {
      const id = await dead("retried");
      await shop.queue.pause("default", { route: "pay.capture" });
      await goTo(page, `jobs/${id}`);
      await page.getByText("no money for retried").first().waitFor();
      await click("Retry");
      await soon("it waits", async () => (await stateOf(id)) !== "dead");
      await shop.queue.resume("default", { route: "pay.capture" });
      await soon("it ran, and failed again", async () => (await stateOf(id)) === "dead");
    });

    test("a job is edited, rescheduled and deleted", async () => {
      const id = await held("edited");
      await goTo(page, `jobs/${id}`);
      await click("Edit");
      await fill("Input, JSON", '{"to": "somebody else", "ms": 2}');
      await page.getByRole("dialog").getByLabel("Class").selectOption("3");
      await inDialog("Change");
      await soon("its input is another", async () => {
        const found = await shop.queue.find(id);
        return found?.body.includes("somebody else") === true && found.class === 3;
      });
      await click("Reschedule");
      await fill("So long from now (0s is at once)", "2h");
      await inDialog("Reschedule");
      await soon("it is due in two hours", async () => {
        const due = (await shop.queue.find(id))?.due?.getTime() ?? 0;
        return Math.abs(due - Date.now() - 7_200_000) < 60_000;
      });
      await click("Delete");
      await inDialog("Delete");
      await soon("it is gone", async () => (await shop.queue.find(id)) === undefined);
    });

    test("a run is ended, from its job and from the list of what runs", async () => {
      const ids = await Promise.all(
        ["2026-01", "2026-02"].map(async (month) => (await shop.queue.enqueue("report.build", { month })).id),
      );
      for (const id of ids) await soon("it runs", async () => (await stateOf(id)) === "claimed");
      await goTo(page, `jobs/${ids[0]}`);
      await click("End this run");
      await inDialog("End it");
      await soon("the first is ended", async () => (await stateOf(ids[0] ?? "")) === undefined);
      await goTo(page, "workers");
      await click(`End the run of ${ids[1]}`);
      await inDialog("End it");
      await soon("the second is ended", async () => (await stateOf(ids[1] ?? "")) === undefined);
    });
  });

  describe("many jobs", () => {
    const search = async (query: string): Promise<void> => {
      await goTo(page, `jobs?${query}`);
      await page.getByRole("region", { name: "Jobs found" }).waitFor();
    };

    test("all that fit are counted, deleted, and brought back", async () => {
      const ids = [await dead("many 1"), await dead("many 2"), await dead("many 3")];
      await dead("another");
      await search("state=dead&text=no+money+for+many");
      await goTo(page, "jobs?state=dead&text=many");
      await click("Delete all that fit");
      await page.getByRole("dialog").getByText("3 dead jobs fit").waitFor();
      await inDialog("Delete 3");
      await soon("they are gone", async () =>
        (await Promise.all(ids.map(stateOf))).every((state) => state === undefined),
      );
      await page.getByRole("button", { name: "Undo" }).click();
      await soon("they are back", async () => (await Promise.all(ids.map(stateOf))).every((state) => state === "dead"));
    });

    test("all that fit are retried", async () => {
      const ids = [await dead("again 1", "mending"), await dead("again 2", "mending")];
      await shop.queue.pause("mending");
      await goTo(page, "jobs?state=dead&queue=mending");
      await click("Retry all that fit");
      await inDialog("Retry 2");
      await soon("they wait", async () => (await Promise.all(ids.map(stateOf))).every((state) => state !== "dead"));
    });

    test("those that are chosen are rescheduled, and the others are not", async () => {
      const [one, two, three] = [await held("first"), await held("second"), await held("third")];
      await goTo(page, "jobs?state=waiting&queue=parked");
      await page.getByLabel(`Choose ${one}`).check();
      await page.getByLabel(`Choose ${three}`).check();
      await click("Reschedule those chosen");
      await page.getByRole("dialog").getByText("2 jobs fit").waitFor();
      await fill("So long from now", "1h");
      await inDialog("Reschedule 2");
      await soon(
        "two are due later",
        async () => (await stateOf(one)) === "delayed" && (await stateOf(three)) === "delayed",
      );
      expect(await stateOf(two)).toBe("waiting");
    });

    test("all that fit are cancelled", async () => {
      const ids = [await held("cancelled 1"), await held("cancelled 2")];
      await goTo(page, "jobs?state=waiting&queue=parked&text=cancelled");
      await click("Cancel all that fit");
      await inDialog("Cancel 2");
      await soon("they are gone", async () =>
        (await Promise.all(ids.map(stateOf))).every((state) => state === undefined),
      );
    });
  });

  describe("schedules", () => {
    const schedule = async (id: string) => (await shop.queue.schedules.list()).find((one) => one.id === id);

    test("one is run, paused, resumed, edited and reset", async () => {
      await goTo(page, "cron");
      await click("Run mail.digest now");
      await soon("it ran", async () =>
        (await shop.queue.history("default")).some(({ routes }) => routes.includes("mail.digest")),
      );
      await click("Pause mail.digest");
      await soon("it is paused", async () => (await schedule("mail.digest"))?.paused === true);
      await click("Resume mail.digest");
      await soon("it is not", async () => (await schedule("mail.digest"))?.paused === false);
      await click("Edit mail.digest");
      await fill("Cron, five fields", "30 7 * * *");
      await inDialog("Change");
      await soon("its times are others", async () =>
        JSON.stringify((await schedule("mail.digest"))?.times).includes("30 7 * * *"),
      );
      await click("Reset mail.digest: as its handler says");
      await soon("they are its own", async () =>
        JSON.stringify((await schedule("mail.digest"))?.times).includes("0 9 * * 1-5"),
      );
      await goTo(page, "cron/mail.digest");
      await page.getByText("done").first().waitFor();
    });

    test("one is added and removed", async () => {
      await goTo(page, "cron");
      await click("Add");
      await fill("Name", "weekly-report");
      await fill("Job that it enqueues", "report.build");
      await fill("Input, JSON", '{"month": "all", "ms": 1}');
      await fill("or every", "168h");
      await inDialog("Add");
      await soon("it is there", async () => (await schedule("weekly-report"))?.route === "report.build");
      await click("Remove weekly-report");
      await inDialog("Remove");
      await soon("it is gone", async () => (await schedule("weekly-report")) === undefined);
    });
  });

  test("a route is switched off in every queue, and on", async () => {
    await goTo(page, "handlers");
    await click("Switch off deploy.ship");
    await inDialog("Switch off");
    await soon("it is paused", async () =>
      (await shop.queue.show("default")).pauses.some(({ route }) => route === "deploy.ship"),
    );
    await click("Switch on deploy.ship");
    await soon("it goes on", async () => (await shop.queue.show("default")).pauses.length === 0);
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
    await click(`Quiet ${pod}: it takes nothing more`);
    await says(`${pod} takes nothing more`);
    await soon("it is quiet", async () => (await orderOf()) === "quiet");
    await click(`Resume ${pod}`);
    await soon("it is not", async () => (await orderOf()) === "");
    await click(`Stop ${pod}`);
    await inDialog("Stop it");
    await soon("it is gone", async () => (await shop.queue.workers.list()).length === 0);
    await page.getByText("No worker lives").waitFor();
  });

  test("who signs out has to sign in again", async () => {
    await click("Sign out");
    await page.getByLabel("Token").waitFor();
    await page.reload();
    await page.getByLabel("Token").waitFor();
  });
});
