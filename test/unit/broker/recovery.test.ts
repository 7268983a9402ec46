// Who takes back what a dead worker held, when, and what it costs the deliveries.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { verdictOf } from "../../../services/broker/delivery.ts";
import { queueDepth } from "../../../services/broker/inspect.ts";
import { reapClosed } from "../../../services/broker/reap.ts";
import { registeredWorkers } from "../../../services/broker/registered.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Bench, outcome, payloadOf, TAKE, takeOne } from "../../support/broker.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;

  beforeAll(() => {
    client = openRedis({ url: url(), name: "recovery", purpose: "commands", onState: () => {} });
  });
  beforeEach(() => {
    bench = new Bench(client);
  });
  afterAll(() => closeRedis(client));

  test("a reap counts a crash for the head of each run only, and puts it in front", async () => {
    for (const text of ["a1", "a2", "a3"]) await bench.add(text, { key: "a" });
    const [dead, living] = [await bench.worker("dead"), await bench.worker("living")];
    await dead.take(TAKE);
    await bench.pass(7, [living]);
    const [run = []] = (await living.take(TAKE)).runs;
    expect(run.map((claim) => [payloadOf(claim), claim.element.crashes, claim.element.attempts])).toEqual([
      ["a1", 1, 0],
      ["a2", 0, 0],
      ["a3", 0, 0],
    ]);
  });

  test("nobody is reaped for an outage: the living get time to beat first", async () => {
    await bench.add("x");
    const [a, b] = [await bench.worker("a"), await bench.worker("b")];
    const claim = await takeOne(a);
    await a.beat();
    await b.beat();
    bench.offsetMs += 30_000; // as if Redis had been away
    await b.beat();
    await b.take(TAKE);
    await a.beat();
    await bench.pass(8, [a, b]);
    expect((await a.settle([outcome(claim, "done")])).settled).toEqual([true]);
  });

  test("a worker that is late takes and settles on, while nobody has reaped it", async () => {
    await bench.add("x");
    const late = await bench.worker("late");
    const claim = await takeOne(late);
    await late.beat();
    bench.offsetMs += 2500;
    await late.beat();
    bench.offsetMs += 8000;
    await bench.add("y");
    const next = await takeOne(late);
    expect((await late.settle([outcome(claim, "done"), outcome(next, "done")])).settled).toEqual([true, true]);
  });

  test("control takes a worker back whose connection closed, but not one that registered another", async () => {
    await client.set(bench.context.keys.epoch("control"), "5");
    await bench.add("x");
    const dead = await bench.worker("dead");
    await takeOne(dead);
    const [worker] = await registeredWorkers(bench.context, ["default"]);
    if (!worker) throw new Error("not registered");
    await expect(reapClosed(bench.context, worker, { epoch: "4" })).rejects.toMatchObject({ code: "FENCED" });
    await dead.register({ clientId: "2", pod: "test" });
    expect(await reapClosed(bench.context, worker, { epoch: "5" })).toBeNull();
    const [again] = await registeredWorkers(bench.context, ["default"]);
    expect(again && (await reapClosed(bench.context, again, { epoch: "5" }))).toBe(1);
    expect(await queueDepth(bench.context, "default")).toMatchObject({ ready: 1, claimed: 0 });
  });

  test("crashes lead to quarantine, then to the dead letters, and the key goes on", async () => {
    await bench.add("poison", { key: "k" });
    await bench.add("next", { key: "k" });
    const verdicts: string[] = [];
    for (let crash = 0; crash < 2; crash++) {
      const [dead, living] = [await bench.worker(`dead${crash}`), await bench.worker(`living${crash}`)];
      verdicts.push(verdictOf((await takeOne(dead)).element.crashes));
      await bench.pass(8, [living]);
      await living.bye([]);
    }
    const last = await bench.worker("last");
    const poison = await takeOne(last);
    verdicts.push(verdictOf(poison.element.crashes));
    expect(verdicts).toEqual(["run", "run", "quarantine"]);
    expect(verdictOf(poison.element.crashes + 1)).toBe("dead");
    await last.settle([outcome(poison, "dead", { error: "CRASH_LIMIT" })]);
    const held = await last.held();
    expect(held.map(payloadOf)).toEqual(["next"]);
  });

  test("a worker that dies ten times around a child gives the delivery up, not sooner", async () => {
    await bench.add("poison");
    const living = await bench.worker("living");
    let reaps = 0;
    while ((await queueDepth(bench.context, "default")).dead === 0) {
      const dead = await bench.worker(`dead${reaps}`);
      await takeOne(dead);
      await bench.pass(8, [living]);
      reaps++;
      if (reaps > 20) throw new Error("it is never given up");
    }
    expect(reaps).toBe(12); // two to get into quarantine, ten there
  });

  test("what a lost reply hid is found again, and can be handed back", async () => {
    for (const text of ["1", "2"]) await bench.add(text, { key: "k" });
    const w = await bench.worker("w");
    await w.take(TAKE); // its reply is thrown away
    const held = await w.held();
    expect(held.map(payloadOf)).toEqual(["1", "2"]);
    expect(await w.release(held)).toBe(2);
    expect((await w.take(TAKE)).runs.flat().map((claim) => claim.element.crashes)).toEqual([0, 0]);
  });

  test("the rest of a run can be handed back while its head runs; the key stays claimed until the head is settled", async () => {
    for (const text of ["1", "2", "3"]) await bench.add(text, { key: "k" });
    const [w, other] = [await bench.worker("w"), await bench.worker("other")];
    const [head, ...rest] = (await w.take(TAKE)).runs[0] ?? [];
    if (!head) throw new Error("nothing taken");
    await w.release(rest);
    expect((await other.take(TAKE)).runs).toEqual([]);
    await w.settle([outcome(head, "done")]);
    expect((await other.take(TAKE)).runs.flat().map(payloadOf)).toEqual(["2", "3"]);
  });

  test("a worker that says bye leaves nothing behind", async () => {
    await bench.add("x", { key: "k" });
    const w = await bench.worker("w");
    const { runs } = await w.take(TAKE);
    expect(await w.bye(runs.flat())).toBe(1);
    expect(await registeredWorkers(bench.context, ["default"])).toEqual([]);
    expect(await queueDepth(bench.context, "default")).toMatchObject({ ready: 1, claimed: 0 });
  });
});
