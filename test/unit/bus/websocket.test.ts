// The bus over WebSockets: as JSON polls say it, on a connection that changes its channels; who may, and what is said wrong.

import { connect } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { JsonFace } from "../../../services/bus/json-face.ts";
import { type MessageBus, type OpenBusOptions, signChannels } from "../../../services/bus/plugin.ts";
import { BusSocket, type Served, serveSockets } from "../../support/bus-socket.ts";
import { useBuses } from "../../support/buses.ts";
import { waitFor } from "../../support/wait-for.ts";

const LONG_MS = { timeoutMs: 30_000 };
const buses = useBuses();
const { closers } = buses;
const serve = (options: OpenBusOptions = {}): Promise<Served> => serveSockets(buses, options);

async function offsetOf(published: ReturnType<MessageBus["publish"]>) {
  const answer = await published;
  if (answer.status !== "stored") throw new Error(answer.status);
  return { epoch: answer.epoch, offset: answer.offset };
}

describe("channels", () => {
  test("subscribes and unsubscribes as it goes: what each held, then what comes, in order and once", async () => {
    const { bus, socket } = await serve();
    const [first] = [await offsetOf(bus.publish("/a", 1)), await bus.publish("/a", 2), await bus.publish("/b", "b1")];
    const reader = await socket();
    expect(reader.told[0]).toEqual({ channels: {}, messages: [] });
    const answer = await reader.subscribe({ "/a": first, "/b": { recent: 5 }, "/new": null });
    expect(answer.messages?.map(({ channel, data }) => [channel, data])).toEqual([
      ["/a", 2],
      ["/b", "b1"],
    ]);
    expect(answer.channels).toEqual({
      "/a": { epoch: first.epoch, offset: 2, recovered: true },
      "/b": { epoch: expect.any(String) as string, offset: 1, recovered: true },
      "/new": { epoch: "", offset: 0, recovered: true },
    });
    for (let n = 3; n <= 5; n++) await bus.publish("/a", n);
    await bus.publish("/new", "n1");
    await reader.hears("/a", 4);
    await reader.hears("/new", 1);
    expect(reader.dataOf("/a")).toEqual([2, 3, 4, 5]);
    const before = reader.told.length;
    reader.say({ unsubscribe: ["/a", "/never"] });
    expect(await reader.next(before, ({ unsubscribed }) => unsubscribed !== undefined)).toEqual({
      unsubscribed: ["/a"],
    });
    await bus.publish("/a", 6);
    await bus.publish("/b", "b2");
    await reader.hears("/b", 2);
    expect(reader.dataOf("/a")).toEqual([2, 3, 4, 5]);
    // It comes back from where it was.
    const again = await reader.subscribe({ "/a": { epoch: first.epoch, offset: 5 } });
    expect(again.messages?.map(({ data }) => data)).toEqual([6]);
  });

  test("a channel that is subscribed again begins where it is told to, and brings nothing twice from then on", async () => {
    const { bus, socket } = await serve();
    for (let n = 1; n <= 3; n++) await bus.publish("/a", n);
    const reader = await socket();
    await reader.subscribe({ "/a": null });
    expect((await reader.subscribe({ "/a": { recent: 2 } })).messages?.map(({ data }) => data)).toEqual([2, 3]);
    await bus.publish("/a", 4);
    await reader.hears("/a", 3);
    await bus.publish("/a", 5);
    await reader.hears("/a", 4);
    expect(reader.dataOf("/a")).toEqual([2, 3, 4, 5]);
  });

  test("a position that is lost or from the future is said to be, and followed by the newest part", async () => {
    const { bus, socket } = await serve();
    const { epoch } = await offsetOf(bus.publish("/a", 1));
    await bus.publish("/a", 2);
    const reader = await socket();
    const asked = { "/a": { epoch: "old", offset: 1 } };
    expect(await reader.subscribe(asked, { recent: 1 })).toMatchObject({
      channels: { "/a": { epoch, offset: 2, recovered: false } },
      messages: [{ data: 2 }],
    });
    const future = await reader.subscribe({ "/a": { epoch, offset: 9_000 } });
    expect(future).toMatchObject({ channels: { "/a": { epoch, offset: 2, recovered: false } }, messages: [] });
  });

  test("what comes between reading and going live arrives once", async () => {
    const between: (() => Promise<unknown>)[] = [];
    const hooks = {
      beforeLive: async (channels: readonly string[]): Promise<void> =>
        void (channels.length > 0 && (await between.shift()?.())),
    };
    const { bus, socket } = await serve({ hooks });
    await bus.publish("/a", 1);
    between.push(() => bus.publish("/a", 2));
    const reader = await socket();
    await reader.subscribe({ "/a": { recent: 5 } });
    await bus.publish("/a", 3);
    await reader.hears("/a", 3);
    expect(reader.dataOf("/a")).toEqual([1, 2, 3]);
  });

  test("what is for others moves the position and nothing else; one's own user, client and site are respected", async () => {
    const { bus, socket } = await serve({
      identify: ({ headers }) => ({ user: headers["x-user"]?.toString(), site: headers["x-site"]?.toString() }),
    });
    const ann = await socket({ headers: { "x-user": "ann" } }, "?client=c1");
    const other = await socket({ headers: { "x-user": "bob", "x-site": "s" } });
    await ann.subscribe({ "/a": null });
    await other.subscribe({ "/a": null });
    await bus.publish("/a", "ann's", { userIds: ["ann"] });
    await bus.publish("/a", "c1's", { clientIds: ["c1"] });
    await bus.publish("/a", "of the site", { site: "s" });
    const hidden = await offsetOf(bus.publish("/a", "bob's", { userIds: ["bob"] }));
    await ann.hears("/a", 2);
    await other.hears("/a", 1);
    expect([ann.dataOf("/a"), other.dataOf("/a")]).toEqual([["ann's", "c1's"], ["of the site"]]);
    const moved = await ann.next(0, ({ channels }) => channels?.["/a"]?.offset === hidden.offset);
    expect(moved.messages).toEqual([]);
  });

  test("each message becomes bytes once, however many read it", async () => {
    const { bus, socket } = await serve();
    const readers = await Promise.all(Array.from({ length: 5 }, () => socket()));
    for (const reader of readers) await reader.subscribe({ "/a": null });
    const encoding = vi.spyOn(JsonFace.prototype, "messages");
    closers.push(async () => encoding.mockRestore());
    await bus.publish("/a", 1);
    for (const reader of readers) await reader.hears("/a", 1);
    expect(encoding).toHaveBeenCalledTimes(1);
  });
});

