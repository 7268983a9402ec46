// `antiphon top`: what it shows, that nothing in it steers a terminal, and that it gives the terminal back.

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Snapshot } from "../../../services/admin/api.ts";
import { duration, frame } from "../../../services/cli/top-frame.ts";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { Bench } from "../../support/broker.ts";
import { testRedis, withServer } from "../../support/redis.ts";
import { endWithThis, spawnNode } from "../../support/spawn.ts";
import { waitFor } from "../../support/wait-for.ts";

const MAIN = new URL("../../../services/main.ts", import.meta.url);
const WAIT = { timeoutMs: 60_000 };
const QUEUE = {
  name: "default",
  ready: 12,
  claimed: 3,
  delayed: 4,
  dead: 5,
  oldestMs: 61_000,
  arrivalsPerSecond: 1.25,
  finishedPerSecond: 2,
  failedPerSecond: 0.5,
  meanRunMs: 20,
  drainSeconds: null,
  paused: true,
  workers: 0,
};
const SNAPSHOT: Snapshot = {
  at: "2026-01-02T03:04:05.000Z",
  redis: { ok: true, detail: "", version: "7.0.15", usedBytes: 3 * 1024 ** 2 },
  totals: { ...QUEUE, arrivalsPerSecond: 1.25, meanRunMs: null },
  queues: [QUEUE],
  pools: [{ name: "heavy", required: 3, workers: 1 }],
  units: [{ unit: "irc/libera", leader: null, epoch: null, heldForMs: null }],
  workers: [{ pod: "pod-1", pool: "heavy", slots: 32, claimed: 3, order: "quiet" }],
  lastErrors: [
    { at: "2026-01-02T03:04:00.000Z", queue: "default", route: "a.b", id: "x", message: "no\u001b[31m\nmore" },
  ],
};
const WIDE = { width: 200, height: 100, headline: "antiphon" };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

test("a frame shows what waits, who works, who leads and what failed", () => {
  const text = frame(SNAPSHOT, WIDE).join("\n");
  expect(text).toMatch(/^ready 12 {2}running 3 {2}delayed 4 {2}dead 5 {2}oldest 1 min$/m);
  expect(text).toMatch(/default +12 +3 +4 +5 +1\.3 +2\.0 +0\.5 +1 min +never +paused, nobody serves it/);
  expect(text).toMatch(/heavy +1 +3/);
  expect(text).toMatch(/pod-1 +heavy +3 +32 +quiet/);
  expect(text).toMatch(/irc\/libera +nobody/);
  expect(text).toMatch(/default +a\.b +no�\[31m$/m);
});

test("a frame fits into its terminal, and says what is left out", () => {
  const queues = Array.from({ length: 50 }, (_, n) => ({ ...QUEUE, name: `queue-${n}-${"x".repeat(100)}` }));
  const lines = frame({ ...SNAPSHOT, queues }, { ...WIDE, width: 40, height: 10 });
  expect(lines).toHaveLength(10);
  expect(lines.at(-1)).toMatch(/^… \d+ more lines$/);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
  expect(frame(undefined, { ...WIDE, headline: "Redis does not answer." })).toEqual(["Redis does not answer."]);
});

test("times are short", () => {
  expect([0.4, 999, 1_500, 90_000, 7_200_000, 1e9].map(duration)).toEqual([
    "0 ms",
    "999 ms",
    "1.5 s",
    "2 min",
    "2 h",
    "12 d",
  ]);
});

async function bench(): Promise<{ bench: Bench; env: Record<string, string> }> {
  const { url } = await testRedis();
  const client = openRedis({ url, name: "top", purpose: "commands", onState: () => {} });
  closers.push(() => closeRedis(client));
  await waitFor(() => client.ping());
  const made = new Bench(client);
  await made.add("x");
  return { bench: made, env: { REDIS_URL: url, ANTIPHON_NAMESPACE: made.namespace } };
}

test("without a terminal it is said once, in plain text, or as JSON", async () => {
  const { env } = await bench();
  const plain = spawnNode(MAIN, { args: ["top"], env });
  expect((await plain.exited).code).toBe(0);
  expect(plain.lines.join("\n")).toMatch(/^ +default +1 +0 /m);
  expect(plain.lines.join("\n")).not.toContain("\u001b");
  const json = spawnNode(MAIN, { args: ["top", "--json"], env });
  expect((await json.exited).code).toBe(0);
  expect(JSON.parse(json.lines[0] ?? "")).toMatchObject({ totals: { ready: 1 } });
}, 60_000);

test("an admin port is asked with the token, and its refusal is a problem", async () => {
  const server = createServer((request, response) => {
    const isKnown = request.headers.authorization === "Bearer right" && request.url === "/ops/api/now";
    response.writeHead(isKnown ? 200 : 401, { "content-type": "application/json" });
    response.end(JSON.stringify(isKnown ? SNAPSHOT : { error: { code: "UNAUTHORIZED", message: "Who?" } }));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  closers.push(() => server.close());
  const args = ["top", "--url", `http://127.0.0.1:${(server.address() as AddressInfo).port}/ops/`];
  const right = spawnNode(MAIN, { args, env: { ANTIPHON_ADMIN_TOKEN: "right" } });
  expect((await right.exited).code).toBe(0);
  expect(right.lines.join("\n")).toContain("pod-1");
  const wrong = spawnNode(MAIN, { args, env: { ANTIPHON_ADMIN_TOKEN: "wrong" } });
  expect((await wrong.exited).code).toBe(1);
  expect(wrong.lines.join("\n")).toContain("token is missing or wrong");
}, 60_000);

withServer("script", () => {
  test.each([["q"], ["\u0003"]])(
    "in a terminal it goes on until %j, and gives the terminal back",
    async (key) => {
      const { bench: made, env } = await bench();
      const line = `${process.execPath} ${MAIN.pathname} top --every 1`;
      const child = endWithThis(spawn("script", ["-qec", line, "/dev/null"], { env: { ...process.env, ...env } }));
      const ended = new Promise<number | null>((done) => void child.once("exit", done));
      let said = "";
      child.stdout?.on("data", (bytes) => (said += String(bytes)));
      await waitFor(() => /default +1 +0 /.test(said), WAIT);
      await made.add("y");
      await waitFor(() => /default +2 +0 /.test(said), WAIT);
      child.stdin?.write(key);
      expect(await ended).toBe(0);
      expect(said.startsWith("\u001b[?1049h")).toBe(true);
      expect(said.trimEnd().endsWith("\u001b[?25h\u001b[?1049l")).toBe(true);
    },
    90_000,
  );
});
