// One process looks into another one over Redis: sealed, kept nowhere, in pieces, given up by whoever leaves.

import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FarLooks } from "../../../services/admin/far-looks.ts";
import { LookDoor } from "../../../services/admin/look-door.ts";
import type { LookConfig } from "../../../services/admin/look-words.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { systemClock as clock } from "../../../services/runtime/clock.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const PATIENT = { timeoutMs: 30_000 };

eachServer((_name, url) => {
  const opened: RedisClient[] = [];
  let keys: Keys;
  let config: LookConfig & { leaseMs: number };
  let door: LookDoor;

  const open = (purpose: "commands" | "subscriber"): RedisClient => {
    const client = openRedis({ url: url(), name: "looks-test", purpose, onState: () => {} });
    opened.push(client);
    return client;
  };
  const asker = (other: Partial<LookConfig> = {}): FarLooks => {
    const subscriber = (): RedisClient => open("subscriber");
    return new FarLooks({ config: { ...config, ...other }, client: open("commands"), subscriber, keys, clock });
  };

  beforeEach(async () => {
    const namespace = `l${randomUUID()}`;
    keys = new Keys(namespace, 0);
    config = { adminToken: "a-secret-of-admins", adminTokens: [], namespace, dev: false, leaseMs: 6000 };
    const [client, subscriber] = [open("commands"), open("subscriber")];
    Object.assign(subscriber.options, { autoResubscribe: false }); // as beside the bus
    door = new LookDoor({ config, mode: "worker", client, subscriber, keys, clock });
    await door.start();
    const far = asker();
    await waitFor(async () => (await far.processes().catch(() => [])).length === 1, PATIENT);
  });
  afterEach(async () => {
    await door.stop();
    await Promise.all(opened.splice(0).map((client) => closeRedis(client)));
  });

  const profile = async (far: FarLooks, gone = new AbortController().signal): Promise<string> =>
    text(await far.profile(door.process, { thread: "main", seconds: 1, gone }));

  test("it is found, tells its threads, and a profile of it comes whole", async () => {
    const far = asker();
    expect(await far.processes()).toMatchObject([{ process: door.process, mode: "worker" }]);
    expect((await far.threads(door.process))[0]).toEqual({ thread: "main", title: "main" });
    expect(JSON.parse(await profile(far))).toHaveProperty("nodes");
    await expect(far.snapshot(door.process, { thread: "999", anyway: false })).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: /no thread 999/,
    });
  });

  test("whoever has another secret, or none, is not heard and finds nobody", async () => {
    expect(await asker({ adminToken: "somebody else's" }).processes()).toEqual([]);
    const alone = asker({ adminToken: undefined });
    expect(await alone.processes()).toEqual([]);
    await expect(alone.threads(door.process)).rejects.toMatchObject({ code: "NOT_FOUND", message: /no admin token/ });
  });

  test("who listens beside them learns nothing, and nothing is kept", async () => {
    const spy = open("subscriber");
    const heard: Buffer[] = [];
    spy.on("smessageBuffer", (_channel: Buffer, message: Buffer) => heard.push(message));
    await spy.ssubscribe(keys.looks());
    const far = asker();
    await profile(far);
    expect(heard.length).toBeGreaterThan(1);
    expect(Buffer.concat(heard).toString("latin1")).not.toMatch(/kind|thread|main/);
    expect(await open("commands").keys(`${keys.tag}*`)).toEqual([]);
    // Said once more by somebody who heard it, nothing is done again.
    const again = heard.splice(0);
    for (const message of again) await open("commands").spublish(keys.looks(), message);
    await waitFor(() => heard.length === again.length, PATIENT);
    expect(await far.threads(door.process)).not.toEqual([]);
  });

  test("after a gap in their connections they hear each other again", async () => {
    const far = asker();
    expect(await far.processes()).toHaveLength(1);
    for (const client of opened) client.disconnect(true);
    await waitFor(async () => (await far.processes().catch(() => [])).length === 1, PATIENT);
    expect(await far.threads(door.process)).not.toEqual([]);
  });

  test("one at a time; whoever leaves ends what they asked for", async () => {
    const [first, second] = [asker(), asker()];
    const leaving = new AbortController();
    const gone = leaving.signal;
    let isRefused = true;
    const begin = (): void => {
      isRefused = false;
      first.profile(door.process, { thread: "main", seconds: 60, gone }).catch(() => (isRefused = true));
    };
    await waitFor(async () => {
      // Whoever looks whether somebody is at it may be in their way.
      if (isRefused) begin();
      const answer = await second.threads(door.process).then(
        () => "free",
        (error: { code?: string }) => error.code,
      );
      return answer === "TOO_MANY_REQUESTS";
    }, PATIENT);
    leaving.abort();
    await waitFor(() => second.threads(door.process).then(Boolean, () => false), PATIENT);
    expect(JSON.parse(await profile(second))).toHaveProperty("nodes");
  });
});
