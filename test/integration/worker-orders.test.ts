// What operators tell a worker, and what it says of itself.

import { afterEach, beforeEach, expect, test } from "vitest";
import { ENVELOPE_VERSION } from "../../services/broker/delivery.ts";
import { orderWorker, ordersOf } from "../../services/broker/orders.ts";
import { registeredWorkers } from "../../services/broker/registered.ts";
import { serverNowMs } from "../../services/broker/connection.ts";
import { type HandlingWorker, Lab } from "../support/handling.ts";
import { testRedis } from "../support/redis.ts";
import { spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

let lab: Lab;

const said = (line: string): Promise<boolean> => waitFor(() => lab.lines.includes(line), { what: line });
const orders = (worker: HandlingWorker): unknown[] =>
  worker.told.filter(({ name }) => name === "worker.ordered").map(({ fields }) => fields["order"]);

beforeEach(async () => {
  lab = new Lab((await testRedis()).url);
});
afterEach(() => lab.stop());

test("a quiet worker finishes what it has and takes nothing more until it is told to go on", async () => {
  const worker = await lab.work();
  await lab.enqueue("hold", "a");
  await said("hold a attempt 1");
  await orderWorker(lab.broker, "test", "quiet");
  await waitFor(() => orders(worker).length === 1);
  await lab.enqueue("note", "b");
  await lab.enqueue("note", "new queue", { queue: "other" });
  lab.openGate();
  await said("held a");
  const { client, keys } = lab.broker;
  // Two more beats and looks for new queues.
  const beats = async (): Promise<unknown> => client.hget(`${keys.queue("other")}:m`, "beatAt");
  await waitFor(beats);
  const seen = await beats();
  await waitFor(async () => (await beats()) !== seen);
  expect(lab.lines).toEqual(["hold a attempt 1", "held a"]);
  await orderWorker(lab.broker, "test", null);
  await said("note b");
  await said("note new queue");
  expect(orders(worker)).toEqual(["quiet", "resume"]);
});

test("another worker takes what a quiet one does not", async () => {
  const quiet = await lab.work();
  await orderWorker(lab.broker, "test", "quiet");
  await waitFor(() => orders(quiet).length === 1);
  await lab.work({ pod: "other" });
  await lab.enqueue("note", "a");
  await said("note a");
});

test("an order to stop asks the process to stop, and is done with that", async () => {
  let asked = 0;
  const worker = await lab.work({ toStop: () => asked++ });
  await orderWorker(lab.broker, "test", "stop");
  await waitFor(() => asked === 1);
  await worker.stop();
  expect(await ordersOf(lab.broker)).toEqual(new Map());
});

test("it says of itself since when it is there, how much it runs at once and which envelopes it reads", async () => {
  await lab.work({ env: { ANTIPHON_WORKER_CONCURRENCY: "16" } });
  const workers = await registeredWorkers(lab.broker, ["chat", "default"]);
  const now = await serverNowMs(lab.broker);
  expect(workers.map(({ queue, pod }) => [queue, pod])).toEqual([
    ["chat", "test"],
    ["default", "test"],
  ]);
  const [chat, work] = workers.map(({ facts }) => facts);
  expect(chat).toEqual(work);
  expect(chat).toMatchObject({ threads: 2, slots: 16, process: expect.stringMatching(/^\w{22}$/) });
  expect(chat?.envelope).toBe(ENVELOPE_VERSION);
  expect(now - (chat?.startedAtMs ?? 0)).toBeGreaterThanOrEqual(0);
  expect(now - (chat?.startedAtMs ?? 0)).toBeLessThan(60_000);
});

test("a worker process is listed; told to stop, it drains and ends with 0", async () => {
  const { url } = await testRedis();
  const env = {
    REDIS_URL: url,
    ANTIPHON_NAMESPACE: lab.namespace,
    ANTIPHON_HANDLERS: "test/fixtures/handlers/lab.ts",
    ANTIPHON_HANDLER_LAB_JOURNAL: "/dev/null",
    ANTIPHON_HTTP_PORT: "0",
    ANTIPHON_ADMIN_PORT: "0",
    LOG_FORMAT: "json",
  };
  const main = new URL("../../services/main.ts", import.meta.url);
  const child = spawnNode(main, { args: ["worker"], env });
  await child.waitForLine("process.started", 60_000);
  const [worker] = await registeredWorkers(lab.broker, ["default"]);
  const list = spawnNode(main, { args: ["worker", "ls"], env });
  expect(await list.exited).toMatchObject({ code: 0 });
  const line = new RegExp(`^ *${worker?.pod} +default +\\d+ s ago +0 of 32 +chat default`);
  expect(list.lines).toEqual([expect.stringContaining("SINCE"), expect.stringMatching(line)]);
  await orderWorker(lab.broker, worker?.pod ?? "", "stop");
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(child.lines.join("\n")).toContain('"signal":"order"');
  expect([await registeredWorkers(lab.broker, ["default"]), (await ordersOf(lab.broker)).size]).toEqual([[], 0]);
});
