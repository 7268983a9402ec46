// The bus as a worker serves it: by the rules of the handlers folder, on the same channels that settle writes to.

import { afterEach, beforeAll, expect, test } from "vitest";
import { encodePayload } from "../../../services/bus/message.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { defineBus } from "../../../services/sdk/index.ts";
import { type Door, doorIsOpen, openDoor } from "../../support/http-door.ts";
import { testRedis } from "../../support/redis.ts";

let redisUrl = "";
const doors: Door[] = [];
beforeAll(async () => {
  redisUrl = (await testRedis()).url;
});
afterEach(async () => {
  for (const door of doors.splice(0)) await door.stop();
});

async function open(handlers: readonly unknown[] = []): Promise<Door> {
  const door = await openDoor({ redisUrl, namespace: `door-${randomId()}`, handlers });
  doors.push(door);
  await doorIsOpen(door);
  return door;
}

function poll(door: Door, body: string, headers: Record<string, string> = {}): Promise<Response> {
  const type = { "content-type": "application/x-www-form-urlencoded" };
  return fetch(`${door.url}/message-bus/${randomId()}/poll?dlp=t`, {
    method: "POST",
    body,
    headers: { ...type, ...headers },
  });
}

test("without rules nobody reads anything", async () => {
  const door = await open();
  await door.bus.publish("/deploys", Buffer.from('"secret"'));
  const refused = await poll(door, "/deploys=0");
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({ error: { code: "FORBIDDEN" } });
});

test("the rules of the handlers folder say who reads what", async () => {
  const rules = defineBus({
    identify: ({ headers }) => ({ user: headers["x-user"]?.toString() }),
    authorize: { "/open/": true, "/mine/": ({ user }, channel) => channel === `/mine/${user}` },
    headers: () => ({ "x-served-by": "bot" }),
  });
  const door = await open([rules]);
  const forAnn = encodePayload(Buffer.from('"for ann"'), { users: ["ann"] });
  await door.bus.publish("/open/a", Buffer.from('"for all"'));
  await door.bus.publish("/open/a", forAnn);
  const seen = async (answer: Response): Promise<unknown[]> =>
    ((await answer.json()) as { channel: string; data: unknown }[])
      .filter(({ channel }) => channel !== "/__status")
      .map(({ data }) => data);
  expect(await seen(await poll(door, "/open/a=0"))).toEqual(["for all"]);
  const hers = await poll(door, "/open/a=0", { "x-user": "ann" });
  expect(hers.headers.get("x-served-by")).toBe("bot");
  expect(await seen(hers)).toEqual(["for all", "for ann"]);
  expect((await poll(door, "/mine/ann=0")).status).toBe(403);
  expect((await poll(door, "/mine/ann=0", { "x-user": "ann" })).status).toBe(200);
});

test("onError may answer in our place, and what it does not answer is ours", async () => {
  const rules = defineBus({
    identify: ({ headers }) => {
      if (headers["x-user"] === undefined) throw new Error("who are you?");
      return { user: String(headers["x-user"]) };
    },
    onError: (_request, error) =>
      error instanceof Error && error.message === "who are you?" ? { status: 401, body: "log in" } : undefined,
  });
  const door = await open([rules]);
  const unknown = await poll(door, "/a=0");
  expect([unknown.status, await unknown.text()]).toEqual([401, "log in"]);
  expect((await poll(door, "/a=0", { "x-user": "ann" })).status).toBe(403);
});

test("two definitions, and rules that are none, stop the start", async () => {
  const one = defineBus({ access: "open" });
  await expect(openDoor({ redisUrl, namespace: "x", handlers: [one, one] })).rejects.toThrow("also defined in");
  const odd = { format: 1, kind: "bus", acces: "open" };
  await expect(openDoor({ redisUrl, namespace: "x", handlers: [odd] })).rejects.toThrow("unknown option acces");
  expect(() => defineBus({ access: "maybe" as "open", tokenSecret: "short" })).toThrow(/access must be .*tokenSecret/);
});

test("revoked elsewhere, a user's streams end here", async () => {
  const rules = defineBus({ identify: () => ({ user: "ann" }), access: "open" });
  const namespace = `door-${randomId()}`;
  const [here, there] = await Promise.all(
    [0, 1].map(async () => {
      const door = await openDoor({ redisUrl, namespace, handlers: [rules] });
      doors.push(door);
      await doorIsOpen(door);
      return door;
    }),
  );
  if (here === undefined || there === undefined) throw new Error("no doors");
  const stream = await fetch(`${here.url}/bus/sse?channel=/a`);
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  await there.bus.publish("/__revoked", Buffer.from('"ann"'));
  for (let part = await reader.read(); !part.done;) part = await reader.read();
  expect(here.bus.closed.get("revoked")).toBe(1);
});
