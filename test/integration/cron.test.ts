// Schedules of a real bot: masters as processes, of which the leading one is killed, and the command line beside them.

import { afterEach, beforeEach, expect, test } from "vitest";
import { decodeEnvelope } from "../../services/broker/delivery.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { Keys } from "../../services/redis/keys.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { type Ran, runCommand } from "../support/command.ts";
import { FakeChat } from "../support/fake-chat.ts";
import { MasterProcess } from "../support/master-kit.ts";
import { testRedis } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const LEASE_MS = 1_000;
const PATIENT = { timeoutMs: 60_000 };

let namespace: string;
let url: string;
let chat: FakeChat;
let client: RedisClient;
const masters: MasterProcess[] = [];

beforeEach(async () => {
  namespace = `cron-${randomId()}`;
  ({ url } = await testRedis());
  chat = await FakeChat.start({ idempotency: "key" });
  client = openRedis({ url, name: "cron-test", purpose: "commands", onState: () => {} });
});
afterEach(async () => {
  await Promise.all(masters.splice(0).map((master) => master.kill("SIGKILL")));
  await closeRedis(client);
  await chat.stop();
});

function master(): MasterProcess {
  const started = new MasterProcess({ redisUrl: url, namespace, chat, leaseMs: LEASE_MS });
  masters.push(started);
  return started;
}

/** The slots that were fired into a queue where nobody takes anything, in the order of their ids. */
async function slotsIn(queue: string): Promise<number[]> {
  const bodies = await client.hgetallBuffer(`${new Keys(namespace, 0).queue(queue)}:j`);
  const ids = Object.keys(bodies).toSorted((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
  return ids.map((id) => {
    const { payload } = decodeEnvelope((bodies as Record<string, Buffer>)[id] ?? Buffer.alloc(0));
    return (JSON.parse(payload.toString()) as { slot: number }).slot;
  });
}

const epochOf = (candidate: MasterProcess): number => candidate.epochs("control").at(-1) ?? 0;

/** Which of them took the Lease last: on a busy machine so short a Lease may change hands by itself. */
const leaderOf = (fleet: readonly MasterProcess[]): MasterProcess | undefined =>
  fleet.toSorted((a, b) => epochOf(b) - epochOf(a))[0];

test("leaders are killed: each slot is fired once, by whoever survives", async () => {
  let fleet = [await master().leads("control"), await master().started()];
  for (let kill = 0; kill < 3; kill++) {
    const count = (await slotsIn("steady")).length;
    await waitFor(async () => (await slotsIn("steady")).length >= count + 2, PATIENT);
    fleet.push(await master().started());
    const killed = leaderOf(fleet);
    await killed?.kill("SIGKILL");
    const before = Math.max(...fleet.map(epochOf));
    fleet = fleet.filter((one) => one !== killed);
    await waitFor(() => fleet.some((one) => epochOf(one) > before), { what: "another leads", timeoutMs: 30_000 });
  }
  const count = (await slotsIn("steady")).length;
  await waitFor(async () => (await slotsIn("steady")).length >= count + 2, PATIENT);
  const slots = await slotsIn("steady");
  expect(slots.length).toBeGreaterThanOrEqual(8);
  expect(slots).toEqual(slots.map((_, index) => (slots[0] ?? 0) + 1000 * index));
});

const cron = (...args: string[]): Ran =>
  runCommand(["cron", ...args], { env: { REDIS_URL: url, ANTIPHON_NAMESPACE: namespace } });

test("an operator lists, pauses, changes, runs and adds schedules while a master leads", async () => {
  await master().leads("control");
  await waitFor(async () => (await slotsIn("steady")).length > 0, PATIENT);

  // 1. What the handlers define, paused and resumed.
  expect(cron().out).toMatch(/ticker\.daily +0 4 \* \* \* UTC +\S+T04:00:00\.000Z/);
  expect(cron("pause", "ticker.steady", "ticker.tick")).toMatchObject({ code: 0 });
  const count = (await slotsIn("steady")).length;
  expect(cron("ls").out).toMatch(/ticker\.steady .* paused/);
  expect(await slotsIn("steady")).toHaveLength(count);
  expect(cron("resume", "ticker.steady")).toMatchObject({ code: 0 });
  await waitFor(async () => (await slotsIn("steady")).length > count, PATIENT);

  // 2. Changed, and run now.
  expect(cron("set", "ticker.daily", "--spec", "30 5 * * *", "--overlap", "skip")).toMatchObject({ code: 0 });
  await waitFor(() => /ticker\.daily +30 5 .*T05:30:00\.000Z .*skip +changed/.test(cron("ls").out), PATIENT);
  const [id = ""] = JSON.parse(cron("run", "ticker.daily", "--json").out) as string[];
  expect(id).toMatch(/^[0-9a-z]+$/);
  expect(cron("reset", "ticker.daily").code).toBe(0);

  // 3. A schedule without a handler; the registry of jobs is what a worker writes.
  const keys = new Keys(namespace, 0);
  await client.hset(keys.routes(), "ships.ship", "77");
  await client.hset(keys.jobs(), "ship", "ships.ship");
  const added = cron("add", "hourly", "--job", "ship", "--input", '{"slot":5}', "--every", "1s", "--queue", "ships");
  expect(added).toMatchObject({ code: 0, out: "hourly is added\n" });
  await waitFor(async () => (await slotsIn("ships")).includes(5), PATIENT);
  expect(cron("rm", "hourly").code).toBe(0);
  const ids = (JSON.parse(cron("ls", "--json").out) as { id: string }[]).map((schedule) => schedule.id);
  expect(ids).toEqual(["ticker.daily", "ticker.steady", "ticker.tick"]);
});

test("what is not understood ends with 2, what is refused with 1 and its remedy", () => {
  expect(cron("puase", "x")).toMatchObject({ code: 2, problems: expect.stringContaining("pause") as string });
  expect(cron("pause")).toMatchObject({ code: 2 });
  expect(cron("set", "x")).toMatchObject({ code: 2 });
  expect(cron("pause", "x", "--tz", "UTC")).toMatchObject({ code: 2 });
  expect(cron("add", "x", "--every", "5m")).toMatchObject({ code: 2 });
  const refused = cron("add", "x", "--job", "ship", "--spec", "61 * * * *", "--tz", "Mars");
  expect(refused).toMatchObject({ code: 1, out: "" });
  expect(cron("pause", "x")).toMatchObject({ code: 1, problems: expect.stringContaining("Remedy:") as string });
});
