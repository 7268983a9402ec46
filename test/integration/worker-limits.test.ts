// What ends a run or a thread before it ends by itself: somebody's wish, too much memory, wear.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readHistory } from "../../services/broker/history.ts";
import { cancelDelivery } from "../../services/broker/jobs.ts";
import { type HandlingWorker, Lab } from "../support/handling.ts";
import { testRedis } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

let lab: Lab;
beforeEach(async () => {
  lab = new Lab((await testRedis()).url);
});
afterEach(() => lab.stop());

const said = (line: string): Promise<boolean> =>
  waitFor(() => lab.lines.includes(line), { what: line, timeoutMs: 20_000 });
const times = (line: string): number => lab.lines.filter((one) => one === line).length;
const told = (worker: HandlingWorker, name: string): readonly Readonly<Record<string, unknown>>[] =>
  worker.told.filter((one) => one.name === name).map(({ fields }) => fields);
const prefix = (): string => lab.broker.keys.queue("default");
const left = (): Promise<number> => lab.broker.client.hlen(`${prefix()}:j`);
const dead = (): Promise<number> => lab.broker.client.zcard(`${prefix()}:x`);

async function history(): Promise<string[]> {
  const lines = await readHistory(lab.broker, "default", 100);
  return lines.map(({ text }) => {
    const { routes, outcome } = JSON.parse(text) as { routes: string[]; outcome: string };
    return `${routes.join()} ${outcome}`;
  });
}

describe("a delivery that is cancelled", () => {
  test("while it runs gets its signal; it is done and does not run again", async () => {
    const worker = await lab.work();
    const id = await lab.enqueue("nap", "a", { ms: 60_000 });
    await said("nap a attempt 1");
    expect(await cancelDelivery(lab.broker, id)).toBe("signalled");
    await waitFor(async () => (await left()) === 0);
    expect([await dead(), await history(), told(worker, "thread.ended")]).toEqual([0, ["lab.nap cancelled"], []]);
    expect(lab.lines).toEqual(["nap a attempt 1"]);
  });

  test("and does not heed that ends with its thread; its neighbour goes back uncounted", async () => {
    const worker = await lab.work();
    await lab.enqueue("hold", "neighbour");
    await said("hold neighbour attempt 1");
    const id = await lab.enqueue("rest", "a", { ms: 60_000 });
    await said("rest a");
    await cancelDelivery(lab.broker, id);
    await waitFor(() => times("hold neighbour attempt 1") === 2, { timeoutMs: 10_000 });
    lab.openGate();
    await said("held neighbour");
    await waitFor(async () => (await left()) === 0);
    expect(told(worker, "thread.ended")).toMatchObject([{ reason: "cancel" }]);
    expect([times("rest a"), await dead(), await history()]).toEqual([1, 0, ["lab.hold done", "lab.rest cancelled"]]);
  });

  test("behind another one of its key never runs; the one behind it does, in its turn", async () => {
    await lab.work();
    await lab.enqueue("hold", "a", { key: "k" });
    const id = await lab.enqueue("note", "b", { key: "k" });
    await lab.enqueue("note", "c", { key: "k" });
    await said("hold a attempt 1");
    await cancelDelivery(lab.broker, id);
    lab.openGate();
    await said("note c");
    await waitFor(async () => (await left()) === 0);
    expect(lab.lines).toEqual(["hold a attempt 1", "held a", "note c"]);
  });
});

describe("the history", () => {
  test("is as long as it is set, or is not written", async () => {
    const few = await lab.work({ env: { ANTIPHON_HISTORY_LENGTH: "2" } });
    for (const name of ["a", "b", "c"]) {
      await lab.enqueue("note", name);
      await waitFor(async () => lab.lines.includes(`note ${name}`) && (await left()) === 0);
    }
    expect(await history()).toEqual(["lab.note done", "lab.note done"]);
    await few.stop();
    await lab.broker.client.del(`${prefix()}:h`);
    await lab.work({ env: { ANTIPHON_HISTORY_LENGTH: "0" } });
    await lab.enqueue("note", "d");
    await waitFor(async () => lab.lines.includes("note d") && (await left()) === 0);
    expect(await history()).toEqual([]);
  });
});

describe("a route with a limit of memory", () => {
  test("that keeps more ends with its thread and has failed; its neighbour goes back uncounted", async () => {
    const worker = await lab.work();
    await lab.enqueue("hold", "neighbour");
    await said("hold neighbour attempt 1");
    await lab.enqueue("hoard", "a", { ms: 60_000 });
    await waitFor(() => times("hold neighbour attempt 1") === 2, { timeoutMs: 20_000 });
    lab.openGate();
    await said("held neighbour");
    await waitFor(async () => (await left()) === 1 && (await dead()) === 1);
    expect(told(worker, "thread.ended")).toMatchObject([{ reason: "heap" }]);
    expect(times("hoard a")).toBe(1);
    const [reason] = Object.values(await lab.broker.client.hgetall(`${prefix()}:xe`));
    expect(reason).toContain("RUN_HEAP");
  });

  test.each(["hoard", "gorge"])("is held to it in quarantine too: %s", async (what) => {
    await lab.enqueue(what, "a", { ms: 60_000 });
    const waiting = `${prefix()}:w1`;
    const [cls, id, attempts, , route] = ((await lab.broker.client.lindex(waiting, 0)) ?? "").split(":");
    await lab.broker.client.lset(waiting, 0, [cls, id, attempts, 2, route].join(":"));
    const worker = await lab.work();
    await waitFor(async () => (await dead()) === 1, { timeoutMs: 40_000 });
    expect(told(worker, "quarantine.ended")).toHaveLength(1);
    const [reason] = Object.values(await lab.broker.client.hgetall(`${prefix()}:xe`));
    expect(reason).toContain("RUN_HEAP");
    expect(times(`${what} a`)).toBe(1);
  });

  test("that only leaves garbage is left alone", async () => {
    const worker = await lab.work();
    await lab.enqueue("litter", "a");
    await said("littered a true");
    await waitFor(async () => (await left()) === 0);
    expect(told(worker, "thread.ended")).toEqual([]);
  });
});

describe("a worker that replaces its threads", () => {
  test("after so many deliveries loses none, counts none as failed and tears down", async () => {
    const worker = await lab.work({ env: { ANTIPHON_WORKER_RECYCLE_JOBS: "20" } });
    let count = 0;
    while (told(worker, "thread.recycled").length < 2) {
      await Promise.all(Array.from({ length: 10 }, () => lab.enqueue("note", `${count++}`)));
      await waitFor(() => lab.lines.filter((line) => line.startsWith("note")).length >= count);
    }
    await waitFor(async () => (await left()) === 0);
    const notes = lab.lines.filter((line) => line.startsWith("note"));
    expect([notes.length, new Set(notes).size, await dead()]).toEqual([count, count, 0]);
    expect(told(worker, "thread.recycled")[0]).toMatchObject({ kind: "work", reason: "jobs" });
    await waitFor(() => times("teardown") >= 1);
    expect(told(worker, "thread.ended")).toEqual([]);
  });

  test("above so much heap", async () => {
    const worker = await lab.work({ env: { ANTIPHON_WORKER_RECYCLE_HEAP_MB: "1" } });
    await waitFor(() => told(worker, "thread.recycled").length > 0, { timeoutMs: 15_000 });
    expect(told(worker, "thread.recycled")[0]).toMatchObject({ reason: "heap" });
    await lab.enqueue("note", "a");
    await said("note a");
  });
});
