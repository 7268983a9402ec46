import { afterEach, expect, test, vi } from "vitest";
import { closeRedis, type ConnectOptions, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { startEmbedded } from "../../../services/redis/embedded.ts";
import { type Proxy, startProxy } from "../../support/proxy.ts";
import { eachServer, freePort } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

interface Opened {
  readonly client: RedisClient;
  readonly states: string[];
}

/** Bounds are those of the design; this much is left to a machine that does other things. */
const BUSY_MS = 500;

const clients: RedisClient[] = [];
const proxies: Proxy[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(clients.splice(0).map(closeRedis));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
});

function open(url: string, options: Partial<ConnectOptions> = {}): Opened {
  const states: string[] = [];
  const onState: ConnectOptions["onState"] = (state, detail) => {
    states.push(detail === undefined ? state : `${state}: ${detail}`);
  };
  const client = openRedis({ url, name: "test", purpose: "commands", onState, ...options });
  clients.push(client);
  return { client, states };
}

async function proxied(url: string): Promise<{ proxy: Proxy; url: string }> {
  const proxy = await startProxy(Number(new URL(url).port));
  proxies.push(proxy);
  return { proxy, url: `redis://127.0.0.1:${proxy.port}` };
}

/** How long it took to fail, ms. */
async function failureMs(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await expect(work).rejects.toThrow();
  return performance.now() - start;
}

/** How long until the connection works again, ms. */
async function recoveryMs(client: RedisClient): Promise<number> {
  const start = performance.now();
  await waitFor(() => client.ping(), { what: "the connection works again" });
  return performance.now() - start;
}

