// What the dashboard does to the bot itself, schedules, routes, workers, in a real browser, judged by what became of it in Redis.

import { describe, test } from "vitest";
import { openBus } from "../../services/bus/plugin.ts";
import { BusSocket } from "../support/bus-socket.ts";
import { Crowd } from "../support/crowd.ts";
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

  test("the bus' page counts who reads what over which face, and how late it is, at all processes and at one", async () => {
    const { httpPort: port, redisUrl: url } = at.shop;
    const readers = { "streamed poll": 20, "server-sent events": 12, "long poll": 6, WebSocket: 10 };
    const channel = (member: number): string => `/crowd/${member % 4}`;
    const crowds = (
      [
        ["stream", readers["streamed poll"]],
        ["sse", readers["server-sent events"]],
        ["poll", readers["long poll"]],
      ] as const
    ).map(([face, size]) => new Crowd({ port, size, channel, face }));
    const sockets = await Promise.all(
      Array.from({ length: readers.WebSocket }, () => BusSocket.open(`http://127.0.0.1:${port}/bus/ws`)),
    );
    const bus = await openBus({ url });
    try {
      for (const socket of sockets) await socket.subscribe({ "/crowd/0": null });
      await goTo(at.page, "bus");
      const faces = at.page.getByRole("list", { name: "Streams by face" });
      for (const [face, count] of Object.entries(readers))
        await at.hand.soon(`${count} × ${face}`, async () =>
          (await faces.getByRole("listitem").allTextContents()).includes(`${face}${count}`),
        );
      const table = at.page.getByRole("region", { name: "Channels with most readers" });
      const row = async (name: string): Promise<string[]> =>
        table.getByRole("row").filter({ hasText: name }).getByRole("cell").allTextContents();
      // Of the crowds 5 + 3 + 2 and 5 + 3 + 1; the sockets besides.
      for (const cells of ["/crowd/0 20 1", "/crowd/3 9 1"])
        await at.hand.soon(`${cells} in the table`, async () =>
          (await row(cells.split(" ")[0] ?? "")).join(" ").startsWith(cells),
        );
      // The worker itself reads, too, who may read no longer.
      const cell = at.page.getByRole("cell", { name: "49", exact: true });
      const nodes = at.page.getByRole("region", { name: "Nodes" });
      await nodes.getByRole("row").filter({ has: cell }).getByRole("link").click();
      await at.page.getByText("All nodes").waitFor();
      await at.hand.soon(
        "49 streams at that one",
        async () => (await at.page.locator(".figure", { hasText: "Streams" }).locator(".value").textContent()) === "49",
      );
      for (let n = 0; n < 25; n++) await bus.publish("/crowd/1", n);
      const lag = at.page.getByRole("list", { name: "From publish to the reader" });
      const late = async (): Promise<number> => {
        const counts = await lag.locator(".number").allTextContents();
        return counts.reduce((sum, text) => sum + Number(text), 0);
      };
      await at.hand.soon("25 messages have been read there", async () => (await late()) === 25);
    } finally {
      for (const crowd of crowds) crowd.leave();
      for (const { socket } of sockets) socket.terminate();
      await bus.close();
    }
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
