// A handler behaves alike in the test kit, which runs it in the test's own thread, and in a worker with threads of its own.

import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { BrokerContext } from "../../services/broker/connection.ts";
import { deadLetters } from "../../services/broker/dead.ts";
import { readHistory } from "../../services/broker/history.ts";
import { unfinished } from "../../services/broker/inspect.ts";
import { readConfig } from "../../services/config/read.ts";
import { closeRedis, openRedis } from "../../services/redis/connect.ts";
import { Keys } from "../../services/redis/keys.ts";
import { signatureHeaders } from "../../services/sdk/hmac.ts";
import { type Line, testBot } from "../../services/testing/bot.ts";
import { brokerOf } from "../../services/testing/inside.ts";
import { sharedServer } from "../../services/testing/server.ts";
import { readSessions } from "../../services/testing/web-lines.ts";
import { startWorker } from "../../services/worker/worker.ts";
import alike from "../fixtures/handlers/alike.ts";
import { waitFor } from "../support/wait-for.ts";

const SETTINGS = { greeting: "Hello", secret: "s3cret" };
const GROUPS = { keepers: ["web:ann"] };
const SAID: readonly (readonly [who: "ann" | "bob", text: string])[] = [
  ["ann", "antiphon echo to all"],
  ["bob", "!add 1 2"],
  ["bob", "antiphon add one two"],
  ["bob", "antiphon add 1"],
  ["ann", "antiphon describe"],
  ["ann", "antiphon grow"],
  ["ann", "antiphon secret"],
  ["bob", "antiphon secret"],
  ["bob", "apples and pears"],
  ["ann", "antiphon fail"],
  ["ann", "antiphon careless"],
  ["ann", "antiphon stop"],
  ["ann", "antiphon thrown"],
  ["ann", "antiphon later"],
  ["ann", "antiphon unable"],
  ["ann", "antiphon wrok core"],
  ["ann", "antiphon work core"],
  ["ann", "antiphon help add"],
];
const POSTED = [
  { path: "/alike/ship?by=ann", body: '{"n": "7"}' },
  { path: "/alike/boat", body: '{"n": 8}' },
  { path: "/alike/raft", body: '{"n": "many"}' },
  { path: "/alike/wreck", body: "{" },
];

interface World {
  say(who: "ann" | "bob", text: string): Promise<void>;
  post(path: string, body: string): Promise<number>;
  /** Nothing is left, also not for later. */
  over(): Promise<void>;
  readonly broker: BrokerContext;
  stop(): Promise<void>;
}

async function kit(): Promise<World> {
  const bot = await testBot({ handlers: [alike], config: { alike: SETTINGS }, groups: GROUPS });
  bot.expectFailure(/./);
  const people = { ann: bot.user("ann"), bob: bot.user("bob") };
  const headers = { "content-type": "application/json" };
  return {
    say: async (who, text) => void (await people[who].in("web:ops").say(text)),
    post: async (path, body) => (await bot.http.post(path, { body, headers, sign: true })).status,
    over: async () => {
      await bot.settled();
      await bot.clock.advance("10m");
    },
    broker: brokerOf(bot),
    stop: () => bot.stop(),
  };
}

