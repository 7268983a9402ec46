import { afterEach, beforeEach, expect, test } from "vitest";
import { Claims } from "../../../services/broker/claims.ts";
import type { BrokerContext } from "../../../services/broker/connection.ts";
import { Producer } from "../../../services/broker/producer.ts";
import type { Tenure } from "../../../services/leader/duty.ts";
import { Reaper } from "../../../services/master/reaper.ts";
import { connectedOf, shownName, workerConnection } from "../../../services/redis/clients.ts";
import type { RedisClient } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { eachServer } from "../../support/redis.ts";
import { UnitKit } from "../../support/unit-kit.ts";
import { waitFor } from "../../support/wait-for.ts";

const EPOCH = "7";

function sinceMs(ms: number): () => number | undefined {
  const since = performance.now() - ms;
  return () => since;
}

interface TestedWorker {
  readonly client: RedisClient;
  readonly clientId: string;
  readonly claims: Claims;
  readonly wid: string;
}

eachServer((_name, getUrl) => {
  let kit: UnitKit;
  let broker: BrokerContext;
  let reaper: Reaper | undefined;
  let told: string[];

  beforeEach(async () => {
    kit = new UnitKit(getUrl());
    broker = await kit.broker();
    told = [];
    await broker.client.set(kit.keys.epoch("control"), EPOCH);
  });

  afterEach(async () => {
    await reaper?.stop();
    await kit.close();
  });

  /** One that has been connected for so long, by default long enough. */
  async function startReaper({ thereMs = 5_000, thereSince = sinceMs(thereMs) } = {}): Promise<Reaper> {
    const tenure: Tenure = {
      unit: "control",
      epoch: EPOCH,
      signal: new AbortController().signal,
      held: () => true,
      confirmed: async () => true,
      assert: () => {},
    };
    const emit = (name: string, fields: object): void => void told.push(`${name} ${JSON.stringify(fields)}`);
    reaper = new Reaper({ broker, tenure, thereSince, clock: systemClock, random: Math.random, emit });
    await reaper.start();
    return reaper;
  }

  async function worker(queue = "default"): Promise<TestedWorker> {
    const client = await kit.connect("commands", workerConnection("pod"));
    const wid = `w-${randomId()}`;
    const claims = new Claims({ client, keys: kit.keys, queue, wid });
    const clientId = String(await client.client("ID"));
    await claims.register({ clientId, pod: "pod" });
    return { client, clientId, claims, wid };
  }

  async function give(count: number): Promise<void> {
    const limits = { deliveries: 1_000, bytes: 1_000_000 };
    const producer = new Producer({ ...broker, limits, random: Math.random });
    const envelope = Buffer.from("x");
    await Promise.all(Array.from({ length: count }, () => producer.enqueue("default", { route: 1, envelope })));
  }

  test("a worker whose connection closed: its deliveries come back within 2 s", async () => {
    const dead = await worker();
    const living = await worker();
    await give(3);
    await dead.claims.take({ slots: 3, run: 1, order: "0123" });
    await startReaper();
    await living.claims.beat();
    const from = performance.now();
    dead.client.disconnect();
    await waitFor(() => told.length > 0);
    expect(performance.now() - from).toBeLessThan(2_000);
    expect(told).toEqual([`claims.reaped ${JSON.stringify({ queue: "default", from: dead.wid, deliveries: 3 })}`]);
    const { runs } = await living.claims.take({ slots: 3, run: 1, order: "0123" });
    expect(runs).toHaveLength(3);
    expect(runs.flat().map(({ element }) => element.crashes)).toEqual([1, 1, 1]);
  });

  test("a worker that is only reconnecting keeps what it holds", async () => {
    const worker1 = await worker();
    await give(1);
    await worker1.claims.take({ slots: 1, run: 1, order: "0123" });
    await startReaper();
    const before = String(await worker1.client.client("ID"));
    await broker.client.client("KILL", "ID", before);
    const after = await waitFor(async () => {
      const id = String(await worker1.client.client("ID"));
      return id !== before && id;
    });
    await worker1.claims.register({ clientId: String(after), pod: "pod" });
    await nobodyIsReaped();
    expect(await worker1.claims.held()).toHaveLength(1);
  });

  test("after an outage nobody is reaped for the time a claim lasts", async () => {
    const dead = await worker();
    const running = await startReaper();
    running.outage();
    dead.client.disconnect();
    await nobodyIsReaped();
  });

  /** Over more looks than it would take. */
  async function nobodyIsReaped(): Promise<void> {
    const until = performance.now() + 1_500;
    await waitFor(() => performance.now() > until);
    expect(told).toEqual([]);
  }

  test("the time is counted from the end of an outage, however long it was", async () => {
    const dead = await worker();
    dead.client.disconnect();
    let since: number | undefined;
    await startReaper({ thereSince: () => since });
    await nobodyIsReaped();
    since = performance.now();
    await nobodyIsReaped();
    since = performance.now() - 5_000;
    await waitFor(() => told.length > 0);
  });

  test("a new leader that was connected all along takes back at once what was lost before it led", async () => {
    const dead = await worker();
    const living = await worker();
    await give(1);
    await dead.claims.take({ slots: 1, run: 1, order: "0123" });
    dead.client.disconnect();
    const from = performance.now();
    await startReaper({ thereMs: 5_000 });
    await living.claims.beat();
    await waitFor(() => told.length > 0);
    expect(performance.now() - from).toBeLessThan(2_000);
  });

  test("a master that has just come leaves alone whom it never saw, and takes back at once from whom it saw die", async () => {
    const before = await worker();
    const seen = await worker();
    before.client.disconnect();
    await waitFor(async () => (await connectedOf(broker.client, [before.clientId]))?.size === 0);
    await startReaper({ thereMs: 0 });
    await nobodyIsReaped();
    const from = performance.now();
    seen.client.disconnect();
    await waitFor(() => told.length > 0);
    expect(performance.now() - from).toBeLessThan(2_000);
    expect(told).toEqual([`claims.reaped ${JSON.stringify({ queue: "default", from: seen.wid, deliveries: 0 })}`]);
  });

  test("a connection that only bears a worker's number is not that worker's", async () => {
    const other = await kit.connect();
    const { claims } = await worker();
    await claims.register({ clientId: String(await other.client("ID")), pod: "pod" });
    await startReaper({ thereMs: 0 });
    await nobodyIsReaped();
    other.disconnect();
    await nobodyIsReaped();
  });

  test("a reaper that lost control reaps nobody", async () => {
    const dead = await worker();
    await give(1);
    await dead.claims.take({ slots: 1, run: 1, order: "0123" });
    await broker.client.set(kit.keys.epoch("control"), "8");
    await startReaper();
    dead.client.disconnect();
    await nobodyIsReaped();
    expect(await broker.client.hlen(`${kit.keys.queue("default")}:c:${dead.wid}`)).toBe(1);
  });

  test("of some connections, those that are open", async () => {
    const a = await kit.connect();
    const b = await kit.connect();
    const [idA, idB] = [String(await a.client("ID")), String(await b.client("ID"))];
    b.disconnect();
    await waitFor(async () => (await connectedOf(broker.client, [idA, idB]))?.size === 1);
    expect(await connectedOf(broker.client, [idA, idB])).toEqual(new Map([[idA, shownName("kit")]]));
    expect(await connectedOf(broker.client, [])).toEqual(new Map());
  });
});