describe("who may", () => {
  test("identify is asked before the handshake; what may not be read is told, beside what may", async () => {
    const { bus, socket, url } = await serve({
      access: "deny",
      identify: ({ headers }) => {
        if (headers["x-user"] === undefined) throw new Error("who are you?");
        return { user: headers["x-user"].toString() };
      },
      authorize: { "/open": true, "/mine/": ({ user }, channel) => channel === `/mine/${user}` },
      onError: (_request, error) =>
        error instanceof Error && error.message === "who are you?" ? { status: 401, body: "log in" } : undefined,
    });
    expect((await BusSocket.refusal(url)).refused).toBe(401);
    const ann = await socket({ headers: { "x-user": "ann" } });
    await ann.subscribe({ "/open": null, "/mine/bob": null, "/mine/ann": null, "/__x": null });
    expect(ann.told.find(({ denied }) => denied !== undefined)?.denied).toEqual({
      "/mine/bob": "FORBIDDEN",
      "/__x": "FORBIDDEN",
    });
    await bus.publish("/mine/bob", "secret");
    await bus.publish("/mine/ann", "hers");
    await ann.hears("/mine/ann", 1);
    expect(ann.dataOf("/mine/bob")).toEqual([]);
  });

  test("a signed token comes in the query, as browsers can send it", async () => {
    const secret = "a secret of some length";
    const { socket, url } = await serve({ access: "deny", tokenSecret: secret });
    const token = signChannels({ secret, channels: ["/room/*"], expiresAt: Date.now() + 60_000 });
    const reader = await socket({}, `?token=${encodeURIComponent(token)}`);
    await reader.subscribe({ "/room/1": null, "/else": null });
    expect(reader.told.find(({ denied }) => denied !== undefined)?.denied).toEqual({ "/else": "FORBIDDEN" });
    expect((await BusSocket.refusal(`${url}?token=x`)).refused).toBe(401);
  });

  test("pages of other origins are refused unless they are named with credentials: cookies come with every WebSocket", async () => {
    const named = { origins: ["https://app.example.com"], credentials: true };
    const { url, port, socket } = await serve({ cors: named });
    const from = (origin: string) => ({ headers: { origin } });
    for (const origin of ["https://evil.example.com", "null", `http://127.0.0.1.evil.example:${port}`]) {
      expect((await BusSocket.refusal(url, from(origin))).refused, origin).toBe(403);
    }
    await socket(from("https://app.example.com"));
    await socket(from(`http://127.0.0.1:${port}`));
    for (const cors of [{ origins: "*" }, { origins: ["https://app.example.com"] }] as const) {
      const other = await serve({ cors });
      expect((await BusSocket.refusal(other.url, from("https://app.example.com"))).refused).toBe(403);
    }
  });

  test("whoever is revoked is closed with 1008, others stay", async () => {
    const { bus, socket } = await serve({ identify: ({ headers }) => ({ user: headers["x-user"]?.toString() }) });
    const [ann, bob] = [await socket({ headers: { "x-user": "ann" } }), await socket({ headers: { "x-user": "bob" } })];
    await ann.subscribe({ "/a": null });
    await bus.revoke("ann");
    expect(await ann.ends()).toEqual({ code: 1008, reason: "revoked" });
    await bob.subscribe({ "/a": null });
    expect(bob.closed).toBeUndefined();
  });
});

