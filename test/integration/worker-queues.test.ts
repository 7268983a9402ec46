// Which queues a worker serves: those it is told to and those it finds, by weight and by tag.

import { afterEach, beforeEach, expect, test } from "vitest";
import { registeredWorkers } from "../../services/broker/registered.ts";
import { Lab } from "../support/handling.ts";
import { eachServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

let lab: Lab;

const said = (line: string): Promise<boolean> => waitFor(() => lab.lines.includes(line), { what: line });

/** Only where a queue is served is it noticed that all before it was. */
async function left(...queues: string[]): Promise<number[]> {
  const { client, keys } = lab.broker;
  return Promise.all(queues.map((queue) => client.hlen(`${keys.queue(queue)}:j`)));
}

eachServer((_name, url) => {
  beforeEach(() => {
    lab = new Lab(url());
  });
  afterEach(() => lab.stop());

  test("a queue that comes to be after the worker is found and served, an outbox is not", async () => {
    await lab.work();
    await lab.enqueue("note", "in an outbox", { queue: "outbox/irc" });
    await lab.enqueue("note", "in reports", { queue: "reports" });
    await lab.enqueue("note", "in reports with a tag", { queue: "reports+gpu" });
    await said("note in reports");
    await said("note in reports with a tag");
    expect(await registeredWorkers(lab.broker, ["outbox/irc"])).toEqual([]);
    await waitFor(async () => (await left("reports", "reports+gpu", "outbox/irc")).join() === "0,0,1");
  });

  test("a worker that is told its queues serves these and no others", async () => {
    await lab.work({ env: { ANTIPHON_QUEUES: "high:5,low" } });
    await lab.enqueue("note", "default");
    await lab.enqueue("note", "low", { queue: "low" });
    await lab.enqueue("note", "high", { queue: "high" });
    await said("note low");
    await said("note high");
    const served = await registeredWorkers(lab.broker, ["chat", "default", "low", "high"]);
    expect(served.map(({ queue }) => queue)).toEqual(["low", "high"]);
    expect(await left("default")).toEqual([1]);
    await lab.work({ env: { ANTIPHON_QUEUES: "*", ANTIPHON_TAGS: "-" } });
    await said("note default");
  });

  test("a worker that is told its tags serves these, the others are served elsewhere", async () => {
    const queues = { plain: "default", gpu: "default+gpu", eu: "default+eu", heavy: "heavy+gpu" };
    for (const [name, queue] of Object.entries(queues)) await lab.enqueue("note", name, { queue });
    const gpu = await lab.work({ env: { ANTIPHON_TAGS: "gpu" } });
    await said("note gpu");
    await said("note heavy");
    // All queues are found in one look, so what it serves of them it serves by now.
    const servedOf = async (): Promise<string[]> =>
      (await registeredWorkers(lab.broker, ["chat", ...Object.values(queues)])).map(({ queue }) => queue).toSorted();
    expect(await servedOf()).toEqual(["default+gpu", "heavy+gpu"]);
    await gpu.stop();
    expect(await left("default", "default+eu")).toEqual([1, 1]);
    const others = await lab.work({ env: { ANTIPHON_TAGS: "*,!gpu" } });
    await said("note plain");
    await said("note eu");
    expect(await servedOf()).toEqual(["chat", "default", "default+eu"]);
    await others.stop();
  });

  test("of queues that are full, each starts as often as its weight says", async () => {
    const count = 600;
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        ["high", "low"].map((queue) => lab.enqueue("note", `${queue} ${index}`, { queue })),
      ).flat(),
    );
    const worker = await lab.work({ env: { ANTIPHON_QUEUES: "high:5,low", ANTIPHON_WORKER_CONCURRENCY: "12" } });
    await waitFor(() => lab.lines.filter((line) => line.startsWith("note high")).length === count);
    const early = lab.lines.slice(0, 480);
    await waitFor(async () => (await left("high", "low")).join() === "0,0");
    await worker.stop();
    const high = early.filter((line) => line.startsWith("note high")).length;
    expect(high / (early.length - high)).toBeGreaterThan(3.5);
    expect(high / (early.length - high)).toBeLessThan(7.5);
  });

  test("a long queue does not keep the others waiting", async () => {
    await Promise.all(Array.from({ length: 3000 }, (_, index) => lab.enqueue("note", `${index}`)));
    await lab.enqueue("note", "other", { queue: "other" });
    const worker = await lab.work();
    await said("note other");
    expect(lab.lines.indexOf("note other")).toBeLessThan(2500);
    await worker.stop();
  });

  test("what no bell told of is found all the same", async () => {
    await lab.work();
    const { client, keys } = lab.broker;
    await lab.enqueue("note", "first");
    await said("note first");
    const bells = `${keys.queue("default")}:i`;
    await waitFor(async () => (await client.scard(bells)) === 1);
    await client.del(bells);
    await lab.enqueue("note", "second");
    await said("note second");
  });

  test("a queue without work costs its beat and hardly more", async () => {
    await lab.work();
    const { client, keys } = lab.broker;
    for (const queue of ["a", "b", "c", "d"]) await lab.enqueue("note", queue, { queue });
    for (const queue of ["a", "b", "c", "d"]) await said(`note ${queue}`);
    const calls = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info("commandstats"))?.[1]);
    const beat = (): Promise<string | null> => client.hget(`${keys.queue("d")}:m`, "beatAt");
    const next = async (): Promise<void> => {
      const last = await beat();
      await waitFor(async () => (await beat()) !== last);
    };
    await next();
    await next();
    const before = await calls();
    for (let beats = 0; beats < 4; beats++) await next();
    // Four beats of six queues; each of them looks by itself once in five seconds.
    expect((await calls()) - before).toBeLessThan(4 * 6 + 14);
  });
});
