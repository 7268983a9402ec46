// Every action of the dashboard in a real browser, each judged by what became of it in Redis.

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

  describe("queues", () => {
    test("a queue is paused and resumed", async () => {
      await goTo(page, "queues");
      await hand.click("Pause default");
      await hand.soon("it is paused", async () =>
        (await shop.queue.show("default")).pauses.some(({ kind }) => kind === "queue"),
      );
      await hand.click("Resume default");
      await hand.soon("it goes on", async () => (await shop.queue.show("default")).pauses.length === 0);
    });

    test("a route and a key of a queue are paused, and resumed", async () => {
      await goTo(page, "queues/default");
      await hand.click("Pause a part");
      await hand.fill("Its name", "report.build");
      await hand.inDialog("Pause");
      await hand.soon(
        "the route is paused",
        async () => (await shop.queue.show("default")).pauses[0]?.route === "report.build",
      );
      await hand.click("Pause a part");
      await page.getByRole("dialog").getByLabel("What").selectOption("key");
      await hand.fill("Its name", "docs");
      await hand.inDialog("Pause");
      await hand.soon("the key too", async () =>
        (await shop.queue.show("default")).pauses.some(({ key }) => key === "docs"),
      );
      await hand.click("Resume report.build");
      await hand.click("Resume docs");
      await hand.soon("nothing is", async () => (await shop.queue.show("default")).pauses.length === 0);
    });

    test("a key is paused where it is shown as the hottest", async () => {
      for (const to of ["a", "b"]) await hand.held(to, { key: "hot" });
      await goTo(page, "queues/parked");
      await page
        .getByRole("region", { name: "Hottest keys" })
        .getByRole("button", { name: "Pause the key hot" })
        .click();
      await hand.soon("it is paused", async () =>
        (await shop.queue.show("parked")).pauses.some(({ key }) => key === "hot"),
      );
    });

    test("a queue is limited, and its limits are taken away", async () => {
      await goTo(page, "queues/default");
      await hand.click("Change");
      await page.getByRole("dialog").getByLabel("Begin at most").fill("500");
      await page.getByRole("dialog").getByLabel("per", { exact: true }).fill("1m");
      await hand.fill("Run at most at a time", "7");
      await hand.inDialog("Change");
      await hand.soon("it is limited", async () => {
        const { rate, concurrency } = (await shop.queue.show("default")).limits;
        return rate?.limit === 500 && rate.per === "60000ms" && concurrency === 7;
      });
      await page.getByText("7 at a time").waitFor();
      await hand.click("Change");
      await page.getByRole("dialog").getByLabel("Begin at most").fill("");
      await hand.fill("Run at most at a time", "");
      await hand.inDialog("Change");
      await hand.soon("it is not", async () => JSON.stringify((await shop.queue.show("default")).limits) === "{}");
    });
  });

  describe("one job", () => {
    test("a job is enqueued, and its story is shown", async () => {
      await goTo(page, "jobs");
      await hand.click("Enqueue");
      await hand.fill("Job, by its name or the id of its route", "deploy.ship");
      await hand.fill("Input, JSON", '{"app": "api", "env": "prod", "ms": 5}');
      await hand.fill("Ordering key", "by-hand");
      await hand.inDialog("Enqueue");
      await page.locator("h1.mono").waitFor();
      const id = (await page.locator("h1.mono").textContent()) ?? "";
      await hand.soon("it ran", async () =>
        (await shop.queue.history("default")).some((one) => one.id === id && one.outcome === "done"),
      );
      await page.getByText("api is live on prod").first().waitFor();
    });

    test("what is no JSON is refused in the dialog, and nothing is enqueued", async () => {
      await goTo(page, "jobs");
      await hand.click("Enqueue");
      await hand.fill("Job, by its name or the id of its route", "mail.send");
      await hand.fill("Input, JSON", "{");
      await hand.inDialog("Enqueue");
      await page.getByRole("dialog").getByRole("alert").getByText("no JSON").waitFor();
      await hand.inDialog("Cancel");
    });

    test("a dead job is retried", async () => {
      const id = await hand.dead("retried");
      await shop.queue.pause("default", { route: "pay.capture" });
      await goTo(page, `jobs/${id}`);
      await page.getByText("no money for retried").first().waitFor();
      await hand.click("Retry");
      await hand.soon("it waits", async () => (await hand.stateOf(id)) !== "dead");
      await shop.queue.resume("default", { route: "pay.capture" });
      await hand.soon("it ran, and failed again", async () => (await hand.stateOf(id)) === "dead");
    });

    test("a job is edited, rescheduled and deleted", async () => {
      const id = await hand.held("edited");
      await goTo(page, `jobs/${id}`);
      await hand.click("Edit");
      await hand.fill("Input, JSON", '{"to": "somebody else", "ms": 2}');
      await page.getByRole("dialog").getByLabel("Class").selectOption("3");
      await hand.inDialog("Change");
      await hand.soon("its input is another", async () => {
        const found = await shop.queue.find(id);
        return found?.body.includes("somebody else") === true && found.class === 3;
      });
      await hand.click("Reschedule");
      await hand.fill("So long from now (0s is at once)", "2h");
      await hand.inDialog("Reschedule");
      await hand.soon("it is due in two hours", async () => {
        const due = (await shop.queue.find(id))?.due?.getTime() ?? 0;
        return Math.abs(due - Date.now() - 7_200_000) < 60_000;
      });
      await hand.click("Delete");
      await hand.inDialog("Delete");
      await hand.soon("it is gone", async () => (await shop.queue.find(id)) === undefined);
    });

    test("a run is ended, from its job and from the list of what runs", async () => {
      const ids = await Promise.all(
        ["2026-01", "2026-02"].map(async (month) => (await shop.queue.enqueue("report.build", { month })).id),
      );
      for (const id of ids) await hand.soon("it runs", async () => (await hand.stateOf(id)) === "claimed");
      await goTo(page, `jobs/${ids[0]}`);
      await hand.click("End this run");
      await hand.inDialog("End it");
      await hand.soon("the first is ended", async () => (await hand.stateOf(ids[0] ?? "")) === undefined);
      await goTo(page, "workers");
      await hand.click(`End the run of ${ids[1]}`);
      await hand.inDialog("End it");
      await hand.soon("the second is ended", async () => (await hand.stateOf(ids[1] ?? "")) === undefined);
    });
  });

  describe("many jobs", () => {
    const search = async (query: string): Promise<void> => {
      await goTo(page, `jobs?${query}`);
      await page.getByRole("region", { name: "Jobs found" }).waitFor();
    };

    test("all that fit are counted, deleted, and brought back", async () => {
      const ids = [await hand.dead("many 1"), await hand.dead("many 2"), await hand.dead("many 3")];
      await hand.dead("another");
      await search("state=dead&text=no+money+for+many");
      await goTo(page, "jobs?state=dead&text=many");
      await hand.click("Delete all that fit");
      await page.getByRole("dialog").getByText("3 dead jobs fit").waitFor();
      await hand.inDialog("Delete 3");
      await hand.soon("they are gone", async () =>
        (await Promise.all(ids.map((id) => hand.stateOf(id)))).every((state) => state === undefined),
      );
      await page.getByRole("button", { name: "Undo" }).click();
      await hand.soon("they are back", async () =>
        (await Promise.all(ids.map((id) => hand.stateOf(id)))).every((state) => state === "dead"),
      );
    });

    test("all that fit are retried", async () => {
      const ids = [await hand.dead("again 1", "mending"), await hand.dead("again 2", "mending")];
      await shop.queue.pause("mending");
      await goTo(page, "jobs?state=dead&queue=mending");
      await hand.click("Retry all that fit");
      await hand.inDialog("Retry 2");
      await hand.soon("they wait", async () =>
        (await Promise.all(ids.map((id) => hand.stateOf(id)))).every((state) => state !== "dead"),
      );
    });

    test("those that are chosen are rescheduled, and the others are not", async () => {
      const [one, two, three] = [await hand.held("first"), await hand.held("second"), await hand.held("third")];
      await goTo(page, "jobs?state=waiting&queue=parked");
      await page.getByLabel(`Choose ${one}`).check();
      await page.getByLabel(`Choose ${three}`).check();
      await hand.click("Reschedule those chosen");
      await page.getByRole("dialog").getByText("2 jobs fit").waitFor();
      await hand.fill("So long from now", "1h");
      await hand.inDialog("Reschedule 2");
      await hand.soon(
        "two are due later",
        async () => (await hand.stateOf(one)) === "delayed" && (await hand.stateOf(three)) === "delayed",
      );
      expect(await hand.stateOf(two)).toBe("waiting");
    });

    test("all that fit are cancelled", async () => {
      const ids = [await hand.held("cancelled 1"), await hand.held("cancelled 2")];
      await goTo(page, "jobs?state=waiting&queue=parked&text=cancelled");
      await hand.click("Cancel all that fit");
      await hand.inDialog("Cancel 2");
      await hand.soon("they are gone", async () =>
        (await Promise.all(ids.map((id) => hand.stateOf(id)))).every((state) => state === undefined),
      );
    });
  });
});
