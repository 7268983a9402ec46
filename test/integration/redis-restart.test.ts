// Redis is killed and comes back: with its append-only file everything is there; empty, workers register again and go on.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { queueDepth } from "../../services/broker/depth.ts";
import { editDelivery } from "../../services/broker/jobs.ts";
import { pause, resume } from "../../services/broker/pauses.ts";
import { Lab } from "../support/handling.ts";
import { freePort, type RedisServer, startRedisServer, withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

withServer("redis-server", () => {
  let folder: string;
  let port: number;
  let server: RedisServer;
  let lab: Lab;

  const start = (): Promise<RedisServer> =>
    startRedisServer(["--port", `${port}`, "--dir", folder, "--appendonly", "yes", "--appendfsync", "always"]);
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "antiphon-aof-"));
    port = await freePort();
    server = await start();
    lab = new Lab(server.url);
  });
  afterEach(async () => {
    await lab.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const wait = (done: () => boolean | Promise<boolean>, what: string): Promise<unknown> =>
    waitFor(async () => done(), { what, timeoutMs: 20_000 });
  const depth = () => queueDepth(lab.broker, "default");

  test("with its append-only file: what ran, waited, was delayed, held, paused or dead is there, and ends once", async () => {
    await lab.work();
    await lab.enqueue("hold", "running");
    await lab.enqueue("short", "dead", { ms: 60_000 });
    const later = await lab.enqueue("note", "later", { delayMs: 3_600_000 });
    await lab.enqueue("note", "held", { after: [later] });
    await pause(lab.broker, "default", { kind: "key", key: "p" });
    for (const name of ["p1", "p2"]) await lab.enqueue("note", name, { key: "p", header: { key: "p" } });
    await lab.enqueue("hold", "x".repeat(5000), { key: "k" });
    await lab.enqueue("note", "behind", { key: "k" });
    const expected = { delayed: 1, held: 1, paused: 2, dead: 1, stored: 8 };
    const isThere = async (): Promise<boolean> => {
      const now = await depth().catch(() => undefined);
      return now !== undefined && JSON.stringify({ ...now, ...expected }) === JSON.stringify(now);
    };
    const allIsThere = (): Promise<unknown> =>
      wait(isThere, "all of it").catch(async () => expect(await depth()).toMatchObject(expected));
    await allIsThere();
    await server.stop();
    server = await start();
    await allIsThere();
    await editDelivery(lab.broker, later, { delayMs: 0 });
    lab.openGate();
    await resume(lab.broker, "default", { kind: "key", key: "p" });
    await wait(async () => (await depth()).stored === 1, "all has ended but the dead letter");
    expect(lab.lines.filter((line) => line.startsWith("note")).toSorted()).toEqual(
      ["behind", "held", "later", "p1", "p2"].map((name) => `note ${name}`),
    );
    expect(lab.lines.indexOf("note held")).toBeGreaterThan(lab.lines.indexOf("note later"));
    expect(lab.lines.filter((line) => line.startsWith("held ")).length).toBe(2);
    expect(await depth()).toMatchObject({ dead: 1 });
  });

  test("empty: a worker registers again by itself, tells its routes, and runs what comes", async () => {
    const worker = await lab.work();
    await lab.enqueue("note", "before");
    await wait(() => lab.lines.includes("note before"), "a first one");
    const registered = (): number => worker.told.filter(({ name }) => name === "worker.registered").length;
    const known = registered();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
    folder = mkdtempSync(join(tmpdir(), "antiphon-aof-"));
    server = await start();
    await wait(() => registered() >= known + 2, "chat and default are registered again");
    await wait(async () => (await depth().catch(() => undefined)) !== undefined, "the test's own connection");
    await lab.enqueue("note", "after");
    await wait(() => lab.lines.includes("note after"), "one after the restart");
    expect(lab.lines).toEqual(["note before", "note after"]);
  });
});
