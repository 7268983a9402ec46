// Counting is bounded whatever labels are made of, and what threads counted meets without being lost or counted twice.

import { describe, expect, test } from "vitest";
import {
  LABEL_VALUES_MAX,
  Meter,
  OWN_METRICS_MAX,
  OWN_SERIES_MAX,
  SERIES_MAX,
} from "../../../services/telemetry/meter.ts";
import type { MetricRow } from "../../../services/telemetry/metrics.ts";
import { relay } from "../../../services/telemetry/relay.ts";

const OWN: MetricRow = { type: "counter", labels: ["user"], help: "" };

function series(meter: Meter, name: string): Record<string, number> {
  const family = meter.families.find((one) => one.name === name);
  return Object.fromEntries([...(family?.series.values() ?? [])].map(({ values, value }) => [values.join(), value]));
}

describe("bounds", () => {
  test("of a label that takes ever more values the first 200 are kept, and the rest is told as `other`", () => {
    const meter = new Meter();
    for (let index = 0; index < 1_000; index++) meter.count("antiphon_runs_refused_total", [`route-${index}`]);
    const kept = series(meter, "antiphon_runs_refused_total");
    expect(Object.keys(kept)).toHaveLength(LABEL_VALUES_MAX + 1);
    expect(kept["other"]).toBe(1_000 - LABEL_VALUES_MAX);
  });

  test("labels that multiply each other do not multiply the series without end", () => {
    const meter = new Meter();
    for (let queue = 0; queue < 100; queue++)
      for (let route = 0; route < 100; route++) meter.count("antiphon_dead_letters_total", [`q${queue}`, `r${route}`]);
    const kept = series(meter, "antiphon_dead_letters_total");
    expect(Object.keys(kept)).toHaveLength(SERIES_MAX + 1);
    expect(kept["other,other"]).toBe(10_000 - SERIES_MAX);
  });

  test("an author's metric has so many series, and what is above that is dropped and counted", () => {
    const meter = new Meter();
    expect(meter.declare("antiphon_handler_shop_sold_total", OWN)).toBe(true);
    for (let index = 0; index < 500; index++) meter.count("antiphon_handler_shop_sold_total", [`ann-${index}`]);
    expect(Object.keys(series(meter, "antiphon_handler_shop_sold_total"))).toHaveLength(OWN_SERIES_MAX);
    expect(series(meter, "antiphon_samples_dropped_total")).toEqual({
      antiphon_handler_shop_sold_total: 500 - OWN_SERIES_MAX,
    });
  });

  test("a process has so many metrics of authors", () => {
    const meter = new Meter();
    const taken = Array.from({ length: 300 }, (_, index) => meter.declare(`antiphon_handler_shop_m${index}`, OWN));
    expect(taken.filter(Boolean)).toHaveLength(OWN_METRICS_MAX);
  });
});

describe("threads", () => {
  test("what several counted is added up, once, and gauges are what was said last", () => {
    const [whole, one, two] = [new Meter(), new Meter(), new Meter()];
    for (const meter of [one, two]) {
      meter.count("antiphon_runs_total", ["default", "shop.sell", "done"], 3);
      meter.observe("messaging_process_duration_seconds", ["default", "shop.sell"], 0.02);
    }
    one.set("antiphon_redis_up", ["commands"], 1);
    whole.add(one.take());
    whole.add(two.take());
    one.count("antiphon_runs_total", ["default", "shop.sell", "done"]);
    one.set("antiphon_redis_up", ["commands"], 0);
    whole.add(one.take());
    expect([one.take(), two.take()]).toEqual([[], []]);
    expect(series(whole, "antiphon_runs_total")).toEqual({ "default,shop.sell,done": 7 });
    expect(series(whole, "antiphon_redis_up")).toEqual({ commands: 0 });
    const histogram = whole.families.find(({ name }) => name === "messaging_process_duration_seconds");
    const [only] = histogram?.series.values() ?? [];
    expect(only?.buckets?.reduce((sum, count) => sum + count, 0)).toBe(2);
    expect(only?.buckets?.[2]).toBe(2); // 0.01 < 0.02 <= 0.025
    expect(only?.value).toBeCloseTo(0.04);
  });

  test("the bounds hold where they meet, too", () => {
    const whole = new Meter();
    for (let thread = 0; thread < 4; thread++) {
      const meter = new Meter();
      meter.declare("antiphon_handler_shop_sold_total", OWN);
      for (let index = 0; index < 90; index++) meter.count("antiphon_handler_shop_sold_total", [`${thread}-${index}`]);
      whole.add(meter.take());
    }
    expect(Object.keys(series(whole, "antiphon_handler_shop_sold_total"))).toHaveLength(OWN_SERIES_MAX);
  });

  test("a metric that two threads mean differently is what the first one said", () => {
    const [whole, one, two] = [new Meter(), new Meter(), new Meter()];
    one.declare("antiphon_handler_shop_x", { ...OWN, type: "gauge" });
    one.set("antiphon_handler_shop_x", ["a"], 5);
    two.declare("antiphon_handler_shop_x", OWN);
    two.count("antiphon_handler_shop_x", ["a"], 7);
    whole.add(one.take());
    whole.add(two.take());
    expect(series(whole, "antiphon_handler_shop_x")).toEqual({ a: 5 });
    expect(series(whole, "antiphon_samples_dropped_total")).toEqual({ antiphon_handler_shop_x: 1 });
  });

  test("an idle thread says nothing, and a busy one once a second", async () => {
    const wakes: (() => void)[] = [];
    const sleep = (ms: number): Promise<void> => {
      expect(ms).toBe(1_000);
      return new Promise((resolve) => wakes.push(resolve));
    };
    const [idle, early, meter] = [new Meter(), new Meter(), new Meter()];
    const sent: number[] = [];
    const send = (changes: readonly unknown[]): void => void sent.push(changes.length);
    early.count("antiphon_http_failed_total");
    relay(idle, { clock: { sleep }, send });
    relay(meter, { clock: { sleep }, send });
    expect(wakes).toHaveLength(0);
    relay(early, { clock: { sleep }, send }); // what was counted before
    expect(wakes.splice(0)).toHaveLength(1);
    for (let count = 0; count < 1_000; count++) meter.count("antiphon_http_failed_total");
    expect(wakes).toHaveLength(1);
    wakes.shift()?.();
    await Promise.resolve();
    await Promise.resolve();
    expect(sent).toEqual([1]);
    meter.count("antiphon_http_failed_total");
    expect(wakes).toHaveLength(1);
  });
});
