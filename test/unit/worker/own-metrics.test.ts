// ctx.metrics: what handlers tell comes out as one family per metric, and what is not as it must be is refused at once.

import { expect, test } from "vitest";
import { z } from "zod";
import { defineHandler, job } from "../../../services/sdk/index.ts";
import { measuring } from "../../../services/telemetry/measuring.ts";
import { Meter, OWN_SERIES_MAX } from "../../../services/telemetry/meter.ts";
import { testBot } from "../../../services/testing/bot.ts";
import { OwnMetrics } from "../../../services/worker/own-metrics.ts";

function own(): { meter: Meter; metrics: OwnMetrics } {
  const meter = new Meter();
  return { meter, metrics: new OwnMetrics(measuring(() => {}, meter)) };
}

function said(meter: Meter): Record<string, Record<string, number>> {
  return Object.fromEntries(
    meter.families.map(({ name, series }) => [
      name,
      Object.fromEntries([...series.values()].map(({ values, value }) => [values.join(), value])),
    ]),
  );
}

test("counters, gauges and distributions, each under its handler's name", () => {
  const { meter, metrics } = own();
  const shop = metrics.of("web-Shop");
  shop.count("sold", { size: "xl", colour: "red" });
  shop.count("sold", { colour: "red", size: "xl" }, 4);
  shop.count("visits_total");
  shop.gauge("stock", 7, { item: 3 });
  shop.gauge("stock", 6, { item: 3 });
  shop.observe("paying_seconds", 0.2);
  metrics.of("deploy").count("sold");
  expect(said(meter)).toEqual({
    antiphon_handler_web_shop_sold_total: { "red,xl": 5 },
    antiphon_handler_web_shop_visits_total: { "": 1 },
    antiphon_handler_web_shop_stock: { "3": 6 },
    antiphon_handler_web_shop_paying_seconds: { "": 0.2 },
    antiphon_handler_deploy_sold_total: { "": 1 },
  });
});

test.each([
  ["a name that is none", (shop: ReturnType<OwnMetrics["of"]>) => shop.count("Sold items")],
  ["a label that a scrape adds itself", (shop) => shop.count("sold", { pod: "a" })],
  ["too many labels", (shop) => shop.count("sold", { a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 })],
  ["another type than before", (shop) => shop.gauge("known", 1)],
  ["other labels than before", (shop) => shop.count("known", { size: "xl" })],
  ["a counter that falls", (shop) => shop.count("sold", {}, -1)],
  ["what is no number", (shop) => shop.gauge("stock", Number.NaN)],
] as const satisfies readonly (readonly [string, (shop: ReturnType<OwnMetrics["of"]>) => void])[])(
  "%s is refused",
  (_what, tell) => {
    const shop = own().metrics.of("shop");
    shop.count("known");
    expect(() => tell(shop)).toThrow(expect.objectContaining({ code: "OPTIONS_INVALID" }));
  },
);

test("labels made of what users say are bounded: so many series, short values, the rest dropped and counted", () => {
  const { meter, metrics } = own();
  const shop = metrics.of("shop");
  for (let user = 0; user < 10_000; user++) shop.count("asked", { by: `${user}\n${"x".repeat(1_000)}` });
  const { antiphon_handler_shop_asked_total: asked = {}, antiphon_samples_dropped_total: dropped } = said(meter);
  expect(Object.keys(asked)).toHaveLength(OWN_SERIES_MAX);
  expect(Object.keys(asked).every((value) => value.length <= 64 && !value.includes("\n"))).toBe(true);
  expect(dropped).toEqual({ antiphon_handler_shop_asked_total: 10_000 - OWN_SERIES_MAX });
});

test("a test of a handler sees what it told", async () => {
  const sold = job("shop.sold", z.object({ colour: z.string() }));
  const shop = defineHandler({
    name: "shop",
    routes: (r) => ({
      sell: r.command("sell <colour>", {
        run({ args, metrics, enqueue }) {
          metrics.count("asked", { colour: args.colour });
          return enqueue(sold, { colour: args.colour }).then(() => "sold");
        },
      }),
      sold: r.job(sold, { run: ({ metrics }) => metrics.observe("packing_seconds", 1.5) }),
    }),
  });
  await using bot = await testBot({ handlers: [shop] });
  await bot.user("ann").in("web:ops").command("sell red");
  await bot.settled();
  expect(bot.metrics).toEqual([
    { name: "antiphon_handler_shop_asked_total", type: "counter", labels: { colour: "red" }, value: 1 },
    { name: "antiphon_handler_shop_packing_seconds", type: "histogram", labels: {}, value: 1.5 },
  ]);
});
