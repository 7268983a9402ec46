// The dashboard of `npm start`: unbuilt, without a login, at the address that the ready line names.

import { afterAll, beforeAll, expect, test } from "vitest";
import { Browsing } from "../support/dashboard.ts";
import { LocalStack } from "../support/local-stack.ts";
import { withServer } from "../support/redis.ts";

withServer("chromium", () => {
  let stack: LocalStack;
  let browsing: Browsing;

  beforeAll(async () => {
    stack = new LocalStack();
    await stack.start();
    browsing = await Browsing.open();
  }, 120_000);

  afterAll(async () => {
    await browsing?.close();
    await stack?.remove();
  });

  test("it is built at the first look, asks nobody at this machine for a token, and shows what the chat does", async () => {
    const { page, problems } = await browsing.look({ url: `${stack.admin}/` });
    await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
    await page.locator(".who").getByText("dev").waitFor();
    await page.locator(".sign.live").waitFor();
    expect(await stack.say("antiphon ping")).toBe(202);
    await page.goto(`${stack.admin}/#/queues/chat`);
    await page.getByRole("region", { name: "Runs, the latest first" }).getByText("done").first().waitFor();
    expect(problems).toEqual([]);
  });
});
