// Servers that do not want us: each is told in a sentence that says what to do, whether it spoke before we asked or after.

import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openQueue } from "../../../services/queue/queue.ts";
import { closeRedis, openRedis, type RedisClient, unusable } from "../../../services/redis/connect.ts";
import { startRedisServer, withServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const PATIENT = { timeoutMs: 30_000 };
const DENIED =
  "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set.\r\n";

const ends: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation(() => {}); // ioredis says so itself
});
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

function open(url: string): { client: RedisClient; states: string[] } {
  const states: string[] = [];
  const onState = (state: string, detail = ""): number => states.push(`${state}: ${detail}`);
  const client = openRedis({ url, name: "test", purpose: "commands", onState });
  ends.push(() => closeRedis(client));
  return { client, states };
}

async function serve(meet: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => {});
    meet(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  ends.push(async () => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Says so, as Redis does, to whoever comes, and hangs up. */
const sayAndClose = (said: string) => serve((socket) => socket.end(said, () => socket.destroy()));

/** Answers each command by its name. */
function speak(answer: (command: string) => string): Promise<string> {
  return serve((socket) => {
    socket.setEncoding("latin1");
    socket.on("data", (sent: string) => {
      for (const [, command = ""] of sent.matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g))
        socket.write(answer(command.toUpperCase()));
    });
  });
}

async function lastState(url: string, expected: RegExp): Promise<void> {
  const { client, states } = open(url);
  await waitFor(() => expected.test(states.at(-1) ?? ""), PATIENT);
  // It stays so: the tries that follow tell nothing else.
  const told = states.length;
  let closed = 0;
  client.on("close", () => closed++);
  await waitFor(() => closed >= 3, PATIENT);
  expect(states.slice(told)).toEqual([]);
}

const PROTECTED = /^unfit: It is in protected mode: .*Remedy: give it one \(requirepass\).*protected-mode no\.$/;

test("protected mode is told with its remedy, and not as a connection that broke", async () => {
  await lastState(`redis://${await sayAndClose(DENIED)}`, PROTECTED);
});

withServer("redis-server", () => {
  // Where this machine has no other address, the words above stand for it.
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all);
  const outside = addresses.filter(({ internal, family }) => !internal && family === "IPv4").slice(0, 1);
  for (const { address } of outside)
    test("a real server in protected mode, asked from outside, is told as such", async () => {
      const server = await startRedisServer(["--bind", "0.0.0.0", "--protected-mode", "yes"]);
      ends.push(() => server.stop());
      await lastState(`redis://${address}:${server.port}`, PROTECTED);
      const failed = openQueue({ url: `redis://${address}:${server.port}` });
      await expect(failed).rejects.toMatchObject({
        code: "REDIS_UNFIT",
        message: expect.stringContaining("protected mode") as string,
      });
    });

  test("a password that is missing is told as missing", async () => {
    const server = await startRedisServer();
    ends.push(() => server.stop());
    await open(server.url).client.config("SET", "requirepass", "secret");
    const { client } = open(server.url);
    const failure: unknown = await client.ping().catch((error: unknown) => error);
    expect(await unusable(client, failure)).toMatchObject({ code: "REDIS_UNFIT" });
    await lastState(
      server.url,
      /^unfit: It wants a password, and REDIS_URL has none\. Remedy: .*redis:\/\/user:password@host/,
    );
  });
});

test("a server whose connections are all taken is told as such", async () => {
  await lastState(
    `redis://${await sayAndClose("-ERR max number of clients reached\r\n")}`,
    /^away: It has as many connections as it takes\. Remedy: raise its maxclients/,
  );
});

test("one that hangs up without a word is asked about TLS", async () => {
  await lastState(`redis://${await sayAndClose("")}`, /^away: It closed the connection before it answered.*rediss/);
});

test("a server older than Redis 6 is told as too old, with and without a password", async () => {
  const answers: Readonly<Record<string, string>> = {
    HELLO: "-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n",
    INFO: bulk("redis_version:5.0.14\r\nmaxmemory_policy:noeviction\r\nrole:master\r\nloading:0\r\n"),
  };
  const { states } = open(`redis://${await speak((command) => answers[command] ?? "+OK\r\n")}`);
  await waitFor(() => states.at(-1)?.startsWith("unfit: It is Redis 5.0.14. Remedy: use Redis 7.0"), PATIENT);
  const url = await speak(() => "-NOAUTH Authentication required.\r\n");
  await lastState(`redis://:secret@${url}`, /^unfit: It does not know how users log in since Redis 6\. Remedy: use/);
});

test("whoever asks at once hears the reason, too", async () => {
  const { client } = open(`redis://${await sayAndClose(DENIED)}`);
  const failure: unknown = await client.ping().catch((error: unknown) => error);
  expect(await unusable(client, failure)).toMatchObject({ code: "REDIS_UNFIT" });
});

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
