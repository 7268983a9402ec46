// What commands change is in the audit log in the name of whoever typed it, and `antiphon audit` reads it.

import { randomUUID } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseWords } from "../../../services/cli/command.ts";
import { findCommand } from "../../../services/cli/commands.ts";
import { readConfig } from "../../../services/config/read.ts";
import type { Entry } from "../../../services/admin/audit.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

eachServer((_name, getUrl) => {
  let client: RedisClient;
  let namespace = "";
  beforeAll(async () => {
    client = openRedis({ url: getUrl(), name: "cli-audit", purpose: "commands", onState: () => {} });
    await waitFor(() => client.ping());
  });
  afterAll(() => closeRedis(client));
  beforeEach(() => {
    namespace = `t${randomUUID()}`;
  });

  async function antiphon(args: readonly string[], printed: string[] = [], stopping = new AbortController().signal) {
    const [name = "", ...rest] = args;
    const command = await findCommand(name);
    const env = { REDIS_URL: getUrl(), ANTIPHON_NAMESPACE: namespace };
    const around = { env, cwd: import.meta.dirname, cores: 2, terminal: false, dev: false };
    const code = await command.run({
      ...parseWords(command, rest),
      ...around,
      stopping,
      print: (line) => void printed.push(line),
      ready: () => {},
      readConfig: (purpose) => readConfig(purpose, around),
    });
    return { code, printed };
  }

  const log = async (...args: readonly string[]): Promise<Entry[]> =>
    (await antiphon(["audit", "--json", ...args])).printed.map((line) => JSON.parse(line) as Entry);

  test("each change by a command is there, with what came of it; looking is not", async () => {
    await antiphon(["queue", "pause", "default", "--key", "ann"]);
    await antiphon(["queue", "ls", "--json"]);
    await antiphon(["queue", "limit", "default", "--concurrency", "3", "--json"]);
    await antiphon(["job", "delete", "nosuchid"]);
    await antiphon(["dead", "purge", "--all"]);
    await antiphon(["doctor", "--repair"]);
    await antiphon(["doctor"]);
    await expect(antiphon(["cron", "pause", "nosuch"])).rejects.toThrow();
    await expect(antiphon(["worker", "stop", "gone"])).resolves.toMatchObject({ code: 1 });
    const entries = await log();
    expect(entries.map(({ action, target, outcome }) => `${action} ${target} ${outcome}`)).toEqual([
      'queue.pause default {"key":"ann"} done',
      'queue.limit default {"concurrency":"3"} done',
      "job.delete nosuchid refused",
      'dead.purge {"all":true} done',
      'doctor.repair {"repair":true} done',
      "schedule.pause nosuch failed",
      "worker.stop gone refused",
    ]);
    for (const entry of entries)
      expect(entry).toMatchObject({ who: userInfo().username, way: "cli", role: "admin", from: hostname(), status: 0 });
  });

  test("what is enqueued is not told, for it may be anybody's", async () => {
    await expect(antiphon(["job", "enqueue", "nosuch", "--input", '{"name":"Ann"}'])).rejects.toThrow();
    expect(JSON.stringify(await log())).not.toContain("Ann");
  });

  test("a change that cannot be told is not made", async () => {
    await client.set(`${new Keys(namespace, 0).audit()}:open`, "no set");
    await expect(antiphon(["queue", "pause", "default"])).rejects.toThrow();
    const { printed } = await antiphon(["queue", "show", "default", "--json"]);
    expect(JSON.parse(printed[0] ?? "")).toMatchObject({ pauses: [] });
  });

  test("people read lines, as many as they want, which cannot steer their terminal", async () => {
    for (const name of ["one", "two\u001b[31m", "three"]) await antiphon(["queue", "pause", name]);
    const { printed } = await antiphon(["audit", "--limit", "2"]);
    expect(printed).toEqual([expect.stringContaining("queue.pause  two�[31m"), expect.stringContaining("three")]);
    expect((await log("--limit", "1")).map(({ target }) => target)).toEqual(["three"]);
  });

  test("--follow goes on with what happens until it is stopped", async () => {
    const stop = new AbortController();
    const printed: string[] = [];
    await antiphon(["queue", "pause", "before"]);
    const following = antiphon(["audit", "--follow"], printed, stop.signal);
    await waitFor(() => printed.length === 1);
    for (const name of ["a", "b", "c"]) await antiphon(["queue", "pause", name]);
    await waitFor(() => printed.length === 4);
    stop.abort();
    expect(await following).toMatchObject({ code: 0 });
    expect(printed.map((line) => line.split("queue.pause  ")[1])).toEqual(["before", "a", "b", "c"]);
  });
});
