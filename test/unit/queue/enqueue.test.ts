// What `antiphon/queue` enqueues is what a worker would take.

import { expect, test } from "vitest";
import { z } from "zod";
import { registerJobs, registerRoutes } from "../../../services/broker/routes.ts";
import { openQueue } from "../../../services/queue/queue.ts";
import { defineMiddleware, job } from "../../../services/sdk/index.ts";
import { outcome, takeOne } from "../../support/broker.ts";
import { eachQueue, read, Report, Slow } from "../../support/queue-kit.ts";
import { waitFor } from "../../support/wait-for.ts";

const Nowhere = job("reports.mke", z.string());

eachQueue((kit) => {
  test("a job is enqueued by contract, by name and by route, with what its options and its contract say", async () => {
    const { bench, queue } = kit;
    const { id, duplicate } = await queue.enqueue(Report, { team: "north" }, { key: "north", class: 2, tags: ["eu"] });
    expect(duplicate).toBe(false);
    const claim = await takeOne(await bench.worker("w1"));
    const { header, input } = read(claim);
    expect([claim.key, claim.element.class, input]).toEqual(["north", 2, { team: "north" }]);
    expect(header).toMatchObject({ kind: "job", route: "reports.monthly", key: "north", class: 2, tags: ["eu"] });
    expect(await queue.find(id)).toMatchObject({ state: "claimed", worker: "w1", route: "reports.monthly" });
    await queue.enqueue("reports.make", { team: "south" });
    await queue.enqueue("reports.monthly", { team: "west" });
    await queue.enqueue(Slow, 7);
    expect((await kit.takeAll(await bench.worker("w2"))).map((one) => read(one).header.route)).toEqual([
      "reports.monthly",
      "reports.monthly",
    ]);
    const [low] = await kit.takeAll(await bench.worker("w3", "low"));
    expect([low?.element.class, low && read(low).input]).toEqual([3, 7]);
  });

  test("a program that traces names its span: one job belongs to it, many are linked to it", async () => {
    const { bench } = kit;
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let said: { traceparent: string; tracestate?: string } | undefined = { traceparent, tracestate: "a=1" };
    const tracing = await openQueue({ url: kit.url, namespace: bench.namespace, trace: () => said });
    const { id } = await tracing.enqueue(Report, { team: "one" });
    expect(await tracing.find(id)).toMatchObject({ traceparent });
    await tracing.enqueueAll(Report, [{ team: "two" }, { team: "three" }]);
    said = { traceparent: "nonsense" };
    await tracing.enqueue(Report, { team: "four" });
    const headers = (await kit.takeAll(await bench.worker("w1"))).map((claim) => read(claim).header);
    expect(headers.map((header) => [header.traceparent, header.tracestate, header.traceLink])).toEqual([
      [traceparent, "a=1", undefined],
      [traceparent, "a=1", true],
      [traceparent, "a=1", true],
      [undefined, undefined, undefined],
    ]);
    await tracing.close();
  });

  test("what is wrong is refused with its code before anything is written", async () => {
    const { queue } = kit;
    const failing = [
      [queue.enqueue(Nowhere, "x"), "ROUTE_UNKNOWN", "Did you mean reports.make?"],
      [queue.enqueue(Report, { team: 7 } as never), "INPUT_INVALID", "team"],
      [queue.enqueue("reports.make", { at: new Date() }), "VALUE_NOT_JSON", "input.at is a Date"],
      [queue.enqueue(Report, { team: "x" }, { delay: "-1s" as never }), "OPTIONS_INVALID", "delay"],
      [queue.enqueue(Report, { team: "x" }, { queue: "a:b", key: "k".repeat(600) }), "OPTIONS_INVALID", "queue"],
      [queue.enqueue(Report, { team: "x".repeat(600_000) }), "VALUE_TOO_LARGE", "bytes"],
      [queue.enqueueAll(Report, [{ team: "a" }, { team: 1 } as never]), "INPUT_INVALID", "Number 2"],
    ] as const;
    for (const [promise, code, text] of failing) {
      await expect(promise).rejects.toMatchObject({ code, message: expect.stringContaining(text) as string });
    }
    expect((await queue.depth()).stored).toBe(0);
  });

  test("many are enqueued in their order, with options of their own", async () => {
    const { bench, queue } = kit;
    const inputs = Array.from({ length: 1200 }, (_, index) => ({ team: `t${index}` }));
    const queued = await queue.enqueueAll(Report, inputs, ({ team }) => ({ key: team.slice(-1) }));
    expect(new Set(queued.map(({ id }) => id)).size).toBe(1200);
    expect(await queue.depth()).toMatchObject({ ready: 1200 });
    const first = (await kit.takeAll(await bench.worker("w1")))
      .filter(({ key }) => key === "7")
      .map((one) => read(one).input);
    expect(first.slice(0, 2)).toEqual([{ team: "t7" }, { team: "t17" }]);
  });

  test("many are few scripts: 1,200 go in three, in order", async () => {
    const { bench, client, queue } = kit;
    const inputs = Array.from({ length: 1200 }, (_, n) => ({ team: `t${n}` }));
    await queue.enqueueAll(Report, inputs);
    const producers = await client.keys(`${bench.context.keys.queue("default")}:pr:*`);
    const batches = await Promise.all(producers.map((key) => client.hlen(key)));
    expect(batches).toEqual([3]);
    const elements = await client.lrange(`${bench.context.keys.queue("default")}:w1`, 0, -1);
    expect(elements).toHaveLength(1200);
    expect(elements.toSorted()).toEqual(elements);
  });

  test("a repeat of a unique job gives the first one's id", async () => {
    const { queue } = kit;
    const first = await queue.enqueue(Report, { team: "a" }, { unique: { id: "one", until: "end" } });
    const second = await queue.enqueue("reports.monthly", { team: "b" }, { unique: { id: "one", until: "end" } });
    expect(second).toEqual({ id: first.id, duplicate: true });
  });

  test("a batch's last job runs when its members have finished", async () => {
    const { bench, queue } = kit;
    const { id, members } = await queue.batch(
      [
        { job: Report, input: { team: "a" } },
        { job: "reports.make", input: { team: "b" } },
      ],
      { job: Slow, input: 1 },
    );
    expect(await queue.find(id)).toMatchObject({ state: "held", queue: "low" });
    const worker = await bench.worker("w1");
    const claims = await kit.takeAll(worker);
    expect(members).toHaveLength(2);
    await worker.settle(claims.map((claim) => outcome(claim, "done")));
    const low = await bench.worker("w2", "low");
    expect((await kit.takeAll(low)).map((claim) => read(claim).input)).toEqual([1]);
  });

  test("a flow runs by the names of its steps", async () => {
    const { bench, queue } = kit;
    const flow = await queue.enqueueFlow([
      { name: "sum", job: Report, input: { team: "sum" }, after: ["a", "b"] },
      { name: "a", job: Report, input: { team: "a" } },
      { name: "b", job: Report, input: { team: "b" }, after: ["a"] },
    ]);
    const worker = await bench.worker("w1");
    for (const team of ["a", "b", "sum"]) {
      const claims = await kit.takeAll(worker);
      expect(claims.map((claim) => read(claim).input)).toEqual([{ team }]);
      await worker.settle(claims.map((claim) => outcome(claim, "done")));
    }
    expect(Object.keys(flow).sort()).toEqual(["a", "b", "sum"]);
    const circle = [
      { name: "x", job: Report, input: { team: "x" }, after: ["y"] },
      { name: "y", job: Report, input: { team: "y" }, after: ["x"] },
    ];
    await expect(queue.enqueueFlow(circle)).rejects.toMatchObject({ code: "DEPENDENCY_CYCLE" });
    const wrong = [
      { name: "x", job: Report, input: { team: "x" } },
      { name: "y", job: Report, input: { team: 1 } },
    ];
    await expect(queue.enqueueFlow(wrong)).rejects.toMatchObject({ code: "INPUT_INVALID" });
    expect((await queue.depth()).stored).toBe(0);
  });

  test("middleware stands around every enqueue and may change it", async () => {
    const { bench } = kit;
    const seen: string[] = [];
    const stamp = defineMiddleware({
      name: "stamp",
      enqueue: async (call, next) => {
        const { ids } = await next({
          meta: { ...call.meta, by: "test" },
          options: { ...call.options, key: "stamped" },
        });
        seen.push(`${call.name} ${ids.length}`);
        return { ids };
      },
    });
    const stamped = await openQueue({ url: kit.url, namespace: bench.namespace, middleware: [stamp] });
    try {
      await stamped.enqueueAll(Report, [{ team: "a" }, { team: "b" }]);
    } finally {
      await stamped.close();
    }
    const claims = await kit.takeAll(await bench.worker("w1"));
    expect(claims.map((claim) => [claim.key, read(claim).header.meta])).toEqual([
      ["stamped", { by: "test" }],
      ["stamped", { by: "test" }],
    ]);
    expect(seen).toEqual(["reports.make 1", "reports.make 1"]);
  });

  test("a route that a worker registers later is found", async () => {
    const { bench, queue } = kit;
    const Late = job("late", z.string());
    await expect(queue.enqueue(Late, "x")).rejects.toMatchObject({ code: "ROUTE_UNKNOWN" });
    await registerRoutes(bench.context, ["late.run"]);
    await registerJobs(bench.context, new Map([["late", "late.run"]]));
    await waitFor(() => queue.enqueue(Late, "x"));
  });
});
