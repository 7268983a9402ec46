// A master's connections: since when Redis has been there without a break.

import { afterEach, expect, test } from "vitest";
import { MasterRedis } from "../../../services/master/redis.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { type Proxy, startProxy } from "../../support/proxy.ts";
import { testRedis } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

let proxy: Proxy | undefined;
let redis: MasterRedis | undefined;
afterEach(async () => {
  await redis?.stop();
  await proxy?.stop();
});

test("a break of the connection is told, and from its end on Redis has been there", async () => {
  proxy = await startProxy(Number(new URL((await testRedis()).url).port));
  const around = { pod: "pod", leaseCommandMs: 500, clock: systemClock, random: Math.random, emit: () => {} };
  redis = new MasterRedis({ ...around, url: `redis://127.0.0.1:${proxy.port}` });
  let outages = 0;
  redis.onOutage(() => outages++);
  expect(redis.thereSince).toBeUndefined();
  const first = await waitFor(() => redis?.thereSince);
  const before = outages;
  await proxy.refuse();
  await waitFor(() => redis?.thereSince === undefined);
  expect(outages).toBeGreaterThan(before);
  await proxy.mend();
  expect(await waitFor(() => redis?.thereSince)).toBeGreaterThan(first);
});
