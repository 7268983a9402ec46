// The admin site is loaded piece by piece: whoever shares its thread, as a master that must renew a Lease, goes on meanwhile.

import { randomUUID } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterEach, expect, test } from "vitest";
import { lazyAdmin } from "../../../services/admin/lazy.ts";
import type { LookDoor } from "../../../services/admin/look-door.ts";
import { readConfig } from "../../../services/config/read.ts";
import { adminServer } from "../../../services/http/admin.ts";
import type { LazySite } from "../../../services/http/lazy-site.ts";
import type { HttpServer } from "../../../services/http/server.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { testRedis } from "../../support/redis.ts";

const SECRET = "secret-of-admin-0123456789";
const ALL_WELL = { live: () => [], ready: () => [], serving: () => [] };

let server: HttpServer | undefined;
let site: LazySite | undefined;
afterEach(async () => {
  await site?.stop(2_000);
  await server?.stop(1_000);
});

test("others have their turn while it is loaded, and it answers then", async () => {
  const env = {
    REDIS_URL: (await testRedis()).url,
    ANTIPHON_NAMESPACE: `s${randomUUID()}`,
    ANTIPHON_ADMIN_TOKEN: SECRET,
  };
  const config = await readConfig("master", { env, cwd: import.meta.dirname, cores: 2, terminal: false, dev: false });
  const around = { emit: () => {}, random: () => 0.5 };
  const door = { process: "vm:1" } as LookDoor;
  site = lazyAdmin({ config, clock: systemClock, door, ...around });
  server = adminServer({ host: "127.0.0.1", port: 0, health: ALL_WELL, plugins: [site.plugin], ...around });
  await server.start();
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const headers = { authorization: `Bearer ${SECRET}` };
  const answer = await fetch(`http://127.0.0.1:${server.port}/api/queues`, { headers });
  clearInterval(timer);
  delay.disable();
  process.stdout.write(`longest pause while the admin site was loaded: ${Math.round(delay.max / 1e6)} ms\n`);
  expect(await answer.json()).toEqual({ items: [] });
  expect(turns).toBeGreaterThan(10);
});
