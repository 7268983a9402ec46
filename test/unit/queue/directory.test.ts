// The directory of jobs: what a deploy changes is known after a while, what nobody knows is not looked up at each call.

import { afterAll, beforeAll, expect, test } from "vitest";
import { registerJobs, registerRoutes } from "../../../services/broker/routes.ts";
import { Directory } from "../../../services/queue/directory.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { Bench } from "../../support/broker.ts";
import { testRedis } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

let client: RedisClient;
let now = 0;

beforeAll(async () => {
  client = openRedis({ url: (await testRedis()).url, name: "directory", purpose: "commands", onState: () => {} });
});
afterAll(() => closeRedis(client));

test("a job that a deploy gives to another route goes there within ten seconds", async () => {
  const { context } = new Bench(client);
  const directory = new Directory(context, { ...systemClock, monotonic: () => now });
  await registerRoutes(context, ["old.make", "new.make"]);
  await registerJobs(context, new Map([["make", "old.make"]]));
  const routeOf = async (): Promise<string> => (await directory.find("make")).route.id;
  expect(await routeOf()).toBe("old.make");
  await registerJobs(context, new Map([["make", "new.make"]]));
  now += 9000;
  expect(await routeOf()).toBe("old.make");
  now += 2000;
  await waitFor(async () => (await routeOf()) === "new.make");
});

test("a job that is known by name alone waits where its contract says, until the contract says nothing any more", async () => {
  const { context } = new Bench(client);
  const directory = new Directory(context, { ...systemClock, monotonic: () => now });
  await registerRoutes(context, ["media.run"]);
  const routes = new Map([["encode", "media.run"]]);
  const tell = (place: { queue?: string; tag?: string; class?: 2 }): Promise<void> =>
    registerJobs(context, routes, new Map([["encode", place]]));
  await tell({ queue: "media", tag: "gpu", class: 2 });
  const place = { queue: "media", tag: "gpu", class: 2 };
  expect((await directory.find("encode")).job).toMatchObject({ name: "encode", ...place });
  expect((await directory.find("media.run")).job).toMatchObject({ name: "encode", ...place });
  await tell({});
  now += 10_001;
  await waitFor(async () => (await directory.find("encode")).job.queue === undefined);
  expect(await client.exists(context.keys.jobPlaces())).toBe(0);
});

test("a name that nobody knows is looked up once a second", async () => {
  const { context } = new Bench(client);
  const directory = new Directory(context, { ...systemClock, monotonic: () => now });
  await expect(directory.find("late")).rejects.toMatchObject({ code: "ROUTE_UNKNOWN" });
  await registerRoutes(context, ["late"]);
  await expect(directory.find("late")).rejects.toMatchObject({ code: "ROUTE_UNKNOWN" });
  now += 1001;
  expect((await directory.find("late")).route.id).toBe("late");
});
