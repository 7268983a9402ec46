// Masters as processes around a fake chat service: one leads, others take over, whatever is killed or frozen; nothing is lost or said twice.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { randomId } from "../../services/runtime/ids.ts";
import type { Idempotency } from "../../services/sdk/adapter.ts";
import { FakeChat } from "../support/fake-chat.ts";
import { MasterProcess, type MasterProcessOptions } from "../support/master-kit.ts";
import { startRedisServer, testRedis } from "../support/redis.ts";
import { UnitKit } from "../support/unit-kit.ts";
import { waitFor } from "../support/wait-for.ts";

const LEASE_MS = 2_000;

/** One bot: a namespace, a chat service, masters. */
class Bot {
  readonly namespace = `m-${randomId()}`;
  readonly url: string;
  readonly chat: FakeChat;
  readonly kit: UnitKit;
  readonly masters: MasterProcess[] = [];

  private constructor(url: string, chat: FakeChat) {
    this.url = url;
    this.chat = chat;
    this.kit = new UnitKit(url, this.namespace);
  }

  static async start(url: string, idempotency: Idempotency = "key"): Promise<Bot> {
    return new Bot(url, await FakeChat.start({ idempotency }));
  }

  master(more: Partial<MasterProcessOptions> = {}): MasterProcess {
    const { url: redisUrl, namespace, chat } = this;
    const master = new MasterProcess({ redisUrl, namespace, chat, leaseMs: LEASE_MS, ...more });
    this.masters.push(master);
    return master;
  }

  /** One leader of `fake`, connected, and one standby. */
  async pair(): Promise<{ leader: MasterProcess; standby: MasterProcess }> {
    const leader = await this.master().leads();
    await waitFor(() => this.chat.connected.length === 1);
    const standby = await this.master().started();
    return { leader, standby };
  }

  texts = async (): Promise<string[]> => (await this.kit.stored()).map(({ text }) => text);

  /** Waits until every Action is settled. */
  async allSaid(timeoutMs = 20_000): Promise<void> {
    await waitFor(async () => (await this.kit.outboxDepth()) === 0, { timeoutMs, what: "an empty outbox" });
  }

  async stop(): Promise<void> {
    await Promise.all(this.masters.map((master) => master.kill("SIGKILL")));
    await this.kit.close();
    await this.chat.stop();
  }
}

let bot: Bot;
afterEach(() => bot.stop());

const numbers = (count: number, from = 0): string[] => Array.from({ length: count }, (_, n) => String(from + n));

