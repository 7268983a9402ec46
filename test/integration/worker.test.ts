// The handler side of a worker on real threads: order, timeouts, crashes, the drain, and what happens when Redis or the main thread is away.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Claims } from "../../services/broker/claims.ts";
import { type HandlingWorker, Lab } from "../support/handling.ts";
import { startProxy } from "../support/proxy.ts";
import { testRedis } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

let lab: Lab;
let url: string;

beforeEach(async () => {
  ({ url } = await testRedis());
  lab = new Lab(url);
});
afterEach(() => lab.stop());

const said = (line: string): Promise<boolean> =>
  waitFor(() => lab.lines.includes(line), { what: line, timeoutMs: 20_000 });
const times = (line: string): number => lab.lines.filter((one) => one === line).length;
const told = (worker: HandlingWorker, name: string): readonly Readonly<Record<string, unknown>>[] =>
  worker.told.filter((one) => one.name === name).map(({ fields }) => fields);
/** Everything in the queue: waiting, claimed, delayed and dead. */
const left = (): Promise<number> => lab.broker.client.hlen(`${lab.broker.keys.queue("default")}:j`);
const dead = (): Promise<number> => lab.broker.client.zcard(`${lab.broker.keys.queue("default")}:x`);

test("what is enqueued runs, in the order of its key", async () => {
  const names = Array.from({ length: 20 }, (_, index) => `${index}`);
  for (const name of names) await lab.enqueue("note", name, { key: "k" });
  await lab.work();
  await lab.enqueue("note", "last", { key: "k" });
  await said("note last");
  expect(lab.lines).toEqual([...names, "last"].map((name) => `note ${name}`));
  await waitFor(async () => (await left()) === 0);
});

test("what a delivery stored is read by the next one of its key", async () => {
  const names = Array.from({ length: 20 }, (_, index) => `${index}`);
  for (const name of names) await lab.enqueue("gather", name, { key: "k" });
  await lab.work();
  await waitFor(async () => (await left()) === 0);
  const { client, keys } = lab.broker;
  expect(JSON.parse((await client.hget(keys.store("lab"), "names")) ?? "null")).toEqual(names);
});

test("a large body and a delayed delivery arrive", async () => {
  await lab.work();
  const large = "x".repeat(100_000);
  await lab.enqueue("note", "later", { delayMs: 5_000 });
  await lab.enqueue("note", large);
  await said(`note ${large}`);
  expect(times("note later")).toBe(0);
  await said("note later");
});

test("handlers that are unfit stop the start, all problems at once", async () => {
  const started = lab.work({ handlers: "test/fixtures/handlers/none,test/fixtures/handlers/nothing" });
  await expect(started).rejects.toMatchObject({ code: "HANDLER_LOAD_FAILED", message: /none[^]*nothing/ });
});

describe("a run over its time", () => {
  test("that ignores its signal is ended with its thread, while its neighbour goes back uncounted", async () => {
    const worker = await lab.work();
    await lab.enqueue("hold", "neighbour");
    await said("hold neighbour attempt 1");
    await lab.enqueue("deaf", "a", { ms: 60_000 });
    await waitFor(() => times("hold neighbour attempt 1") === 2, { timeoutMs: 20_000 });
    lab.openGate();
    await said("held neighbour");
    expect(times("deaf a")).toBe(1);
    expect(told(worker, "thread.ended")).toMatchObject([{ reason: "timeout" }]);
    await waitFor(async () => (await left()) === 1 && (await dead()) === 1);
  });

  test("that never yields is ended, and its thread's successor goes on", async () => {
    await lab.work();
    await lab.enqueue("spin", "a");
    await said("spin a");
    await lab.enqueue("note", "b");
    await said("note b");
    await waitFor(async () => (await dead()) === 1);
    expect(times("spin a")).toBe(1);
  });

  test("that heeds its signal costs no thread", async () => {
    const worker = await lab.work({ env: { ANTIPHON_DRAIN_MS: "100" } });
    await lab.enqueue("short", "a", { ms: 60_000 });
    await waitFor(async () => (await dead()) === 1);
    expect(told(worker, "thread.ended")).toEqual([]);
  });
});

