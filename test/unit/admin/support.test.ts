// The support bundle: what is in it, and that no secret is, wherever one was planted.

import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { supportBundle } from "../../../services/admin/support.ts";
import { parseWords } from "../../../services/cli/command.ts";
import { findCommand } from "../../../services/cli/commands.ts";
import type { Config } from "../../../services/config/config.ts";
import { readConfig } from "../../../services/config/read.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { Bench } from "../../support/broker.ts";
import { type RedisServer, startRedisServer, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

/** Each is found by this word, and stands in a text of its own. */
const PLANTED = "planted";
let planted = 0;
const secret = (): string => `${PLANTED}-"\\${String(planted++).padStart(12, "0")}`;
/** For where quotes and backslashes have no place. */
const plainSecret = (): string => `${PLANTED}-${String(planted++).padStart(16, "0")}`;

async function setPassword(url: string, password: string): Promise<void> {
  const first = openRedis({ url, name: "first", purpose: "commands", onState: () => {} });
  await waitFor(() => first.ping());
  await first.call("CONFIG", "SET", "requirepass", password);
  await closeRedis(first);
}

withServer("redis-server", () => {
  let server: RedisServer;
  let client: RedisClient;
  let config: Config;
  let bench: Bench;
  const password = plainSecret();

  beforeAll(async () => {
    server = await startRedisServer();
    const url = `redis://default:${password}@127.0.0.1:${server.port}`;
    await setPassword(server.url, password);
    client = openRedis({ url, name: "support", purpose: "commands", onState: () => {} });
    await waitFor(() => client.ping());
    bench = new Bench(client);
    const env = {
      REDIS_URL: url,
      ANTIPHON_NAMESPACE: bench.namespace,
      ANTIPHON_ADMIN_TOKEN: secret(),
      ANTIPHON_ADMIN_TOKENS: `ann:viewer:${plainSecret()}`,
      ANTIPHON_WEB_TOKEN: secret(),
      ANTIPHON_ERROR_TRACKERS: `sentry+https://${plainSecret()}@sentry.example/1,https://${plainSecret()}@x.example/`,
      SENTRY_DSN: `https://${plainSecret()}@sentry.example/1`,
      OTEL_EXPORTER_OTLP_ENDPOINT: `https://otlp:${plainSecret()}@otlp.example`,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=${plainSecret()}`,
      ANTIPHON_ADAPTERS: "web,irc,./own-adapter.ts",
      IRC_HOST: "irc.example",
      IRC_PASSWORD: secret(),
      IRC_CHANNELS: `#ops ${plainSecret()}`,
      ANTIPHON_HANDLER_GIT_HUB_ANYTHING: secret(),
      ANTIPHON_ADAPTER_OWN_THING: secret(),
    };
    config = await readConfig("tool", { env, cwd: import.meta.dirname, cores: 2, terminal: false, dev: false });
    config = {
      ...config,
      handlerSettings: { github: { room: "web:ops", nested: { apiKey: secret(), list: [{ token: secret() }] } } },
      adapterSettings: {
        ...config.adapterSettings,
        "./own-adapter.ts": { url: secret(), name: "hal", password: 123_456 },
      },
    };
  });
  afterAll(async () => {
    await closeRedis(client);
    await server.stop();
  });

  const made = async (): Promise<string> => supportBundle({ config, context: bench.context, clock: systemClock });

  test("says how everything stands", async () => {
    const bundle = JSON.parse(await made()) as Record<string, Record<string, unknown>>;
    expect(Object.keys(bundle)).toEqual(["about", "settings", "redis", "info", "doctor", "now", "metrics", "leaders"]);
    for (const section of Object.values(bundle)) expect(section).not.toHaveProperty("failed");
    expect(bundle["settings"]).toMatchObject({
      namespace: bench.namespace,
      adminToken: "[removed]",
      redisUrl: `redis://[removed]@127.0.0.1:${server.port}`,
      handlerVariables: ["ANTIPHON_HANDLER_GIT_HUB_ANYTHING"],
      handlerSettings: { github: { room: "web:ops", nested: { apiKey: "[removed]" } } },
      adapterSettings: { irc: { host: "irc.example" }, "./own-adapter.ts": { name: "hal", password: "[removed]" } },
      sentryDsn: "[removed]",
      otlpHeaders: "[removed]",
    });
    expect(bundle["doctor"]).toMatchObject({ sound: true });
    expect(bundle["redis"]).toContainEqual(expect.objectContaining({ name: "permissions", state: "ok" }));
  });

  test("no planted secret is in it: not of settings, not of variables, not in an error that quotes one", async () => {
    const claims = await bench.worker("w1");
    const message = `cannot log in with ${config.adminToken} at ${config.redisUrl}`;
    const failure = { id: "origin", route: 7, message };
    bench.offsetMs += 500;
    await claims.beat({ finished: 1, runMs: 1, heldMs: 1, busyMs: 1, failed: 1, failure });
    const text = await made();
    expect(text).toContain("cannot log in with [removed]");
    expect(planted).toBeGreaterThan(15);
    expect(text).not.toContain(PLANTED);
    expect(text).not.toContain("123456");
  });

  test("while Redis is away it holds what is known without", async () => {
    const away = openRedis({ url: "redis://127.0.0.1:1", name: "away", purpose: "commands", onState: () => {} });
    try {
      const context = { ...bench.context, client: away };
      const bundle = JSON.parse(await supportBundle({ config, context, clock: systemClock })) as Record<
        string,
        unknown
      >;
      expect(bundle).toMatchObject({ about: { node: process.version }, settings: { namespace: bench.namespace } });
      expect(bundle["now"]).toHaveProperty("failed");
    } finally {
      await closeRedis(away);
    }
  });

  describe("the command", () => {
    let folder = "";
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "antiphon-support-"));
    });
    afterEach(() => rm(folder, { recursive: true }));

    const run = async (...args: readonly string[]): Promise<number> => {
      const command = await findCommand("support-bundle");
      const around = { env: {}, cwd: folder, stopping: new AbortController().signal, print: () => {}, ready: () => {} };
      return command.run({ ...parseWords(command, args), ...around, readConfig: async () => config });
    };

    test("writes it for its user alone, and over nothing", async () => {
      expect(await run("bundle.json")).toBe(0);
      const file = join(folder, "bundle.json");
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const text = await readFile(file, "utf8");
      expect(JSON.parse(text)).toHaveProperty("about.antiphon");
      expect(text).not.toContain(PLANTED);
      await expect(run("bundle.json")).rejects.toThrow("cannot be written");
      await expect(run()).rejects.toThrow("takes FILE");
    });
  });
});
