// SIGTERM to a worker with thousands of streams (all ten thousand with DRAINED_STREAMS=10000, where a minute does not matter): each is ended as a stream ends, the process goes, others notice nothing.

import { afterEach, expect, test } from "vitest";
import { openBus } from "../../services/bus/plugin.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { Stream } from "../conformance/bus/stream.ts";
import { Crowd } from "../support/crowd.ts";
import { freePort, testRedis } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { BusSocket } from "../support/bus-socket.ts";
import { waitFor } from "../support/wait-for.ts";

const ROOT = new URL("../../", import.meta.url);
const WANTED = Number(process.env["DRAINED_STREAMS"] ?? 2_500);
/** Descriptors that a process needs for other things. */
const OTHERS = 500;
const READY_MS = 60_000;
const LONG_MS = { timeoutMs: 240_000 };
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** As many as this machine lets a process open. */
function size(): number {
  const { userLimits } = process.report.getReport() as { userLimits: { open_files: { hard: string | number } } };
  const most = Number(userLimits.open_files.hard);
  return Number.isNaN(most) ? WANTED : Math.min(WANTED, most - OTHERS);
}

interface Served {
  readonly node: SpawnedNode;
  readonly port: number;
}

async function serve(redisUrl: string, namespace: string): Promise<Served> {
  const port = await freePort();
  const node = spawnNode(new URL("services/main.ts", ROOT), {
    args: ["worker"],
    env: {
      REDIS_URL: redisUrl,
      ANTIPHON_NAMESPACE: namespace,
      ANTIPHON_HANDLERS: new URL("test/fixtures/bus", ROOT).pathname,
      ANTIPHON_HTTP_PORT: String(port),
      ANTIPHON_HTTP_HOST: "127.0.0.1",
      ANTIPHON_ADMIN_PORT: "0",
      LOG_FORMAT: "json",
    },
  });
  await node.waitForLine("process.started", READY_MS);
  return { node, port };
}

test("each of thousands of streams ends with an empty array, the worker goes, and a reader of another worker hears everything", async () => {
  const [{ url }, namespace] = [await testRedis(), `drain-${randomId()}`];
  const [goes, stays] = await Promise.all([serve(url, namespace), serve(url, namespace)]);
  const bus = await openBus({ url, namespace });
  closers.push(() => bus.close());
  const beside = await BusSocket.open(`http://127.0.0.1:${stays.port}/bus/ws`);
  closers.push(() => beside.socket.terminate());
  await beside.subscribe({ "/a": null });
  const doomed = await BusSocket.open(`http://127.0.0.1:${goes.port}/bus/ws`);
  await doomed.subscribe({ "/a": null });
  const crowd = new Crowd({ port: goes.port, size: size(), channel: "/a" });
  closers.push(() => crowd.leave());
  // Streams end after 25 s and come back, so on a slow machine not all are there at one moment.
  await waitFor(() => crowd.open >= size() * 0.9, { ...LONG_MS, what: "the crowd is there" });
  crowd.stay();
  await bus.publish("/a", "before");
  // Those whose 25 s were over meanwhile have ended well already.
  await waitFor(() => crowd.heard("before") + crowd.endedWell >= size(), { ...LONG_MS, what: "they hear" });
  const exit = goes.node.kill("SIGTERM");
  for (let n = 0; n < 20; n++) await bus.publish("/a", n);
  await waitFor(() => crowd.endedWell === size(), { ...LONG_MS, what: "all have ended well" });
  expect((await doomed.ends()).code).toBe(1001);
  expect(await exit).toMatchObject({ code: 0 });
  await beside.hears("/a", 21);
  expect(beside.dataOf("/a")).toEqual(["before", ...Array.from({ length: 20 }, (_, n) => n)]);
  // They come back to the other one, and go on where they were.
  const again = new Stream(stays.port);
  closers.push(() => again.leave());
  await again.send("/message-bus/crowd0/poll", { "/a": -3 }, {});
  await waitFor(() => again.dataOf("/a").length === 2, LONG_MS);
  expect(again.dataOf("/a")).toEqual([18, 19]);
}, 600_000);
