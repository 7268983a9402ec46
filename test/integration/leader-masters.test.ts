// Several master processes: an upgrade as Kubernetes does it, and a Redis that cannot be reached for longer than a Lease.

import { afterEach, expect, test } from "vitest";
import { FakeChat } from "../support/fake-chat.ts";
import { MasterProcess } from "../support/master-kit.ts";
import { startProxy } from "../support/proxy.ts";
import { startRedisServer, withServer } from "../support/redis.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { waitFor } from "../support/wait-for.ts";

const PATIENCE = { timeoutMs: 60_000 };
const LEASE_MS = 6_000;
const DEADLINE_MS = 4_000;
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function fleet(redisUrl: string) {
  const chat = await FakeChat.start();
  cleanups.push(() => chat.stop());
  const namespace = `leader-${randomId()}`;
  const start = async (revision = ""): Promise<MasterProcess> => {
    const env = { ANTIPHON_REVISION: revision };
    const master = new MasterProcess({ redisUrl, namespace, chat, leaseMs: LEASE_MS, env });
    cleanups.push(() => master.kill("SIGKILL"));
    return master.started();
  };
  return { chat, start };
}

/** How often these won the unit. */
const wins = (masters: readonly MasterProcess[], unit: string): number =>
  masters.reduce((sum, master) => sum + master.epochs(unit).length, 0);

/** Who won it last. */
const winner = (masters: readonly MasterProcess[], unit: string): MasterProcess =>
  masters.toSorted((a, b) => (b.epochs(unit).at(-1) ?? 0) - (a.epochs(unit).at(-1) ?? 0))[0] as MasterProcess;

/** As a readiness probe sees it. */
const isServing = async (master: MasterProcess): Promise<boolean> =>
  (await master.ask("/readyz?serving").catch(() => undefined))?.status === 200;

withServer("redis-server", () => {
  test("an upgrade, one more before one less: each Lease moves once, to the new revision, also on the way back", async () => {
    const server = await startRedisServer();
    cleanups.push(() => server.stop());
    const { start } = await fleet(server.url);
    const units = ["control", "fake"];
    const all: MasterProcess[] = [];
    const wonBy = (masters: readonly MasterProcess[]): number[] => units.map((unit) => wins(masters, unit));
    let serving = [await start("a"), await start("a")];
    all.push(...serving);
    await waitFor(() => wonBy(all).every((won) => won === 1), PATIENCE);
    for (const [round, revision] of ["b", "a", "c"].entries()) {
      const young: MasterProcess[] = [];
      for (const old of serving) {
        const next = await start(revision);
        young.push(next);
        all.push(next);
        await waitFor(() => isServing(next), PATIENCE);
        expect(await old.kill("SIGTERM")).toEqual({ code: 0, signal: null });
        const living = all.filter(({ node }) => node.child.exitCode === null);
        await waitFor(() => units.every((unit) => living.includes(winner(all, unit))), PATIENCE);
      }
      await waitFor(() => wonBy(young).every((won) => won === 1), PATIENCE);
      expect(wonBy(all), `after ${round + 1} upgrades`).toEqual([round + 2, round + 2]);
      serving = young;
    }
  });

  test("Redis out of reach for longer than a Lease: all are silent, nobody ends, and one leads when it is back", async () => {
    const server = await startRedisServer();
    cleanups.push(() => server.stop());
    const proxy = await startProxy(server.port);
    cleanups.push(() => proxy.stop());
    const { chat, start } = await fleet(`redis://127.0.0.1:${proxy.port}`);
    const masters = [await start(), await start()];
    await waitFor(() => chat.connected.length === 1 && wins(masters, "control") === 1, PATIENCE);
    const [before = ""] = chat.connected;
    await proxy.refuse();
    const from = performance.now();
    await waitFor(() => chat.connected.length === 0, PATIENCE);
    console.log(`silent ${Math.round(performance.now() - from)} ms after Redis was gone (deadline ${DEADLINE_MS} ms)`);
    // Somebody else's Lease would have run out by now.
    await waitFor(() => performance.now() - from > 1.5 * LEASE_MS, PATIENCE);
    expect(chat.connected).toEqual([]);
    for (const master of masters) expect((await master.ask("/livez")).status).toBe(200);
    await proxy.mend();
    const mendedAt = performance.now();
    await waitFor(() => chat.connected.length === 1, PATIENCE);
    console.log(`connected again ${Math.round(performance.now() - mendedAt)} ms after Redis was back`);
    expect(chat.hellos.filter((hello) => hello === before)).toHaveLength(1);
    const reasons = masters.flatMap((master) => master.of("leader.lost").map((line) => line["reason"]));
    expect(new Set(reasons)).toEqual(new Set(["silence"]));
    expect(masters.map(({ node }) => node.child.exitCode)).toEqual([null, null]);
  });
});
