// Every action of the dashboard in a real browser, each judged by what became of it in Redis.

import { describe, expect, test } from "vitest";
import { goTo } from "../support/dashboard.ts";
import { useOperator } from "../support/dashboard-hand.ts";
import { withServer } from "../support/redis.ts";

withServer("chromium", () => {
  const at = useOperator();

  describe("queues", () => {
    test("a queue is paused and resumed", async () => {
      await goTo(at.page, "queues");
      await at.hand.click("Pause default");
      await at.hand.soon("it is paused", async () =>
        (await at.shop.queue.show("default")).pauses.some(({ kind }) => kind === "queue"),
      );
      await at.hand.click("Resume default");
      await at.hand.soon("it goes on", async () => (await at.shop.queue.show("default")).pauses.length === 0);
    });

    test("a route and a key of a queue are paused, and resumed", async () => {
      await goTo(at.page, "queues/default");
      await at.hand.click("Pause a part");
      await at.hand.fill("Its name", "report.build");
      await at.hand.inDialog("Pause");
      await at.hand.soon(
        "the route is paused",
        async () => (await at.shop.queue.show("default")).pauses[0]?.route === "report.build",
      );
      await at.hand.click("Pause a part");
      await at.page.getByRole("dialog").getByLabel("What").selectOption("key");
      await at.hand.fill("Its name", "docs");
      await at.hand.inDialog("Pause");
      await at.hand.soon("the key too", async () =>
        (await at.shop.queue.show("default")).pauses.some(({ key }) => key === "docs"),
      );
      await at.hand.click("Resume report.build");
      // Its row goes, and the next one moves to its place.
      await at.page.getByRole("button", { name: "Resume report.build" }).waitFor({ state: "detached" });
      await at.hand.click("Resume docs");
      await at.hand.soon("nothing is", async () => (await at.shop.queue.show("default")).pauses.length === 0);
    });

    test("a key is paused where it is shown as the hottest", async () => {
      for (const to of ["a", "b"]) await at.hand.held(to, { key: "hot" });
      await goTo(at.page, "queues/parked");
      await at.page
        .getByRole("region", { name: "Hottest keys" })
        .getByRole("button", { name: "Pause the key hot" })
        .click();
      await at.hand.soon("it is paused", async () =>
        (await at.shop.queue.show("parked")).pauses.some(({ key }) => key === "hot"),
      );
    });

    test("a queue is limited, and its limits are taken away", async () => {
      await goTo(at.page, "queues/default");
      await at.hand.click("Change");
      await at.page.getByRole("dialog").getByLabel("Begin at most").fill("500");
      await at.page.getByRole("dialog").getByLabel("per", { exact: true }).fill("1m");
      await at.hand.fill("Run at most at a time", "7");
      await at.hand.inDialog("Change");
      await at.hand.soon("it is limited", async () => {
        const { rate, concurrency } = (await at.shop.queue.show("default")).limits;
        return rate?.limit === 500 && rate.per === "60000ms" && concurrency === 7;
      });
      await at.page.getByText("7 at a time").waitFor();
      await at.hand.click("Change");
      await at.page.getByRole("dialog").getByLabel("Begin at most").fill("");
      await at.hand.fill("Run at most at a time", "");
      await at.hand.inDialog("Change");
      await at.hand.soon(
        "it is not",
        async () => JSON.stringify((await at.shop.queue.show("default")).limits) === "{}",
      );
    });
  });

  describe("one job", () => {
    test("a job is enqueued, and its story is shown", async () => {
      await goTo(at.page, "jobs");
      await at.hand.click("Enqueue");
      await at.hand.fill("Job, by its name or the id of its route", "deploy.ship");
      await at.hand.fill("Input, JSON", '{"app": "api", "env": "prod", "ms": 5}');
      await at.hand.fill("Ordering key", "by-hand");
      await at.hand.inDialog("Enqueue");
      await at.page.locator("h1.mono").waitFor();
      const id = (await at.page.locator("h1.mono").textContent()) ?? "";
      await at.hand.soon("it ran", async () =>
        (await at.shop.queue.history("default")).some((one) => one.id === id && one.outcome === "done"),
      );
      await at.page.getByText("api is live on prod").first().waitFor();
    });

    test("what is no JSON is refused in the dialog, and nothing is enqueued", async () => {
      await goTo(at.page, "jobs");
      await at.hand.click("Enqueue");
      await at.hand.fill("Job, by its name or the id of its route", "mail.send");
      await at.hand.fill("Input, JSON", "{");
      await at.hand.inDialog("Enqueue");
      await at.page.getByRole("dialog").getByRole("alert").getByText("no JSON").waitFor();
      await at.hand.inDialog("Cancel");
    });

    test("a dead job is retried", async () => {
      const id = await at.hand.dead("retried");
      await at.shop.queue.pause("default", { route: "pay.capture" });
      await goTo(at.page, `jobs/${id}`);
      await at.page.getByText("no money for retried").first().waitFor();
      await at.hand.click("Retry");
      await at.hand.soon("it waits", async () => (await at.hand.stateOf(id)) !== "dead");
      await at.shop.queue.resume("default", { route: "pay.capture" });
      await at.hand.soon("it ran, and failed again", async () => (await at.hand.stateOf(id)) === "dead");
    });

    test("a job is edited, rescheduled and deleted", async () => {
      const id = await at.hand.held("edited");
      await goTo(at.page, `jobs/${id}`);
      await at.hand.click("Edit");
      await at.hand.fill("Input, JSON", '{"to": "somebody else", "ms": 2}');
      await at.page.getByRole("dialog").getByLabel("Class").selectOption("3");
      await at.hand.inDialog("Change");
      await at.hand.soon("its input is another", async () => {
        const found = await at.shop.queue.find(id);
        return found?.body.includes("somebody else") === true && found.class === 3;
      });
      await at.hand.click("Reschedule");
      await at.hand.fill("So long from now (0s is at once)", "2h");
      await at.hand.inDialog("Reschedule");
      await at.hand.soon("it is due in two hours", async () => {
        const due = (await at.shop.queue.find(id))?.due?.getTime() ?? 0;
        return Math.abs(due - Date.now() - 7_200_000) < 60_000;
      });
      await at.hand.click("Delete");
      await at.hand.inDialog("Delete");
      await at.hand.soon("it is gone", async () => (await at.shop.queue.find(id)) === undefined);
    });

    test("a run is ended, from its job and from the list of what runs", async () => {
      const ids = await Promise.all(
        ["2026-01", "2026-02"].map(async (month) => (await at.shop.queue.enqueue("report.build", { month })).id),
      );
      for (const id of ids) await at.hand.soon("it runs", async () => (await at.hand.stateOf(id)) === "claimed");
      await goTo(at.page, `jobs/${ids[0]}`);
      await at.hand.click("End this run");
      await at.hand.inDialog("End it");
      await at.hand.soon("the first is ended", async () => (await at.hand.stateOf(ids[0] ?? "")) === undefined);
      await goTo(at.page, "workers");
      await at.hand.click(`End the run of ${ids[1]}`);
      await at.hand.inDialog("End it");
      await at.hand.soon("the second is ended", async () => (await at.hand.stateOf(ids[1] ?? "")) === undefined);
    });
  });

  describe("many jobs", () => {
    const search = async (query: string): Promise<void> => {
      await goTo(at.page, `jobs?${query}`);
      await at.page.getByRole("region", { name: "Jobs found" }).waitFor();
    };

    test("all that fit are counted, deleted, and brought back", async () => {
      const ids = [await at.hand.dead("many 1"), await at.hand.dead("many 2"), await at.hand.dead("many 3")];
      await at.hand.dead("another");
      await search("state=dead&text=no+money+for+many");
      await goTo(at.page, "jobs?state=dead&text=many");
      await at.hand.click("Delete all that fit");
      await at.page.getByRole("dialog").getByText("3 dead jobs fit").waitFor();
      await at.hand.inDialog("Delete 3");
      await at.hand.soon("they are gone", async () =>
        (await Promise.all(ids.map((id) => at.hand.stateOf(id)))).every((state) => state === undefined),
      );
      await at.page.getByRole("button", { name: "Undo" }).click();
      await at.hand.soon("they are back", async () =>
        (await Promise.all(ids.map((id) => at.hand.stateOf(id)))).every((state) => state === "dead"),
      );
    });

    test("all that fit are retried", async () => {
      const ids = [await at.hand.dead("again 1", "mending"), await at.hand.dead("again 2", "mending")];
      await at.shop.queue.pause("mending");
      await goTo(at.page, "jobs?state=dead&queue=mending");
      await at.hand.click("Retry all that fit");
      await at.hand.inDialog("Retry 2");
      await at.hand.soon("they wait", async () =>
        (await Promise.all(ids.map((id) => at.hand.stateOf(id)))).every((state) => state !== "dead"),
      );
    });

    test("those that are chosen are rescheduled, and the others are not", async () => {
      const [one, two, three] = [
        await at.hand.held("first"),
        await at.hand.held("second"),
        await at.hand.held("third"),
      ];
      await goTo(at.page, "jobs?state=waiting&queue=parked");
      await at.page.getByLabel(`Choose ${one}`).check();
      await at.page.getByLabel(`Choose ${three}`).check();
      await at.hand.click("Reschedule those chosen");
      await at.page.getByRole("dialog").getByText("2 jobs fit").waitFor();
      await at.hand.fill("So long from now", "1h");
      await at.hand.inDialog("Reschedule 2");
      await at.hand.soon(
        "two are due later",
        async () => (await at.hand.stateOf(one)) === "delayed" && (await at.hand.stateOf(three)) === "delayed",
      );
      expect(await at.hand.stateOf(two)).toBe("waiting");
    });

    test("all that fit are cancelled", async () => {
      const ids = [await at.hand.held("cancelled 1"), await at.hand.held("cancelled 2")];
      await goTo(at.page, "jobs?state=waiting&queue=parked&text=cancelled");
      await at.hand.click("Cancel all that fit");
      await at.hand.inDialog("Cancel 2");
      await at.hand.soon("they are gone", async () =>
        (await Promise.all(ids.map((id) => at.hand.stateOf(id)))).every((state) => state === undefined),
      );
    });
  });
});
