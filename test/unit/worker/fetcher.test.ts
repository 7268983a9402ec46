import { afterEach, beforeEach, expect, test } from "vitest";
import type { Claims, Taken, TakeOptions } from "../../../services/broker/claims.ts";
import { ServerClock } from "../../../services/broker/server-clock.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { Fetcher } from "../../../services/worker/fetcher.ts";
import { Turns } from "../../../services/worker/turns.ts";
import { waitFor } from "../../support/wait-for.ts";

let takes: TakeOptions[];
let free: number;
let reserved: number;
/** How often nothing was left to set aside. */
let refused: number;
let reply: (take: TakeOptions) => Promise<Taken>;
let accepted: number;
let fetcher: Fetcher;
let serverClock: ServerClock;

const claims = { take: (take: TakeOptions) => (takes.push(take), reply(take)) } as unknown as Claims;
/** Untold, it would look after five seconds. */
const SOON_MS = 4_000;
/** The server's clock is an hour before this machine's. */
const SERVER_AHEAD_MS = 3_600_000;
const serverNow = (): number => Date.now() + SERVER_AHEAD_MS;
const nothing = (): Taken => ({ runs: [], nextDueMs: null, atMs: serverNow() });

beforeEach(async () => {
  [takes, free, reserved, refused, accepted] = [[], 40, 0, 0, 0];
  reply = async () => nothing();
  serverClock = new ServerClock(systemClock);
  const turns = new Turns({
    slots: 40,
    get free() {
      if (free === reserved) refused++;
      return free - reserved;
    },
    reserve: (most) => {
      const slots = Math.min(most, free - reserved);
      reserved += slots;
      return slots;
    },
    unreserve: (slots) => void (reserved -= slots),
  });
  fetcher = new Fetcher({
    queue: "q",
    slots: turns.join(1, () => fetcher.serve()),
    claims: () => claims,
    accept: (_claims, runs) => {
      accepted += runs.length;
      free -= runs.length;
    },
    failed: () => {},
    emit: () => {},
    clock: systemClock,
    random: Math.random,
    serverClock,
  });
});
afterEach(() => fetcher.stop());

const runs = (count: number): Taken => ({
  runs: Array.from({ length: count }, () => []),
  nextDueMs: null,
  atMs: serverNow(),
});

test("a take asks for half of the slots, and for the other half when it came back full", async () => {
  let waiting = 30;
  reply = async ({ slots }) => {
    const found = Math.min(slots, waiting);
    waiting -= found;
    return runs(found);
  };
  await fetcher.start();
  await waitFor(() => accepted === 30);
  expect(takes.map(({ slots }) => slots)).toEqual([20, 20]);
});

test("slots of a take under way are not asked for twice, and come back when it failed", async () => {
  let fail: (error: Error) => void = () => {};
  reply = () => new Promise((_resolve, reject) => (fail = reject));
  await fetcher.start();
  await waitFor(() => takes.length === 1);
  expect(fetcher.ask()?.slots).toBe(20);
  expect(fetcher.ask()).toBeUndefined();
  fail(new Error("away"));
  await waitFor(() => reserved === 20);
});

test("the bell wakes it at once", async () => {
  await fetcher.start();
  await waitFor(() => takes.length === 1);
  const before = performance.now();
  fetcher.wake();
  await waitFor(() => takes.length === 2);
  expect(performance.now() - before).toBeLessThan(SOON_MS);
});

test("a bell that overtakes the reply of a take is not lost", async () => {
  await fetcher.start();
  await waitFor(() => takes.length === 1);
  const underWay = [fetcher.ask(), fetcher.ask()].filter((take) => take !== undefined);
  expect(reserved).toBe(40);
  fetcher.wake();
  await waitFor(() => refused > 0);
  const before = performance.now();
  for (const take of underWay) fetcher.got(claims, take, nothing());
  await waitFor(() => takes.length === 2);
  expect(performance.now() - before).toBeLessThan(SOON_MS);
});

test("it wakes when the next delivery is due", async () => {
  await fetcher.start();
  await waitFor(() => takes.length === 1);
  const before = performance.now();
  fetcher.due(serverNow() + 100);
  await waitFor(() => takes.length === 2);
  expect(performance.now() - before).toBeGreaterThan(80);
  expect(performance.now() - before).toBeLessThan(SOON_MS);
});

test("a server that set its clock back is not asked without end", async () => {
  const due = serverNow() + 5000;
  serverClock.learn(due + 5000);
  reply = async () => ({ runs: [], nextDueMs: due, atMs: due - 5000 });
  const before = performance.now();
  await fetcher.start();
  await waitFor(() => takes.length === 6);
  expect(performance.now() - before).toBeGreaterThan(5 + 10 + 20 + 40 + 80);
});

test("quiet, it asks for nothing until it is told to go on", async () => {
  fetcher.quiet();
  await fetcher.start();
  fetcher.wake();
  expect(fetcher.ask()).toBeUndefined();
  expect(takes).toEqual([]);
  const before = performance.now();
  fetcher.resume();
  await waitFor(() => takes.length === 1);
  expect(performance.now() - before).toBeLessThan(SOON_MS);
});
