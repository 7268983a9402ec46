// Several master processes, and a Redis that cannot be reached for longer than a Lease.

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
  const start = async (): Promise<MasterProcess> => {
    const master = new MasterProcess({ redisUrl, namespace, chat, leaseMs: LEASE_MS });
    cleanups.push(() => master.kill("SIGKILL"));
    return master.started();
  };
  return { chat, start };
}

/** How often these won the unit. */
const wins = (masters: readonly MasterProcess[], unit: string): number =>
  masters.reduce((sum, master) => sum + master.epochs(unit).length, 0);

withServer("redis-server", () => {
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
