import { matchers, testBot } from "antiphon/testing";
import { beforeEach, expect, test, vi } from "vitest";
import { push } from "./registry.ts";
import ship from "./ship.ts";

vi.mock("./registry.ts", () => ({ push: vi.fn(async () => "1.4.0") }));
beforeEach(() => void vi.mocked(push).mockClear());
expect.extend(matchers);

const options = { handlers: [ship], config: { ship: { secret: "s3cret" } } };

test("a deployer ships, nobody else does", async () => {
  await using bot = await testBot(options);
  await bot
    .user("ann", { groups: ["deployers"] })
    .in("web:ops")
    .command("ship api");
  await bot.user("bob").in("web:lobby").command("ship api");
  await bot.settled();
  expect(bot.room("web:ops").replies).toEqual(["Shipped api 1.4.0."]);
  expect(bot.room("web:ops")).toHaveSaid("Shipping api …"); // before it was edited
  expect(bot.room("web:lobby")).toHaveSaid(/only for deployers/);
  expect(push).toHaveBeenCalledTimes(1);
});

test("when a worker dies, the push is asked for again under the same key", async () => {
  await using bot = await testBot({ ...options, workers: 2 });
  bot.fault.crashWorker({ during: "ship.it", after: "edit" });
  await bot
    .user("ann", { groups: ["deployers"] })
    .in("web:ops")
    .command("ship api");
  await bot.settled();
  expect(bot.replies).toEqual(["Shipped api 1.4.0."]);
  const [first, second] = vi.mocked(push).mock.calls;
  expect(second).toEqual(first);
});

test("a push that fails is tried again", async () => {
  await using bot = await testBot(options);
  vi.mocked(push).mockRejectedValueOnce(new Error("the registry is away"));
  bot.expectFailure("ship.it");
  await bot
    .user("ann", { groups: ["deployers"] })
    .in("web:ops")
    .command("ship api");
  await bot.settled();
  expect(bot.replies).toEqual(["Shipping api …"]);
  await bot.clock.advance("1m");
  expect(bot.replies).toEqual(["Shipped api 1.4.0."]);
});

test("the registry's webhook is announced, a forged one is not", async () => {
  await using bot = await testBot(options);
  const json = { image: "api:1.4.0" };
  expect((await bot.http.post("/hooks/registry", { json, sign: true })).status).toBe(202);
  expect((await bot.http.post("/hooks/registry", { json, sign: "guessed" })).status).toBe(401);
  await bot.settled();
  expect(bot.replies).toEqual(["api:1.4.0 was pulled."]);
});