async function realWorker(): Promise<World> {
  const { url } = await sharedServer();
  const namespace = `alike-${randomUUID()}`;
  const cwd = fileURLToPath(new URL("../../services/testing/", import.meta.url));
  const env = {
    REDIS_URL: url,
    ANTIPHON_NAMESPACE: namespace,
    ANTIPHON_HANDLERS: fileURLToPath(new URL("../fixtures/handlers/alike.ts", import.meta.url)),
    ANTIPHON_HANDLER_ALIKE_GREETING: SETTINGS.greeting,
    ANTIPHON_HANDLER_ALIKE_SECRET: SETTINGS.secret,
    ANTIPHON_WEB_TOKEN: "ann=a1,bob=b1",
    ANTIPHON_HTTP_HOST: "127.0.0.1",
    ANTIPHON_HTTP_PORT: "0",
    ANTIPHON_ADMIN_HOST: "127.0.0.1",
    ANTIPHON_ADMIN_PORT: "0",
    ANTIPHON_DRAIN_MS: "500",
    LOG_LEVEL: "error",
  };
  const config = {
    ...(await readConfig("worker", { env, cwd, cores: 2, terminal: false, dev: false })),
    groups: GROUPS,
  };
  const died = (error: Error): void => expect.fail(String(error));
  const worker = startWorker({ config, cwd, pod: "real", emit: () => {}, died });
  const { httpPort } = await worker.ready;
  const client = openRedis({ url, name: "test", purpose: "commands", onState: () => {} });
  const broker = { client, keys: new Keys(namespace, 0) };
  const send = async (path: string, body: string, headers: Record<string, string>): Promise<number> => {
    const all = { "content-type": "application/json", connection: "close", ...headers };
    return (await fetch(`http://127.0.0.1:${httpPort}${path}`, { method: "POST", body, headers: all })).status;
  };
  return {
    say: async (who, text) => {
      const token = { ann: "a1", bob: "b1" }[who];
      const line = JSON.stringify({ text });
      // A worker that has lost Redis for a moment refuses with 503: then it is said again.
      const isTaken = async (): Promise<boolean> =>
        (await send("/chat/ops/messages", line, { authorization: `Bearer ${token}` })) === 202;
      await waitFor(isTaken, { timeoutMs: 60_000, what: `"${text}" is taken` });
    },
    post: (path, body) => {
      const way = { header: "x-signature", format: "hex" } as const;
      const signed = { body: Buffer.from(body), secret: SETTINGS.secret, nowMs: Date.now() };
      return send(path, body, signatureHeaders(way, signed));
    },
    over: async () => {
      await waitFor(
        async () => {
          const { ready, due, nextMs, claimed } = await unfinished(broker);
          return ready === 0 && due === 0 && nextMs === null && claimed.length === 0;
        },
        { timeoutMs: 30_000 },
      );
    },
    broker,
    stop: async () => {
      await worker.stop();
      await closeRedis(client);
    },
  };
}

/** Ids and times are nobody's behaviour. */
function plain(text: string): string {
  return text.replace(/error [0-9a-z]{6}\b/, "error ~").replaceAll(/[0-9A-Za-z]{22}@/g, "~@");
}

function said({ room, from, isBot, text, edits }: Line): string {
  return [room, isBot ? "bot" : from, plain(text), ...edits.map((edit) => `before: ${edit}`)].join(" | ");
}

function ran(line: string): unknown {
  const { kind, routes, outcome, notes, attempt, error, result } = JSON.parse(line) as Record<string, unknown>;
  return { kind, routes, outcome, notes, attempt, error, result };
}

/** Everything that can be seen from outside, as text. */
async function whatCameOf(world: World): Promise<unknown> {
  const statuses: number[] = [];
  try {
    for (const [who, text] of SAID) {
      await world.say(who, text);
      await world.over();
    }
    for (const { path, body } of POSTED) {
      statuses.push(await world.post(path, body));
      await world.over();
    }
    const { broker } = world;
    const { client, keys } = broker;
    const lines = (await readSessions(broker)).toSorted((a, b) => a.room.localeCompare(b.room)).map(said);
    const histories = await Promise.all(["chat", "default"].map((queue) => readHistory(broker, queue, 1000)));
    const dead = await Promise.all(["chat", "default"].map((queue) => deadLetters(broker, queue, { limit: 100 })));
    return {
      lines,
      statuses,
      store: await client.hgetall(keys.store("alike")),
      history: histories.map((history) => history.toReversed().map(({ text }) => ran(text))),
      dead: dead.map((letters) => letters.toReversed().map(({ reason, key }) => ({ reason, key }))),
    };
  } finally {
    await world.stop();
  }
}

test("what a handler says, stores, enqueues and fails at is the same in the test kit and in a real worker", async () => {
  const [inKit, inWorker] = await Promise.all([kit().then(whatCameOf), realWorker().then(whatCameOf)]);
  expect(inKit).toEqual(inWorker);
  expect(inKit).toMatchObject({ statuses: [202, 202, 202, 202], store: { count: "1", "same core": "true" } });
  expect(JSON.stringify(inKit)).toContain("web:ops | bot | grown | before: g | before: gr");
});
