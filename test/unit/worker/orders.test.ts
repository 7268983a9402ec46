import { beforeEach, expect, test } from "vitest";
import { Orders } from "../../../services/worker/orders.ts";
import { FakeClock } from "./threads.ts";

let told: string[];
let clock: FakeClock;
let orders: Orders;

beforeEach(() => {
  told = [];
  clock = new FakeClock();
  orders = new Orders({
    queues: { pause: () => void told.push("pause"), resume: () => void told.push("resume") },
    stop: () => void told.push("stop"),
    keep: async () => void told.push("keep"),
    emit: (name, fields) => void told.push(`${name} ${JSON.stringify(fields)}`),
    clock,
  });
});

test("without an order nothing is done", () => {
  for (let beat = 0; beat < 3; beat++) orders.heard(["", ""]);
  expect(told).toEqual([]);
});

test("quiet stays until it is taken back", () => {
  orders.heard(["", "quiet"]); // one queue's beat was before the order, the other's after it
  orders.heard(["quiet", "quiet"]);
  orders.heard(["", ""]);
  orders.heard(["", ""]);
  expect(told).toEqual([
    'worker.ordered {"order":"quiet"}',
    "pause",
    "pause",
    'worker.ordered {"order":"resume"}',
    "resume",
  ]);
});

test("a quiet worker keeps its order from running out", async () => {
  orders.heard(["quiet"]);
  await clock.advance(599_000);
  orders.heard(["quiet"]);
  expect(told).not.toContain("keep");
  await clock.advance(1_000);
  orders.heard(["quiet"]);
  expect(told.filter((line) => line === "keep")).toHaveLength(1);
});

test("stop is carried out once and not taken back", () => {
  orders.heard(["quiet"]);
  orders.heard(["quiet", "stop"]);
  orders.heard(["stop"]);
  orders.heard([""]);
  expect(told.filter((line) => line === "stop")).toHaveLength(1);
  expect(orders.present).toBe("stop");
  expect(told).not.toContain("resume");
});