describe("what is said wrong", () => {
  test("is answered, ends nothing and changes nothing", async () => {
    const { bus, socket } = await serve();
    const reader = await socket();
    await reader.subscribe({ "/a": null });
    const wrong = [
      "{",
      "[]",
      '{"subscribe": {"/a": 5}}',
      '{"unsubscribe": "/a"}',
      '{"publish": "/a"}',
      '{"subscribe": {"/b": null}, "recent": -1}',
      `{"subscribe": {"/${"x".repeat(300)}": null}}`,
    ];
    for (const [index, text] of wrong.entries()) {
      reader.say(text);
      await waitFor(() => reader.told.filter(({ error }) => error !== undefined).length === index + 1, LONG_MS);
    }
    expect(new Set(reader.told.flatMap(({ error }) => error?.code ?? []))).toEqual(new Set(["REQUEST_INVALID"]));
    await bus.publish("/a", 1);
    await reader.hears("/a", 1);
    expect(bus.diagnostics().channels.map(({ channel }) => channel)).not.toContain("/b");
  });

  test("bytes are not taken for text", async () => {
    const { socket } = await serve();
    const reader = await socket();
    reader.socket.send(Buffer.from('{"subscribe": {"/a": null}}'), { binary: true });
    expect((await reader.next(1, ({ error }) => error !== undefined)).error?.code).toBe("REQUEST_INVALID");
  });

  test("more channels than a request may name are refused, over all requests of the connection", async () => {
    const { bus, socket } = await serve({ limits: { channels: 3 } });
    const reader = await socket();
    await reader.subscribe({ "/a": null, "/b": null });
    reader.say({ subscribe: { "/c": null, "/d": null } });
    expect((await reader.next(1, ({ error }) => error !== undefined)).error?.code).toBe("REQUEST_INVALID");
    await reader.subscribe({ "/b": null, "/c": null });
    expect(bus.diagnostics().refused).toEqual({ channels: 1 });
  });

  test("too much at once closes: 1009 for a large message, 1013 for many", async () => {
    const { socket } = await serve();
    const large = await socket();
    large.say(
      JSON.stringify({ subscribe: Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`/${n}`, null])) }),
    );
    expect((await large.ends()).code).toBe(1009);
    const eager = await socket();
    for (let n = 0; n < 200; n++) eager.say({ unsubscribe: ["/a"] });
    expect(await eager.ends()).toEqual({ code: 1013, reason: "TOO_MANY_REQUESTS" });
    expect(eager.told.at(-1)?.error?.code).toBe("TOO_MANY_REQUESTS");
  });

  test("too many connections of one user are refused with 429 and a time to come again", async () => {
    const { socket, url } = await serve({ identify: () => ({ user: "ann" }), limits: { connectionsPerUser: 1 } });
    const first = await socket();
    const refused = await BusSocket.refusal(url);
    expect([refused.refused, refused.refusal["retry-after"]]).toEqual([429, expect.stringMatching(/^\d+$/)]);
    first.socket.close();
    await waitFor(async () => {
      const again = new BusSocket(url);
      await waitFor(() => again.told.length > 0 || again.refused !== undefined, LONG_MS);
      again.socket.terminate();
      return again.refused === undefined;
    }, LONG_MS);
  });

  test("a handshake that is none gets an answer, and holds no place", async () => {
    const { bus, port } = await serve();
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (bytes) => (text += bytes.toString()));
    socket.write("GET /bus/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    await waitFor(() => text.startsWith("HTTP/1.1 400"), LONG_MS);
    await waitFor(() => bus.diagnostics().connections === 0, LONG_MS);
    socket.destroy();
  });
});
