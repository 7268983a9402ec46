// What Redis knows of a thread's routes, and that an empty Redis is told again.

import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { readJobPlaces, readJobs, readRoutes, registerRoutes } from "../../../services/broker/routes.ts";
import { Manifest } from "../../../services/handlers/manifest.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { defineHandler, job } from "../../../services/sdk/index.ts";
import type { HandlerShape } from "../../../services/sdk/routes.ts";
import { Registry } from "../../../services/worker/registry.ts";
import { Bench } from "../../support/broker.ts";
import { testRedis } from "../../support/redis.ts";

const handler = defineHandler({
  name: "ships",
  routes: (r) => ({
    ship: r.job(job("ship", z.string(), { queue: "ships" }), { concurrency: 3, run: () => {} }),
    hook: r.post("/hook", { run: () => {} }),
  }),
}) as unknown as HandlerShape;
const manifest = new Manifest([{ file: "ships.ts", shape: handler, builtin: false, config: undefined }]);

let client: RedisClient;
beforeAll(async () => {
  client = openRedis({ url: (await testRedis()).url, name: "registry", purpose: "commands", onState: () => {} });
});
afterAll(() => closeRedis(client));

test("an empty server is told all of it again, also where it has given the numbers to others", async () => {
  const { context } = new Bench(client);
  const { keys } = context;
  const patience = { clock: systemClock, random: Math.random, isStopped: () => false };
  const registry = new Registry(context, manifest, patience);
  await registry.write();
  expect(Object.fromEntries(registry.numbers)).toEqual({ "ships.ship": 1, "ships.hook": 2 });
  const limits = await client.hgetall(keys.limits());
  expect(Object.keys(limits)).toHaveLength(1);

  await client.del(keys.routes(), keys.jobs(), keys.jobPlaces(), keys.limits());
  await registerRoutes(context, ["tides.tick"]);
  await registry.write();
  expect(Object.fromEntries(registry.numbers)).toEqual({ "ships.ship": 2, "ships.hook": 3 });
  expect([...(await readRoutes(context)).values()].sort()).toEqual(["ships.hook", "ships.ship", "tides.tick"]);
  expect(await readJobs(context)).toEqual(new Map([["ship", "ships.ship"]]));
  expect(await readJobPlaces(context)).toEqual(new Map([["ship", { queue: "ships" }]]));
  expect(Object.values(await client.hgetall(keys.limits()))).toEqual(Object.values(limits));
});
