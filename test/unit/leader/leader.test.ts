import { afterEach, expect, test, vi } from "vitest";
import type { Courtesy, Duty, Tenure } from "../../../services/leader/duty.ts";
import { Leader } from "../../../services/leader/leader.ts";
import { type LeaderEvent, type LeaderState, nextState } from "../../../services/leader/states.ts";
import { Lease } from "../../../services/leader/lease.ts";
import { leaseTiming } from "../../../services/leader/timing.ts";
import { closeRedis, openRedis, type Purpose, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { type Clock, systemClock } from "../../../services/runtime/clock.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const timing = leaseTiming(900);
/** Where nothing has to expire, so that a busy machine loses no Lease by accident. */
const LONG = leaseTiming(6_000);
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Options {
  readonly clock?: Clock;
  readonly timing?: typeof LONG;
  readonly courtesy?: Courtesy;
}

/** Notes what it is told, and when. */
class Log implements Duty {
  readonly lines: string[] = [];
  tenure: Tenure | undefined;

  async begin(tenure: Tenure): Promise<void> {
    this.lines.push(`begin ${tenure.epoch}`);
    this.tenure = tenure;
  }

  async end(how: "handover" | "fenced"): Promise<void> {
    this.lines.push(`${how} held=${this.tenure?.held()}`);
  }
}

test("each state knows what may follow, everything else throws", () => {
  const path: [LeaderEvent, LeaderState][] = [
    ["try", "candidate"],
    ["held", "follower"],
    ["try", "candidate"],
    ["won", "leader"],
    ["lost", "releasing"],
    ["released", "follower"],
  ];
  let state: LeaderState = "follower";
  for (const [event, expected] of path) {
    state = nextState(state, event);
    expect(state).toBe(expected);
  }
  expect(() => nextState("follower", "won")).toThrow('A follower cannot do "won".');
  expect(() => nextState("leader", "released")).toThrow();
});

eachServer((_name, getUrl) => {
  const keys = new Keys(`leader-${randomId()}`, 0);

  async function connected(purpose: Purpose = "lease"): Promise<RedisClient> {
    const client = openRedis({ url: getUrl(), name: "test", purpose, onState: () => {} });
    cleanups.push(() => closeRedis(client));
    await waitFor(() => client.status === "ready");
    return client;
  }

  async function startLeader(unit: string, duty: Duty, options: Options = {}) {
    const { clock = systemClock, timing = LONG, courtesy } = options;
    const emit = vi.fn();
    const lease = new Lease({ client: await connected(), keys, unit, owner: "pod", newId: randomId, timing, clock });
    const leader = new Leader({
      lease,
      timing,
      duty,
      subscriber: await connected("subscriber"),
      freeChannel: keys.leaseFree(unit),
      clock,
      random: Math.random,
      emit,
      ...(courtesy && { courtesy }),
    });
    await leader.start();
    cleanups.push(() => leader.stop(500).catch(() => {}));
    return { leader, lease, emit };
  }

  test("of three candidates one leads, and its epoch is the one in Redis", async () => {
    const duties = [new Log(), new Log(), new Log()];
    for (const duty of duties) await startLeader("three", duty);
    await waitFor(() => duties.some((duty) => duty.tenure));
    const [winner, ...others] = duties.filter((duty) => duty.lines.length > 0);
    expect(others).toEqual([]);
    expect(winner?.tenure?.epoch).toBe(await (await connected()).get(keys.epoch("three")));
  });

  test("who lets others try first waits from when the Lease is free, not from a look while it was held", async () => {
    const [a, b] = [new Log(), new Log()];
    const first = await startLeader("courteous", a);
    await waitFor(() => a.tenure);
    const courtesy = { delayMs: vi.fn(async () => 400), changed: () => {} };
    const second = await startLeader("courteous", b, { courtesy });
    const tries = vi.spyOn(second.lease, "acquire");
    await waitFor(() => courtesy.delayMs.mock.calls.length > 2, { timeoutMs: 20_000 });
    expect(tries).not.toHaveBeenCalled();
    await first.leader.stop(500);
    const freeAt = performance.now();
    await waitFor(() => b.tenure, { timeoutMs: 20_000 });
    expect(performance.now() - freeAt).toBeGreaterThan(300);
  });

  test("it tells when it can hear that the Lease is given back", async () => {
    const { leader } = await startLeader("listens", new Log());
    await waitFor(() => leader.listens);
    expect(await subscribers("listens")).toBe(1);
  });

  test("a stop hands over: the duty ends while the Lease still holds, and a standby, which has seen its epoch, wakes at once", async () => {
    const [a, b] = [new Log(), new Log()];
    const first = await startLeader("handover", a);
    await waitFor(() => a.tenure);
    const second = await startLeader("handover", b);
    // The standby has asked once and sleeps until the Lease would run out.
    await waitFor(async () => (await subscribers("handover")) === 2);
    await waitFor(() => second.emit.mock.calls.some(([name]) => name === "leader.seen"));
    expect(second.emit).toHaveBeenCalledWith("leader.seen", { unit: "handover", epoch: a.tenure?.epoch });
    const from = performance.now();
    await first.leader.stop(500);
    await waitFor(() => b.tenure);
    expect(performance.now() - from).toBeLessThan(LONG.leaseMs / 2);
    expect(a.lines).toEqual([`begin ${a.tenure?.epoch}`, "handover held=true"]);
    expect(a.tenure?.held()).toBe(false);
    expect(Number(b.tenure?.epoch)).toBeGreaterThan(Number(a.tenure?.epoch));
    expect(second.leader.state).toBe("leader");
  });

  async function subscribers(unit: string): Promise<number> {
    const client = await connected("commands");
    const counts = (await client.call("PUBSUB", "NUMSUB", keys.leaseFree(unit))) as unknown[];
    return Number(counts.at(-1));
  }

  test("a handover that takes longer than the Lease keeps renewing it", async () => {
    const [slow, b] = [new Log(), new Log()];
    slow.end = async () => {
      await systemClock.sleep(1.5 * timing.leaseMs);
      slow.lines.push(`held=${slow.tenure?.held()}`);
    };
    const first = await startLeader("slow", slow, { timing });
    await waitFor(() => slow.tenure);
    await startLeader("slow", b, { timing });
    await first.leader.stop(3 * timing.leaseMs);
    expect(slow.lines.at(-1)).toBe("held=true");
    await waitFor(() => b.tenure);
  });

  test("a Lease that vanished: everything ends first, then the former leader competes again under a new epoch", async () => {
    const a = new Log();
    await startLeader("vanished", a, { timing });
    await waitFor(() => a.tenure);
    const first = a.tenure as Tenure;
    await (await connected()).del(keys.lease("vanished"));
    await waitFor(() => a.lines.length === 3);
    expect(a.lines).toEqual([`begin ${first.epoch}`, "fenced held=false", `begin ${a.tenure?.epoch}`]);
    expect(Number(a.tenure?.epoch)).toBeGreaterThan(Number(first.epoch));
    expect(first.signal.aborted).toBe(true);
    expect(() => first.assert()).toThrow(expect.objectContaining({ code: "FENCED" }));
  });

  test("a Redis that does not answer: quiet before the Lease runs out, and leader again soon after it answers", async () => {
    const a = new Log();
    await startLeader("silent", a, { timing });
    await waitFor(() => a.tenure);
    const first = a.tenure as Tenure;
    const client = await connected();
    const from = performance.now();
    await client.call("CLIENT", "PAUSE", 2 * timing.leaseMs);
    await waitFor(() => first.signal.aborted);
    expect(performance.now() - from).toBeLessThan(timing.deadlineMs + 150);
    await waitFor(() => a.tenure !== first);
    expect(a.lines[1]).toBe("fenced held=false");
    expect(Number(a.tenure?.epoch)).toBeGreaterThan(Number(first.epoch));
  });

  test("after a stall the check at use says no before any timer has fired", async () => {
    let skipMs = 0;
    const clock = { ...systemClock, monotonic: () => performance.now() + skipMs };
    const a = new Log();
    await startLeader("stall", a, { clock, timing });
    await waitFor(() => a.tenure);
    const { tenure } = a;
    skipMs = timing.deadlineMs;
    expect(() => tenure?.assert()).toThrow(expect.objectContaining({ code: "FENCED" }));
  });

  test("a duty that cannot begin gives the Lease to another", async () => {
    const broken = new Log();
    broken.begin = () => Promise.reject(new Error("no such host"));
    const { emit } = await startLeader("broken", broken);
    await waitFor(() => emit.mock.calls.some(([name]) => name === "part.failed"));
    const b = new Log();
    await startLeader("broken", b);
    await waitFor(() => b.tenure);
    expect(broken.lines.length).toBeLessThan(3);
  });

  test("a duty that hangs while it ends is left behind, and the Lease goes on", async () => {
    const hung = new Log();
    hung.end = () => new Promise(() => {});
    const { leader } = await startLeader("hung", hung);
    await waitFor(() => hung.tenure);
    const b = new Log();
    await startLeader("hung", b);
    await leader.stop(100);
    await waitFor(() => b.tenure);
  });

  test("a Lease won while stopping is given back", async () => {
    for (let round = 0; round < 5; round++) {
      const a = new Log();
      const { leader } = await startLeader("stopping", a);
      await leader.stop(500);
      expect(leader.state).toBe("follower");
    }
    expect(await (await connected()).exists(keys.lease("stopping"))).toBe(0);
  });
});
