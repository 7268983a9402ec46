// What is Postgres' alone: tables that make themselves, limits on what is kept and waited for, settings, a missing driver.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { type MessageBus, openBus, type OpenBusOptions } from "../../../services/bus/plugin.ts";
import { readBell } from "../../../services/bus/postgres/bell.ts";
import { Call } from "../../../services/bus/postgres/call.ts";
import { Database } from "../../../services/bus/postgres/database.ts";
import { Sweeper } from "../../../services/bus/postgres/sweeper.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { type PostgresServer, testPostgres, withPostgres } from "../../support/postgres.ts";
import { startProxy } from "../../support/proxy.ts";
import { spawnNode } from "../../support/spawn.ts";
import { waitFor } from "../../support/wait-for.ts";

const LONG_MS = { timeoutMs: 30_000 };
const SCHEMA_FILE = fileURLToPath(new URL("../../../services/bus/postgres/schema.sql", import.meta.url));
const DEFAULTS = { schema: "antiphon", connections: 2, statementMs: 5_000 };

withPostgres(() => {
  let server: PostgresServer;
  const closers: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    server = await testPostgres();
  }, 60_000);
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  async function open(options: OpenBusOptions = {}): Promise<MessageBus> {
    const bus = await openBus({ backend: "postgres", url: server.url, namespace: `p${randomId()}`, ...options });
    closers.push(() => bus.close());
    return bus;
  }

  async function database(options: Partial<typeof DEFAULTS & { url: string }> = {}): Promise<Database> {
    const opened = new Database({ url: server.url, ...DEFAULTS, ...options });
    await opened.open();
    closers.push(() => opened.close());
    return opened;
  }

  async function newDatabase(more = ""): Promise<string> {
    const name = `d${randomId().toLowerCase()}`;
    await server.ask(`CREATE DATABASE ${name} TEMPLATE template0 ${more}`);
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  async function connection(url = server.url): Promise<Client> {
    const client = new Client({ connectionString: url });
    await client.connect();
    closers.push(() => client.end());
    return client;
  }

  /** A new user with these rights on the tables: how it connects. */
  async function userOf(url: string, rights: string): Promise<string> {
    const user = `u${randomId().toLowerCase()}`;
    await (
      await connection(url)
    ).query(
      `CREATE ROLE ${user} LOGIN; GRANT USAGE ON SCHEMA antiphon TO ${user};` +
        `GRANT ${rights} ON ALL TABLES IN SCHEMA antiphon TO ${user}`,
    );
    const own = new URL(url);
    own.username = user;
    return own.href;
  }

  const count = async (table: string, where: string): Promise<number> =>
    Number((await server.ask(`SELECT count(*) AS n FROM antiphon.${table} WHERE ${where}`))[0]?.["n"]);

  const channelId = async (namespace: string): Promise<string> =>
    String(
      (await server.ask("SELECT id FROM antiphon.bus_channels WHERE namespace = $1 AND name = '/a'", [namespace]))[0]?.[
        "id"
      ],
    );

  test("processes that start together on an empty database make the tables once", async () => {
    const url = await newDatabase();
    const buses = await Promise.all(Array.from({ length: 6 }, () => open({ url, namespace: "together" })));
    await Promise.all(buses.map((bus, n) => bus.publish("/a", n)));
    expect(await buses[0]?.backlog("/a", 0)).toHaveLength(6);
  });

  test("the documented file makes the same, again and again; then a user without rights to make tables can use them", async () => {
    const url = await newDatabase();
    for (let run = 0; run < 2; run++) {
      const { status, stderr } = spawnSync("psql", ["-v", "ON_ERROR_STOP=1", "-q", "-f", SCHEMA_FILE, url], {
        encoding: "utf8",
      });
      expect([status, stderr.replaceAll(/^.*NOTICE: .*$\n?/gm, "")]).toEqual([0, ""]);
    }
    const own = await userOf(url, "SELECT, INSERT, UPDATE, DELETE");
    const bus = await open({ url: own });
    expect(await bus.publish("/a", 1)).toMatchObject({ status: "stored" });
    expect(await bus.backlog("/a", 0)).toHaveLength(1);
  });

  test("rights that are missing are told, and what is published waits until they are given", async () => {
    const url = await newDatabase();
    await open({ url });
    const states: [string, string | undefined][] = [];
    const events: string[] = [];
    const bus = await open({
      url: await userOf(url, "SELECT"),
      onState: (state, detail) => states.push([state, detail]),
      onEvent: (name, { loop }) => events.push(`${name} ${String(loop)}`),
    });
    expect(await bus.publish("/a", 1)).toEqual({ status: "buffered" });
    await waitFor(
      () => states.some(([state, detail]) => state === "unfit" && detail?.includes("permission denied")),
      LONG_MS,
    );
    await waitFor(() => events.includes("loop.failed bus sweeper"), LONG_MS);
    await (await connection(url)).query("GRANT ALL ON ALL TABLES IN SCHEMA antiphon TO PUBLIC");
    await waitFor(async () => (await bus.lastId("/a")) > 0 && states.at(-1)?.[0] === "ready", LONG_MS);
  });

  test("another schema is another bus", async () => {
    const [one, other] = [
      await open({ namespace: "n" }),
      await open({ namespace: "n", postgres: { schema: "other_bus" } }),
    ];
    await one.publish("/a", 1);
    expect([await one.lastId("/a"), await other.lastId("/a")]).toEqual([expect.any(Number), 0]);
    const heard: unknown[] = [];
    await other.subscribe("/a", ({ data }) => void heard.push(data));
    await one.publish("/a", "not yours");
    await other.publish("/a", "yours");
    await waitFor(() => heard.length > 0, LONG_MS);
    expect(heard).toEqual(["yours"]);
  });

  test("tables that somebody drops are made again; readers are told that something is missing", async () => {
    const url = await newDatabase();
    const bus = await open({ url });
    const heard: unknown[] = [];
    let gaps = 0;
    await bus.subscribe("/a", ({ data }) => void heard.push(data), { onGap: () => gaps++ });
    await bus.publish("/a", 1);
    await waitFor(() => heard.length === 1, LONG_MS);
    await (await connection(url)).query("DROP SCHEMA antiphon CASCADE");
    await bus.publish("/a", 2);
    await waitFor(() => heard.length === 2, LONG_MS);
    expect([heard, gaps]).toEqual([[1, 2], 1]);
  });

  test("a connection that breaks while the tables are made is an error like any other", async () => {
    const url = await newDatabase();
    const holder = await connection(url);
    await holder.query("BEGIN");
    await holder.query("SELECT pg_advisory_xact_lock(hashtext('antiphon.bus'), 0)");
    const opening = open({ url });
    opening.catch(() => {});
    const waiting = "application_name = 'antiphon:bus' AND wait_event = 'advisory'";
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${waiting}`;
    await waitFor(async () => (await server.ask(end)).length > 0, LONG_MS);
    await expect(opening).rejects.toMatchObject({ code: "POSTGRES_UNAVAILABLE" });
  });

  test("whatever a connection does just now, its end is heard: an error that nobody listens to would end the process", async () => {
    const listeners: number[] = [];
    const real = Client.prototype.query as (...given: unknown[]) => unknown;
    const watched = function (this: Client, ...given: unknown[]): unknown {
      listeners.push(this.listenerCount("error"));
      return real.apply(this, given);
    };
    const query = vi.spyOn(Client.prototype, "query").mockImplementation(watched as never);
    closers.push(async () => query.mockRestore());
    const bus = await open({ url: await newDatabase() });
    await bus.publish("/a", 1);
    expect(listeners.length).toBeGreaterThan(5);
    expect(Math.min(...listeners)).toBeGreaterThan(0);
  });

  test("a database of another encoding is refused with the remedy", async () => {
    const url = await newDatabase("ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
    await expect(open({ url })).rejects.toThrow(/encoding of the database is LATIN1.*ENCODING 'UTF8'/);
  });

  test("without a server, opening fails within seconds and leaves nothing", async () => {
    const proxy = await startProxy(server.port);
    await proxy.stop();
    const url = `postgres://antiphon@127.0.0.1:${proxy.port}/postgres`;
    await expect(open({ url })).rejects.toMatchObject({ code: "POSTGRES_UNAVAILABLE" });
  });

  test("settings that are wrong are told all at once", async () => {
    const postgres = { schema: "a.b", connections: 0, statementMs: 0.5 };
    await expect(open({ url: "redis://localhost", postgres })).rejects.toThrow(
      /url must begin with postgres:.*schema.*connections.*statementMs/,
    );
  });

  test("without the package pg it says what to install, and a bus in Redis needs it not", async () => {
    const entry = new URL("./postgres-without-driver.ts", import.meta.url);
    const node = spawnNode(entry, { args: [server.url] });
    await node.waitForLine(/^postgres: CONFIG_INVALID: .*needs the package pg, .*npm install pg$/, 30_000);
    await node.waitForLine("memory: stored", 30_000);
    await node.exited;
  });

  test("what a channel no longer keeps is deleted, a little with each publish and the rest by the sweep", async () => {
    const namespace = `p${randomId()}`;
    const bus = await open({ namespace });
    await Promise.all(Array.from({ length: 900 }, (_, n) => bus.publish("/a", n)));
    const id = await channelId(namespace);
    await bus.publish("/a", "last", { maxMessages: 1 });
    const left = await count("bus_messages", `channel_id = ${id}`);
    expect(left).toBe(401);
    expect(await bus.backlog("/a", 0)).toHaveLength(1);
    const sweeper = new Sweeper({ database: await database(), clock: systemClock, random: Math.random });
    await waitFor(
      () => sweeper.sweep().then(async () => (await count("bus_messages", `channel_id = ${id}`)) === 1),
      LONG_MS,
    );
    for (let n = 0; n < 200; n++) await bus.publish("/a", n, { maxMessages: 100 });
    expect(await count("bus_messages", `channel_id = ${id}`)).toBeLessThanOrEqual(164);
  });

  test("a channel whose time is over is deleted with everything, and its offsets never come again", async () => {
    const namespace = `p${randomId()}`;
    const bus = await open({ namespace });
    const first = await bus.publish("/a", 1);
    // As if the clock had been ahead.
    await server.ask(
      "UPDATE antiphon.bus_channels SET last_offset = last_offset + 86400000000, ends_at = now() WHERE namespace = $1 AND name = '/a'",
      [namespace],
    );
    const sweeper = new Sweeper({ database: await database(), clock: systemClock, random: Math.random });
    await waitFor(
      () =>
        sweeper
          .sweep()
          .then(async () => (await count("bus_channels", `namespace = '${namespace}' AND name = '/a'`)) === 0),
      LONG_MS,
    );
    const again = await bus.publish("/a", 2);
    if (first.status !== "stored" || again.status !== "stored") throw new Error("not stored");
    expect(again.offset).toBeGreaterThan(first.offset + 86_400_000_000);
    expect(again.epoch).not.toBe(first.epoch);
  });

  test("what is over its time is gone for readers before anybody deletes it", async () => {
    const namespace = `p${randomId()}`;
    const bus = await open({ namespace });
    // As if another process were at it.
    await (await connection()).query(`SELECT pg_advisory_lock(hashtext('"antiphon".bus_sweep'), 1)`);
    const published = await bus.publish("/a", 1, { maxAgeMs: 20 });
    await waitFor(async () => (await bus.lastId("/a")) === 0, LONG_MS);
    expect([await bus.backlog("/a", 0), await bus.lastMessage("/a")]).toEqual([[], undefined]);
    expect(await count("bus_channels", `namespace = '${namespace}' AND name = '/a'`)).toBe(1);
    const next = await bus.publish("/a", 2);
    if (published.status !== "stored" || next.status !== "stored") throw new Error("not stored");
    expect(next.epoch).not.toBe(published.epoch);
    expect((await bus.backlog("/a", 0)).map(({ data }) => data)).toEqual([2]);
  });

  test("the sweep leaves alone what is being published on, and two at once do not wait for each other", async () => {
    const namespace = `p${randomId()}`;
    const bus = await open({ namespace });
    await bus.publish("/a", 1, { maxAgeMs: 1 });
    const holder = await connection();
    await holder.query("BEGIN");
    await holder.query("SELECT 1 FROM antiphon.bus_channels WHERE namespace = $1 AND name = '/a' FOR UPDATE", [
      namespace,
    ]);
    const sweepers = await Promise.all(
      [0, 1].map(async () => new Sweeper({ database: await database(), clock: systemClock, random: Math.random })),
    );
    await Promise.all(sweepers.map((sweeper) => sweeper.sweep()));
    expect(await count("bus_channels", `namespace = '${namespace}' AND name = '/a'`)).toBe(1);
    await holder.query("COMMIT");
  });

  test("a publish that waits too long for a lock is given up, buffered, and written once when the lock is gone", async () => {
    const namespace = `p${randomId()}`;
    const bus = await open({ namespace, postgres: { statementMs: 200 } });
    await bus.publish("/a", 0);
    const holder = await connection();
    await holder.query("BEGIN");
    await holder.query("SELECT 1 FROM antiphon.bus_channels WHERE namespace = $1 FOR UPDATE", [namespace]);
    expect(await bus.publish("/a", 1)).toEqual({ status: "buffered" });
    await holder.query("COMMIT");
    await waitFor(() => bus.diagnostics().waiting === 0, LONG_MS);
    expect((await bus.backlog("/a", 0)).map(({ data }) => data)).toEqual([0, 1]);
  });

  test("no more connections than allowed, and one that listens", async () => {
    const name = `c${randomId()}`;
    const url = new URL(server.url);
    url.searchParams.set("options", `-c antiphon.test=${name}`);
    const bus = await open({ url: url.href, postgres: { connections: 2 } });
    await Promise.all(Array.from({ length: 40 }, (_, n) => bus.lastId(`/c${n}`)));
    const seen = await server.ask(
      "SELECT application_name AS name, count(*) AS n FROM pg_stat_activity WHERE application_name LIKE 'antiphon:%' GROUP BY 1 ORDER BY 1",
    );
    expect(seen).toEqual([
      { name: "antiphon:bus", n: "2" },
      { name: "antiphon:bus-listener", n: "1" },
    ]);
  });

  test("a connection that falls silent is noticed and replaced, and nothing is lost", async () => {
    const proxy = await startProxy(server.port);
    closers.push(() => proxy.stop());
    const namespace = `p${randomId()}`;
    const states: string[] = [];
    const url = `postgres://antiphon@127.0.0.1:${proxy.port}/postgres`;
    const bus = await open({ url, namespace, postgres: { statementMs: 500 }, onState: (state) => states.push(state) });
    const other = await open({ namespace });
    const heard: unknown[] = [];
    await bus.subscribe("/a", ({ data }) => void heard.push(data));
    proxy.swallow();
    await other.publish("/a", 1);
    await waitFor(() => states.includes("away"), LONG_MS);
    await proxy.mend();
    await waitFor(() => heard.length === 1 && bus.isListening, LONG_MS);
    await other.publish("/a", 2);
    await waitFor(() => heard.length === 2, LONG_MS);
    expect(heard).toEqual([1, 2]);
    expect(states).toEqual(["ready", "away", "ready"]);
  });

  test("closing does not wait for a server that does not answer", async () => {
    const proxy = await startProxy(server.port);
    closers.push(() => proxy.stop());
    const bus = await openBus({ backend: "postgres", url: `postgres://antiphon@127.0.0.1:${proxy.port}/postgres` });
    proxy.swallow();
    void bus.lastId("/a").catch(() => {});
    await bus.close();
  });
});

