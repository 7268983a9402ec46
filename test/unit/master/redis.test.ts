// A master's connections: since when Redis has been there without a break, and why it is of no use.

import { afterEach, expect, test } from "vitest";
import { masterHealth } from "../../../services/master/health.ts";
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

test("a Redis that wants another password is told with the remedy at /readyz, for each connection", async () => {
  const { port } = new URL((await testRedis()).url);
  const around = { pod: "pod", leaseCommandMs: 500, clock: systemClock, random: Math.random, emit: () => {} };
  redis = new MasterRedis({ ...around, url: `redis://nobody:of-here@127.0.0.1:${port}` });
  const { ready } = masterHealth({
    redis,
    leaders: () => [],
    adapters: () => [],
    stands: () => false,
    stopping: new AbortController().signal,
    clock: systemClock,
  });
  const refused = /^unfit: It refused the user or password \(WRONGPASS.*Remedy: correct REDIS_URL\.$/s;
  const connections = () => ready().filter(({ name }) => name.startsWith("redis ("));
  await waitFor(
    () => connections().length === 3 && connections().every(({ ok, detail }) => !ok && refused.test(detail)),
  );
  expect(JSON.stringify(ready())).not.toContain("of-here");
});