eachServer((_name, getUrl) => {
  test("a first command waits for the connection, which carries its name", async () => {
    const { client, states } = open(getUrl(), { name: "worker 1" });
    expect(await client.client("GETNAME")).toBe("antiphon:worker_1");
    await waitFor(() => states.some((state) => state.startsWith("ready: ")));
    expect(states[0]).toBe("connecting");
    expect(states[1]).toMatch(/^ready: (Redis|Valkey) \d/);
  });

  test("the database of the URL is selected", async () => {
    const key = `database-${Math.random()}`;
    await open(`${getUrl()}/3`).client.set(key, "x");
    expect(await open(getUrl()).client.get(key)).toBe(null);
    expect(await open(`${getUrl()}/3`).client.get(key)).toBe("x");
  });

  test("after a cut, what was under way fails at once, what is new waits for the next connection", async () => {
    const { proxy, url } = await proxied(getUrl());
    const { client, states } = open(url);
    await client.ping();
    const underWay = client.blpop("nobody", 0);
    await proxy.refuse();
    await proxy.mend();
    expect(await failureMs(underWay)).toBeLessThan(BUSY_MS);
    expect(await client.ping()).toBe("PONG");
    await waitFor(() => states.at(-1)?.startsWith("ready"));
    expect(states.some((state) => state.startsWith("away"))).toBe(true);
  });

  test("while Redis is away commands fail at once, and it is told once; when it is back they work within 2 s", async () => {
    const { proxy, url } = await proxied(getUrl());
    const { client, states } = open(url);
    await client.ping();
    await proxy.refuse();
    await waitFor(() => states.some((state) => state.includes("ECONNREFUSED")));
    expect(await failureMs(client.ping())).toBeLessThan(BUSY_MS);
    const before = states.length;
    expect(await failureMs(client.set("a", "b"))).toBeLessThan(BUSY_MS);
    await proxy.mend();
    expect(await recoveryMs(client)).toBeLessThan(2000 + BUSY_MS);
    expect(states.slice(before).filter((state) => state.startsWith("away"))).toEqual([]);
  });

  test("a server that falls silent is noticed on every kind of connection, commands fail, and it is used again within 2 s", async () => {
    const { proxy, url } = await proxied(getUrl());
    const opened = (["commands", "lease", "subscriber"] as const).map((purpose) => open(url, { purpose }));
    const [commands, lease, subscriber] = opened.map(({ client }) => client) as [RedisClient, RedisClient, RedisClient];
    await waitFor(() => opened.every(({ states }) => states.at(-1)?.startsWith("ready")));
    await subscriber.subscribe("news");
    proxy.swallow();
    const failures = await Promise.all([failureMs(commands.ping()), failureMs(lease.ping())]);
    expect(failures[0]).toBeLessThan(2000 + BUSY_MS);
    expect(failures[1]).toBeLessThan(800 + BUSY_MS);
    // Each has tried to come back, without an answer.
    await waitFor(() => opened.every(({ states }) => /^away: .*(not ready|timed out)/.test(states.at(-1) ?? "")));
    expect(await failureMs(commands.ping())).toBeLessThan(BUSY_MS);
    await proxy.mend();
    const recoveries = await Promise.all(opened.map(({ client }) => recoveryMs(client)));
    expect(Math.max(...recoveries)).toBeLessThan(2000 + BUSY_MS);
  });

  test("a process that stood still itself keeps its connections, and gets its answers", async () => {
    const opened = [open(getUrl()), open(getUrl(), { purpose: "subscriber" })];
    const ids = await Promise.all(opened.map(({ client }) => client.client("ID")));
    const underWay = opened.map(({ client }) => client.echo("x"));
    const end = performance.now() + 2600;
    while (performance.now() < end);
    expect(await Promise.all(underWay)).toEqual(["x", "x"]);
    // The timers that were due meanwhile have run by now, too.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(await Promise.all(opened.map(({ client }) => client.client("ID")))).toEqual(ids);
    expect(opened.flatMap(({ states }) => states).filter((state) => state.startsWith("away"))).toEqual([]);
  });

  test("a subscription survives a cut", async () => {
    const { proxy, url } = await proxied(getUrl());
    const { client } = open(url, { purpose: "subscriber" });
    const publisher = open(getUrl()).client;
    const heard: string[] = [];
    client.on("message", (_channel: string, message: string) => heard.push(message));
    await client.subscribe("news");
    await proxy.refuse();
    await proxy.mend();
    // Again and again: the first may go to the dead connection, which the server still counts.
    await waitFor(async () => (await publisher.publish("news", "again")) > 0 && heard.includes("again"));
  });

  test("a lease connection never waits for a server", async () => {
    const { client } = open(getUrl(), { purpose: "lease" });
    expect(await failureMs(client.ping())).toBeLessThan(BUSY_MS);
    await waitFor(() => client.ping());
  });

  test("another eviction policy is told with its remedy, and so is its mending, without a restart", async () => {
    const { client, states } = open(getUrl());
    await client.config("SET", "maxmemory-policy", "allkeys-lru");
    const second = open(getUrl());
    await waitFor(() => second.states.some((state) => /^unfit: .*allkeys-lru.*Remedy: CONFIG SET/.test(state)));
    await client.config("SET", "maxmemory-policy", "noeviction");
    await waitFor(() => second.states.at(-1)?.startsWith("ready"));
    expect(states.length).toBeGreaterThan(0);
  });

  test("a wrong password is told and no error, and its mending needs no restart", async () => {
    const admin = open(getUrl()).client;
    await admin.acl("SETUSER", "ann", "on", ">right", "+@all", "~*", "&*");
    const { states } = open(getUrl().replace("//", "//ann:wrong@"));
    await waitFor(() => states.some((state) => /^unfit: .*WRONGPASS.*Remedy: correct REDIS_URL/.test(state)));
    await admin.acl("SETUSER", "ann", ">wrong");
    await waitFor(() => states.at(-1)?.startsWith("ready"));
    await admin.acl("DELUSER", "ann");
  });

  test("a user who may not run INFO is unfit", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => {}); // ioredis says so itself
    const admin = open(getUrl()).client;
    await admin.acl("SETUSER", "bob", "on", ">pw", "+@all", "-info", "~*", "&*");
    const { states } = open(getUrl().replace("//", "//bob:pw@"));
    await waitFor(() => states.some((state) => /^unfit: .*\+info/.test(state)));
    await admin.acl("DELUSER", "bob");
  });
});

test("a server that comes late is used within 2 s of its coming", async () => {
  const port = await freePort();
  const { client, states } = open(`redis://127.0.0.1:${port}`);
  await waitFor(() => states.some((state) => state.includes("ECONNREFUSED")));
  expect(await failureMs(client.ping())).toBeLessThan(1000);
  const server = await startEmbedded({ port });
  expect(await recoveryMs(client)).toBeLessThan(2000 + BUSY_MS);
  await server.stop();
});

test("a URL without sense is refused, all problems at once", () => {
  expect(() => open("redis+sentinel://h:0")).toThrow(/port.*name|name.*port/);
});

test("closing is bounded when nobody answers", async () => {
  const proxy = await startProxy(1);
  proxies.push(proxy);
  proxy.swallow();
  const { client } = open(`redis://127.0.0.1:${proxy.port}`);
  const start = performance.now();
  await closeRedis(client);
  await closeRedis(client);
  expect(performance.now() - start).toBeLessThan(1500);
});