test("a bell is read as it was written, and what is none is not", () => {
  const text = (payload: string): string => `12|e|/a$|$site\n${Buffer.from(payload).toString("base64")}`;
  expect(readBell(text("ü"))).toMatchObject({ channel: "/a$|$site", position: { epoch: "e", offset: 12 } });
  expect(readBell(text("ü"))?.message?.data.toString()).toBe("ü");
  expect(readBell(text(""))?.message).toBeUndefined();
  for (const none of ["", "x", "1|e\n", "a|e|/c\n", "1|e|/c"]) expect(readBell(none)).toBeUndefined();
});

test("messages of a call are told by channel, and a channel that cannot be stored is left out", () => {
  const message = (channel: string, messages: number) => ({
    channel,
    payload: Buffer.from("x"),
    keep: { messages, ageMs: messages },
    seen: messages,
  });
  const call = new Call([message("/a", 5), message("/b", 9), message("/\0", 1), message("/a", 2), message("/a", 7)], {
    bell: (channel) => `bell ${channel}`,
    index: undefined,
  });
  const [names, bells, counts, kept, ages, seen] = call.values;
  expect([names, bells, counts]).toEqual([
    ["/a", "/b"],
    ["bell /a", "bell /b"],
    [3, 1],
  ]);
  expect([kept, ages, seen]).toEqual([
    [3, 9],
    [7, 9],
    [7, 9],
  ]);
  expect(call.positions({ starts: ["10", "20"], epochs: ["e", "f"] })).toEqual([
    { epoch: "e", offset: 10 },
    { epoch: "f", offset: 20 },
    expect.any(Error),
    { epoch: "e", offset: 11 },
    { epoch: "e", offset: 12 },
  ]);
});
