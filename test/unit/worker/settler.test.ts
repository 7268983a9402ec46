import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  type Claim,
  Claims,
  type Settled,
  type Settlement,
  type Taken,
  type TakeOptions,
} from "../../../services/broker/claims.ts";
import type { BrokerContext } from "../../../services/broker/connection.ts";
import { Producer } from "../../../services/broker/producer.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { AntiphonError } from "../../../services/runtime/errors.ts";
import { publicId, randomId } from "../../../services/runtime/ids.ts";
import { Settler } from "../../../services/worker/settler.ts";
import { testRedis } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

let client: RedisClient;
let broker: BrokerContext;
let claims: WatchedClaims;
let settler: Settler;
let producer: Producer;
let gone: string[];
let fenced: number;
let take: TakeOptions | undefined;
let got: (Taken | undefined)[];

/** The real ones; what a settle did is remembered, and it fails when a test wants it to. */
class WatchedClaims extends Claims {
  readonly calls: string[] = [];
  /** Gives the error to throw, before the call or (`after`) instead of its reply. */
  fault: (batch: readonly Settlement[]) => { error: Error; after?: boolean } | undefined = () => undefined;

  override async settle(batch: readonly Settlement[], take?: TakeOptions): Promise<Settled> {
    this.calls.push(batch.map(({ kind, claim }) => `${kind} ${claim.key}`).join(", "));
    const fault = this.fault(batch);
    if (fault !== undefined && !fault.after) throw fault.error;
    const reply = await super.settle(batch, take);
    if (fault !== undefined) throw fault.error;
    return reply;
  }
}

beforeAll(async () => {
  const { url } = await testRedis();
  client = openRedis({ url, name: "settler", purpose: "commands", onState: () => {} });
});
afterAll(() => closeRedis(client));

beforeEach(async () => {
  broker = { client, keys: new Keys(`settler-${randomId()}`, 0) };
  producer = new Producer({ ...broker, limits: { deliveries: 1e6, bytes: 1e9 }, random: Math.random });
  claims = new WatchedClaims({ ...broker, queue: "q", wid: randomId() });
  await claims.register({ clientId: "1", pod: "p" });
  [gone, fenced, take, got] = [[], 0, undefined, []];
  settler = new Settler({
    claims,
    takes: { ask: () => take, got: (_claims, _take, taken) => void got.push(taken) },
    left: (list) => void gone.push(...list.map(({ key }) => key)),
    fenced: () => void fenced++,
    emit: () => {},
    clock: systemClock,
    random: () => 0,
  });
});

/** Enqueues deliveries of these keys and takes them. */
async function taken(...keys: string[]): Promise<Claim[]> {
  for (const key of keys) await producer.enqueue("q", { route: 1, envelope: Buffer.from("x"), key });
  const { runs } = await claims.take({ slots: 100, run: 4, order: "0123" });
  return runs.flat();
}

function settlement(claim: Claim, kind: Settlement["kind"] = "done"): Settlement {
  return { claim, kind, origin: publicId(claim.id), effects: [], history: "" };
}

const away = (): Error => new AntiphonError("REDIS_UNAVAILABLE", "");
const held = async (): Promise<number> => (await claims.held()).length;

test("the settlements of a tick are one call, which also takes", async () => {
  const [a, b] = (await taken("a", "b")) as [Claim, Claim];
  await producer.enqueue("q", { route: 1, envelope: Buffer.from("x"), key: "c" });
  take = { slots: 1, run: 4, order: "0123" };
  settler.add(a, settlement(a), []);
  await Promise.resolve();
  settler.add(b, settlement(b, "block"), []);
  await settler.settled();
  expect(claims.calls).toEqual(["done a, block b"]);
  expect(gone).toEqual(["a", "b"]);
  expect(got.map((one) => one?.runs.flat().map(({ key }) => key))).toEqual([["c"]]);
});

test("what failed is repeated in its order, also when the reply alone was lost", async () => {
  const [a, b] = (await taken("a", "a")) as [Claim, Claim];
  let failures = 0;
  claims.fault = () => (failures++ < 2 ? { error: away(), after: failures === 2 } : undefined);
  settler.add(a, settlement(a), []);
  await waitFor(() => failures === 1);
  settler.add(b, settlement(b), []);
  await settler.settled();
  expect(claims.calls).toEqual(["done a", "done a, done a", "done a, done a"]);
  expect(gone).toEqual(["a", "a"]);
  expect(await held()).toBe(0);
  expect(await client.hlen(`${broker.keys.queue("q")}:j`)).toBe(0);
});

test("a pause ends at once when Redis is back", async () => {
  const [a] = (await taken("a")) as [Claim];
  let isAway = true;
  claims.fault = () => (isAway ? { error: away() } : undefined);
  settler.add(a, settlement(a), []);
  await waitFor(() => claims.calls.length >= 4);
  isAway = false;
  const before = claims.calls.length;
  settler.wake();
  await settler.settled();
  expect(claims.calls.length).toBe(before + 1);
});

test("what Redis itself refuses holds nobody else up, and ends as a crash", async () => {
  const [a, b] = (await taken("a", "b")) as [Claim, Claim];
  claims.fault = (batch) =>
    batch.some(({ kind, claim }) => claim.key === "a" && kind === "done")
      ? { error: new Error("ERR too large") }
      : undefined;
  settler.add(a, settlement(a), []);
  settler.add(b, settlement(b), []);
  await settler.settled();
  expect(claims.calls.at(-1)).toBe("crash a");
  expect(gone.sort()).toEqual(["a", "b"]);
  const [again] = await waitFor(async () => (await claims.take({ slots: 1, run: 1, order: "0123" })).runs[0]);
  expect(again).toMatchObject({ key: "a", element: { crashes: 1, attempts: 0 } });
});

test("the rest of a run that a settle un-claims leaves with it", async () => {
  const [a, b] = (await taken("a", "a")) as [Claim, Claim];
  settler.add(a, settlement(a, "block"), [b]);
  await settler.settled();
  expect(gone).toEqual(["a", "a"]);
  expect(await held()).toBe(0);
});

test("hands back", async () => {
  const [a, b] = (await taken("a", "b")) as [Claim, Claim];
  settler.release([a]);
  settler.release([b]);
  await settler.settled();
  expect(gone).toEqual(["a", "b"]);
  expect((await claims.take({ slots: 2, run: 1, order: "0123" })).runs).toHaveLength(2);
});

test("fenced, it forgets everything and says so", async () => {
  const [a, b] = (await taken("a", "b")) as [Claim, Claim];
  await client.zrem(`${broker.keys.queue("q")}:wk`, claims.wid);
  settler.add(a, settlement(a), []);
  settler.release([b]);
  await waitFor(() => fenced > 0);
  settler.drop();
  await settler.settled();
  expect(gone).toEqual([]);
});
