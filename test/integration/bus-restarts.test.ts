// Servers of the bus that are killed by SIGKILL and come back, and processes that are killed while they publish: whoever
// reads goes on where it stood, in Redis and in Postgres alike.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type MessageBus, openBus, type OpenBusOptions } from "../../services/bus/plugin.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { KeptRedis } from "../chaos/voice/kept-redis.ts";
import { startPostgres, withPostgres } from "../support/postgres.ts";
import { withServer } from "../support/redis.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const LONG_MS = { timeoutMs: 60_000 };
const SPEAKER = new URL("bus-speaker.ts", import.meta.url);

interface MortalServer {
  readonly url: string;
  kill(): Promise<void>;
  comeBack(): Promise<void>;
  stop(): Promise<void>;
}

describe("redis-server", () => {
  withServer("redis-server", () => suite("redis", () => KeptRedis.start("always")));
});

describe("postgres", () => {
  withPostgres(() => suite("postgres", () => startPostgres()));
});

function suite(backend: "redis" | "postgres", start: () => Promise<MortalServer>): void {
  const closers: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  async function started(): Promise<MortalServer> {
    const server = await start();
    closers.push(() => server.stop());
    return server;
  }

  async function open(options: OpenBusOptions): Promise<MessageBus> {
    const bus = await openBus({ backend, ...options });
    closers.push(() => bus.close());
    return bus;
  }

  function speaker(mode: "say" | "hear", { url, namespace }: { url: string; namespace: string }): SpawnedNode {
    return spawnNode(SPEAKER, { args: [mode, backend, url, namespace] });
  }

  test("a server that is killed and comes back, three times: every reader hears everything, once and in order", async () => {
    const server = await started();
    const namespace = `r${randomId()}`;
    const [here, there] = [await open({ url: server.url, namespace }), await open({ url: server.url, namespace })];
    const readers: { readonly heard: unknown[]; readonly gaps: unknown[] }[] = [];
    for (const bus of [here, there, there]) {
      const reader = { heard: [] as unknown[], gaps: [] as unknown[] };
      await bus.subscribe("/a", ({ data }) => void reader.heard.push(data), {
        onGap: (head) => reader.gaps.push(head),
      });
      readers.push(reader);
    }
    let said = 0;
    const say = (count: number): Promise<unknown> =>
      Promise.all(Array.from({ length: count }, () => here.publish("/a", said++)));
    for (let kill = 0; kill < 3; kill++) {
      await say(20);
      const last = say(20);
      await server.kill();
      await last;
      await say(5);
      await server.comeBack();
      await waitFor(() => here.diagnostics().waiting === 0, LONG_MS);
    }
    await waitFor(() => readers.every(({ heard }) => heard.length >= said), LONG_MS);
    const all = Array.from({ length: said }, (_, n) => n);
    for (const { heard, gaps } of readers) expect([heard, gaps]).toEqual([all, []]);
  });

  test("processes that publish are killed, and so is the server: what they were told is stored is heard by others, once", async () => {
    const server = await started();
    const at = { url: server.url, namespace: `r${randomId()}` };
    const hearing = speaker("hear", at);
    await hearing.waitForLine("hearing", 60_000);
    const stored: string[] = [];
    for (const isServerKilled of [false, true]) {
      const saying = speaker("say", at);
      const said = (): string[] =>
        saying.lines.filter((line) => line.startsWith("stored ")).map((line) => line.slice(7));
      await waitFor(() => said().length > 30, LONG_MS);
      if (isServerKilled) {
        await server.kill();
        await server.comeBack();
        const before = said().length;
        await waitFor(() => said().length > before + 10, LONG_MS);
      }
      await saying.kill("SIGKILL");
      stored.push(...said());
    }
    const heard = (): string[] =>
      hearing.lines.filter((line) => line.startsWith("heard ")).map((line) => line.slice(6));
    await waitFor(() => stored.every((line) => heard().includes(line)), LONG_MS);
    expect(new Set(heard()).size).toBe(heard().length);
    expect(heard().filter((line) => stored.includes(line))).toEqual(stored);
    expect(hearing.lines).not.toContain("gap");
  });

  test("a page that polls is refused with 503 while the server is away, and goes on from its position", async () => {
    const server = await started();
    const bus = await open({ url: server.url, namespace: `r${randomId()}`, access: "open" });
    const http = createServer((request, response) => bus.handler(request, response));
    await new Promise<void>((done) => http.listen(0, "127.0.0.1", done));
    closers.push(() => new Promise((done) => http.close(done)));
    const { port } = http.address() as AddressInfo;
    const poll = (from: number): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}/message-bus/page/poll?dlp=t`, {
        method: "POST",
        headers: { "content-type": "application/json", connection: "close" },
        body: JSON.stringify({ "/a": from }),
      });
    await bus.publish("/a", 1);
    const id = await bus.lastId("/a");
    await bus.publish("/a", 2);
    await server.kill();
    const retryAfter = await waitFor(async () => {
      const refused = await poll(id);
      await refused.arrayBuffer();
      return refused.status === 503 && refused.headers.get("retry-after");
    }, LONG_MS);
    expect(Number(retryAfter)).toBeGreaterThan(0);
    await server.comeBack();
    const answer = await waitFor(async () => {
      const again = await poll(id);
      const body = await again.text();
      return again.status === 200 && (JSON.parse(body) as unknown[]);
    }, LONG_MS);
    expect(answer).toMatchObject([{ channel: "/a", data: 2 }]);
  });
}