test("what cannot be read in a line is told and stops nothing", async () => {
  const { client, keys } = lab.broker;
  await lab.enqueue("note", "a");
  await client.lpush(`${keys.queue("default")}:w1`, "broken");
  const worker = await lab.work();
  await said("note a");
  await waitFor(() => told(worker, "queue.unreadable").length > 0, { timeoutMs: 20_000 });
  expect(told(worker, "queue.unreadable")).toEqual([{ queue: "default", elements: 1 }]);
});

describe("a delivery that kills what runs it", () => {
  test("by memory ends as a dead letter; deliveries beside it are handled", async () => {
    const worker = await lab.work();
    await lab.enqueue("hog", "a");
    for (let count = 0; count < 10; count++) await lab.enqueue("note", `${count}`);
    await waitFor(async () => (await dead()) === 1, { timeoutMs: 25_000 });
    await waitFor(async () => (await left()) === 1);
    expect(times("hog a")).toBe(3);
    expect(new Set(lab.lines).size).toBe(11);
    expect(told(worker, "thread.ended")).toHaveLength(2);
  });

  test("by leaving runs twice in a thread, then in a process of its own, then never again", async () => {
    const worker = await lab.work();
    await lab.enqueue("exit", "a", { key: "k" });
    await lab.enqueue("note", "behind it", { key: "k" });
    await said("note behind it");
    const own = `exit a in a thread ${process.pid}`;
    expect(lab.lines).toEqual([own, own, expect.stringContaining("exit a in a process"), "note behind it"]);
    expect(lab.lines[2]).not.toContain(`${process.pid}`);
    expect(told(worker, "quarantine.ended")).toMatchObject([{ outcome: "exit code 3" }]);
    await waitFor(async () => (await dead()) === 1);
  });
});

test("more deliveries that crashed twice than may wait for a child here all run in one, once", async () => {
  const names = Array.from({ length: 8 }, (_, index) => `${index}`);
  for (const name of names) await lab.enqueue("note", name);
  const { client, keys } = lab.broker;
  const waiting = `${keys.queue("default")}:w1`;
  for (const [index, element] of (await client.lrange(waiting, 0, -1)).entries()) {
    const [cls, id, attempts, , route] = element.split(":");
    await client.lset(waiting, index, [cls, id, attempts, 2, route].join(":"));
  }
  const worker = await lab.work();
  await waitFor(async () => (await left()) === 0, { timeoutMs: 30_000 });
  const notes = lab.lines.filter((line) => line.startsWith("note"));
  expect(notes.toSorted()).toEqual(names.map((name) => `note ${name}`));
  expect(told(worker, "quarantine.ended")).toHaveLength(names.length);
});

test("a quarantine child does not outlive the worker that started it", async () => {
  const child = fork(fileURLToPath(new URL("../../services/worker/child.ts", import.meta.url)), {
    serialization: "advanced",
  });
  const log = { level: "error", format: "json" };
  const bot = {
    name: "b",
    alias: "!",
    handlers: ["test/fixtures/handlers/lab.ts"],
    handlerVariables: {},
    settings: {},
  };
  const config = {
    ...bot,
    redisUrl: url,
    namespace: lab.namespace,
    database: 0,
    adapters: [],
    groups: {},
    admins: [],
    log,
    reports: { trackers: [], about: {} },
  };
  const variables = { ANTIPHON_HANDLER_LAB_JOURNAL: "/dev/null" };
  const seed = { kind: "quarantine", index: 0, slots: 1, clockOffset: new Float64Array(1) };
  child.send({ ...seed, config: { ...config, handlerVariables: variables, cwd: process.cwd() } });
  const [message] = (await once(child, "message")) as [unknown];
  expect(message).toEqual({ type: "ready" });
  child.disconnect();
  await once(child, "exit");
});