describe("a leader and a standby", () => {
  beforeEach(async () => {
    bot = await Bot.start((await testRedis()).url);
  });

  test("a message comes in once, an Action is said once, schedules fire", async () => {
    await bot.master().leads();
    bot.chat.say({ room: "lobby", user: "ann", text: "hello" });
    await bot.kit.act({ room: "lobby", text: "hi" });
    await waitFor(async () => (await bot.texts()).length === 1);
    await bot.allSaid();
    expect(bot.chat.said("lobby")).toEqual(["hi"]);
    const { client, keys } = await bot.kit.broker();
    await waitFor(async () => (await client.llen(`${keys.queue("default")}:w1`)) >= 2);
  });

  test("a leader killed: another leads within a Lease, everything said meanwhile is stored, once and in order", async () => {
    const { leader, standby } = await bot.pair();
    for (const text of numbers(20)) bot.chat.say({ room: "lobby", user: "ann", text });
    await leader.kill("SIGKILL");
    for (const text of numbers(20, 20)) bot.chat.say({ room: "lobby", user: "ann", text });
    await standby.leads("fake", 30_000);
    await waitFor(async () => (await bot.texts()).length === 40);
    expect(await bot.texts()).toEqual(numbers(40));
    expect(standby.epochs()[0]).toBeGreaterThan(leader.epochs()[0] ?? Infinity);
  });

  test("SIGTERM: the other leads at once, nothing is lost or doubled, exit code 0", async () => {
    const { leader, standby } = await bot.pair();
    bot.chat.faults.delayMs = 20;
    for (const text of numbers(30)) await bot.kit.act({ room: `room${Number(text) % 3}`, text });
    for (const text of numbers(30)) bot.chat.say({ room: "lobby", user: "ann", text });
    await waitFor(() => bot.chat.posts.length > 5);
    expect(await leader.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    await standby.leads();
    const lost = leader.of("leader.lost").find((line) => line["unit"] === "fake");
    const won = standby.of("leader.acquired").find((line) => line["unit"] === "fake");
    expect(lost?.["reason"]).toBe("released");
    expect(Date.parse(String(won?.["time"])) - Date.parse(String(lost?.["time"]))).toBeLessThan(500);
    await bot.allSaid();
    for (const room of [0, 1, 2]) {
      expect(bot.chat.said(`room${room}`)).toEqual(numbers(30).filter((text) => Number(text) % 3 === room));
    }
    await waitFor(async () => (await bot.texts()).length === 30);
    expect(await bot.texts()).toEqual(numbers(30));
  });

  test("a leader frozen and thawed: nothing of it is accepted, and it ends itself", async () => {
    const { leader, standby } = await bot.pair();
    const [frozenEpoch = 0] = leader.epochs();
    leader.signal("SIGSTOP");
    for (const text of numbers(10)) bot.chat.say({ room: "lobby", user: "ann", text });
    for (const text of numbers(10)) await bot.kit.act({ room: "lobby", text });
    await standby.leads("fake", 30_000);
    await bot.allSaid();
    await waitFor(async () => (await bot.texts()).length === 10);
    const by = new Set(bot.chat.posts.map((post) => post.by));
    leader.signal("SIGCONT");
    bot.chat.say({ room: "lobby", user: "ann", text: "10" });
    expect((await leader.node.exited).signal).toBe("SIGKILL");
    await waitFor(async () => (await bot.texts()).length === 11);
    expect(await bot.texts()).toEqual(numbers(11));
    expect(bot.chat.said("lobby")).toEqual(numbers(10));
    expect([...by]).toEqual([`fake ${standby.epochs()[0]}`]);
    expect(leader.epochs()).toEqual([frozenEpoch]);
    const { client, keys } = await bot.kit.broker();
    expect(Number(await client.hget(keys.resume("fake"), "epoch"))).toBeGreaterThan(frozenEpoch);
  });
});

describe("masters that are killed", () => {
  test.each<[Idempotency, number]>([
    ["key", 0],
    ["reconcile", 0],
    ["none", 1],
  ])(
    "kills under load, service with idempotency %s: none lost, at most %d said again per room and kill",
    async (kind, again) => {
      bot = await Bot.start((await testRedis()).url, kind);
      const rooms = ["a", "b", "c"];
      const kills = 3;
      let leader = await bot.master().leads();
      let sent = 0;
      bot.chat.faults.delayMs = 5;
      for (let kill = 0; kill < kills; kill++) {
        const standby = await bot.master().started();
        for (let n = 0; n < 30; n++, sent++) {
          await bot.kit.act({ room: rooms[sent % 3] as string, text: String(sent) });
          bot.chat.say({ room: "lobby", user: "ann", text: String(sent) });
        }
        const posts = bot.chat.posts.length;
        await waitFor(() => bot.chat.posts.length > posts + 5);
        await leader.kill("SIGKILL");
        leader = await standby.leads("fake", 30_000);
      }
      await bot.allSaid(30_000);
      await waitFor(async () => (await bot.texts()).length === sent);
      expect(await bot.texts()).toEqual(numbers(sent));
      const doubles = bot.masters.flatMap((master) => master.of("action.in-doubt")).length;
      // On a busy machine a Lease may run out as well.
      const changes = bot.masters.flatMap((master) => master.epochs()).length - 1;
      expect(changes).toBeGreaterThanOrEqual(kills);
      for (const room of rooms) {
        const said = bot.chat.said(room);
        const once = said.filter((text, index) => said.indexOf(text) === index);
        expect(once).toEqual(numbers(sent).filter((text) => rooms[Number(text) % 3] === room));
        expect(said.length - once.length).toBeLessThanOrEqual(changes * again);
      }
      expect(doubles).toBeLessThanOrEqual(changes * rooms.length);
    },
  );

  test("between send and outcome: what is in doubt is one Action of each room", async () => {
    bot = await Bot.start((await testRedis()).url, "none");
    const { leader, standby } = await bot.pair();
    bot.chat.faults.silentAfterDoing = 2;
    for (const text of numbers(5)) {
      await bot.kit.act({ room: "a", text });
      await bot.kit.act({ room: "b", text });
    }
    await waitFor(() => bot.chat.posts.length === 2);
    await leader.kill("SIGKILL");
    await standby.leads("fake", 30_000);
    await bot.allSaid();
    expect(bot.chat.said("a")).toEqual(["0", ...numbers(5)]);
    expect(bot.chat.said("b")).toEqual(["0", ...numbers(5)]);
    expect(standby.of("action.in-doubt").map((line) => line["result"])).toEqual(["said again", "said again"]);
  });

  test("each unit has one leader, and masters that come and go never share an epoch", async () => {
    bot = await Bot.start((await testRedis()).url);
    for (let round = 0; round < 2; round++) {
      const masters = [bot.master(), bot.master()];
      await Promise.all(masters.map((master) => master.started()));
      const leader = await waitFor(() => masters.find((master) => master.epochs().length > 0));
      await leader.kill(round % 2 === 0 ? "SIGKILL" : "SIGTERM");
      await Promise.all(masters.map((master) => master.kill("SIGTERM")));
    }
    for (const unit of ["fake", "control"]) {
      const epochs = bot.masters.flatMap((master) => master.epochs(unit));
      expect(new Set(epochs).size).toBe(epochs.length);
    }
  });
});

describe("with a Redis of its own", () => {
  let server: Awaited<ReturnType<typeof startRedisServer>>;

  beforeEach(async () => {
    server = await startRedisServer();
    bot = await Bot.start(server.url);
  });
  afterEach(() => server.stop());

  test("a Redis that is frozen: silent before the Lease could pass, everything resumes by itself", async () => {
    const { leader, standby } = await bot.pair();
    const [first = 0] = leader.epochs();
    server.child.kill("SIGSTOP");
    await waitFor(() => bot.chat.connected.length === 0, { timeoutMs: LEASE_MS });
    expect((await leader.ask("/livez")).status).toBe(200);
    bot.chat.say({ room: "lobby", user: "ann", text: "0" });
    const until = performance.now() + 3 * LEASE_MS;
    await waitFor(() => performance.now() > until, { timeoutMs: 4 * LEASE_MS });
    expect((await leader.ask("/readyz")).status).toBe(503);
    server.child.kill("SIGCONT");
    await waitFor(() => bot.chat.connected.length === 1);
    await waitFor(async () => (await bot.texts()).length === 1);
    const epochs = [...leader.epochs(), ...standby.epochs()];
    expect(Math.max(...epochs)).toBeGreaterThan(first);
    expect(new Set(epochs).size).toBe(epochs.length);
    await waitFor(async () => (await leader.ask("/readyz")).status === 200);
  });

  test("a Redis that is away at the start is waited for, and probes say so", async () => {
    await server.stop();
    const master = await bot.master().started();
    expect((await master.ask("/livez")).status).toBe(200);
    expect((await master.ask("/readyz")).status).toBe(503);
    expect((await master.ask("/readyz?serving")).status).toBe(503);
    expect(master.node.child.exitCode).toBeNull();
    expect(await master.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  });

  test("a master in good order answers its probes, and so does a standby", async () => {
    const { standby } = await bot.pair();
    await waitFor(async () => (await standby.ask("/readyz")).status === 200);
    expect((await standby.ask("/readyz?serving")).status).toBe(200);
    expect((await standby.ask("/livez")).status).toBe(200);
  });
});