describe("stopping", () => {
  test("hands back what has not started at once, and lets the rest end", async () => {
    for (const name of ["a", "b"]) await lab.enqueue("hold", name, { key: "k" });
    const one = await lab.work({ env: { ANTIPHON_DRAIN_MS: "20000" } });
    await said("hold a attempt 1");
    await lab.work();
    const stopped = one.stop();
    await lab.enqueue("note", "for two");
    await said("note for two");
    expect(times("held a")).toBe(0);
    lab.openGate();
    await stopped;
    await said("held b");
    const held = ["hold a attempt 1", "held a", "hold b attempt 1", "held b"];
    expect(lab.lines.filter((line) => line.startsWith("h"))).toEqual(held);
    expect(told(one, "worker.drained")).toMatchObject([{ returned: 1 }]);
  });

  test("aborts what runs longer than the drain time and hands it back uncounted", async () => {
    const one = await lab.work({ env: { ANTIPHON_DRAIN_MS: "200" } });
    await lab.enqueue("nap", "a", { ms: 5000 });
    await lab.enqueue("deaf", "b", { ms: 60_000 });
    await said("nap a attempt 1");
    await said("deaf b");
    await one.stop();
    expect(told(one, "worker.drained")).toMatchObject([{ returned: 2 }]);
    expect(times("teardown")).toBe(2);
    expect(times("woke a")).toBe(0);
    await lab.work();
    await waitFor(() => times("nap a attempt 1") === 2 && times("deaf b") === 2);
  });

  test("before it has started ends the start", async () => {
    const away = lab.work({ url: "redis://127.0.0.1:1", stop: AbortSignal.timeout(300) });
    await expect(away).rejects.toThrow("stopped");
  });
});

test("claims whose take was never answered are found and handed back", async () => {
  const worker = await lab.work({ env: { ANTIPHON_WORKER_CONCURRENCY: "8" } });
  const { wid } = told(worker, "worker.registered").find(({ queue }) => queue === "default") as { wid: string };
  const thief = new Claims({ ...lab.broker, queue: "default", wid });
  await lab.broker.client.sadd(`${lab.broker.keys.queue("default")}:paused`, "x");
  let stolen = 0;
  while (stolen === 0) {
    const enqueued = lab.enqueue("note", "a", { key: "k" });
    stolen = (await thief.take({ slots: 1, run: 4, order: "0123" })).runs.length;
    await enqueued;
    stolen += (await thief.take({ slots: 1, run: 4, order: "0123" })).runs.length;
  }
  const runs = times("note a");
  await waitFor(() => times("note a") === runs + stolen, { timeoutMs: 8000 });
  expect(told(worker, "claims.resynced")).toMatchObject([{ queue: "default", deliveries: stolen }]);
});

test("an outcome that could not be written while Redis was away is written when it is back", async () => {
  const proxy = await startProxy(Number(new URL(url).port));
  try {
    const worker = await lab.work({ url: `redis://127.0.0.1:${proxy.port}` });
    await lab.enqueue("nap", "a", { ms: 500 });
    await said("nap a attempt 1");
    await proxy.refuse();
    await said("woke a");
    await waitFor(() => told(worker, "settle.retry").length > 0);
    expect(await left()).toBe(1);
    await proxy.mend();
    await waitFor(async () => (await left()) === 0);
    await lab.enqueue("note", "b");
    await said("note b");
    expect(times("nap a attempt 1")).toBe(1);
    await worker.stop();
  } finally {
    await proxy.stop();
  }
});

test("a worker whose main thread is silent too long is fenced: its runs write nothing, others take over, it comes back", async () => {
  const one = await lab.work();
  await lab.enqueue("tell", "a", { ms: 8000 });
  await said("tell a");
  const two = new Worker(new URL("../support/handling-thread.ts", import.meta.url), {
    workerData: { url, place: lab.place },
  });
  await once(two, "message");
  const mine = (await lab.broker.client.hvals(`${lab.broker.keys.queue("default")}:wi`)).length;
  expect(mine).toBe(2);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 7000);
  await said("note after a");
  await waitFor(async () => (await left()) === 0, { timeoutMs: 30_000 });
  expect(times("tell a")).toBe(2);
  expect(times("note after a")).toBe(1);
  two.postMessage("stop");
  await once(two, "exit");
  await lab.enqueue("note", "back");
  await said("note back");
  expect(told(one, "worker.fenced").length).toBeLessThanOrEqual(2);
});
