// How WebSockets of the bus end, and what else a server may do beside them.

import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { fastify } from "fastify";
import { describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import type { OpenBusOptions } from "../../../services/bus/plugin.ts";
import { WebSocketConn } from "../../../services/bus/websocket-conn.ts";
import { BusSocket, listening, type Served, serveSockets } from "../../support/bus-socket.ts";
import { useBuses } from "../../support/buses.ts";
import { startProxy } from "../../support/proxy.ts";
import { waitFor } from "../../support/wait-for.ts";

const LONG_MS = { timeoutMs: 30_000 };
const buses = useBuses();
const { closers } = buses;
const serve = (options: OpenBusOptions = {}): Promise<Served> => serveSockets(buses, options);

describe("how it ends", () => {
  test("one that does not read is closed; who reads beside it gets everything", async () => {
    const { bus, socket } = await serve();
    const [good, bad] = [await socket(), await socket()];
    for (const reader of [good, bad]) await reader.subscribe({ "/a": null });
    bad.socket.pause();
    const text = "x".repeat(50_000);
    // Not faster than who reads can: all at once they are more than may wait for anybody.
    for (let from = 0; from < 300; from += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, n) => bus.publish("/a", { n: from + n, text })));
      await good.hears("/a", from + 20);
    }
    expect(good.dataOf("/a").map((data) => (data as { n: number }).n)).toEqual(
      Array.from({ length: 300 }, (_, n) => n),
    );
    await waitFor(() => bus.diagnostics().closed["slow"] === 1, LONG_MS);
    // And the socket goes too, though its peer never answers the close.
    await waitFor(async () => bus.diagnostics().connections === 1, LONG_MS);
    bad.socket.resume();
    await bad.ends();
  });

  test("one that leaves in the middle of a message is forgotten", async () => {
    const { bus, port, socket } = await serve();
    const stays = await socket();
    await stays.subscribe({ "/a": null });
    const raw = connect(port, "127.0.0.1");
    let text = "";
    raw.on("data", (bytes) => (text += bytes.toString("latin1")));
    raw.write(
      "GET /bus/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n",
    );
    await waitFor(() => text.includes("channels"), LONG_MS);
    expect(bus.diagnostics().byFace).toMatchObject({ websocket: 2 });
    // A frame of 100 bytes, of which 3 come.
    raw.write(Buffer.from([0x81, 0x80 | 100, 1, 2, 3, 4, 5, 6, 7]), () => raw.resetAndDestroy());
    await waitFor(() => bus.diagnostics().byFace.websocket === 1, LONG_MS);
    await bus.publish("/a", 1);
    await stays.hears("/a", 1);
  });

  test("the process stops: 1001, and the server's close does not wait for them", async () => {
    const bus = await buses.open({ access: "open", websocket: true });
    const app = fastify();
    await app.register(bus.plugin);
    await app.listen({ port: 0, host: "127.0.0.1" });
    const reader = await BusSocket.open(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/bus/ws`);
    const { channels } = await reader.subscribe({ "/a": null });
    await app.close();
    expect(await reader.ends()).toEqual({ code: 1001, reason: "ended" });
    // Its positions are the last thing that it hears.
    expect(reader.told.at(-1)).toEqual({ channels, messages: [] });
  });

  test("while the server is away a subscription is told to come later: 1013", async () => {
    const proxy = await startProxy(Number(new URL(buses.url).port));
    closers.push(() => proxy.stop());
    const { socket } = await serve({ url: `redis://127.0.0.1:${proxy.port}` });
    const reader = await socket();
    await proxy.refuse();
    reader.say({ subscribe: { "/a": { recent: 1 } } });
    expect(await reader.ends()).toEqual({ code: 1013, reason: "REDIS_UNAVAILABLE" });
  });

  test("a peer that answers no ping is gone; whatever it says is a sign of life", async () => {
    const server = createServer();
    const port = await listening(buses, server);
    const sockets = new WebSocketServer({ noServer: true });
    const conns: WebSocketConn[] = [];
    let gone = 0;
    server.on("upgrade", (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (opened) => {
        const conn = new WebSocketConn(() => opened);
        conn.gone = () => gone++;
        conn.send(Buffer.from("{}"));
        conns.push(conn);
      });
    });
    const alive = new BusSocket(`http://127.0.0.1:${port}`);
    const dead = new BusSocket(`http://127.0.0.1:${port}`, { autoPong: false });
    closers.push(async () => [alive, dead].forEach(({ socket }) => socket.terminate()));
    let [pings, deadPings] = [0, 0];
    alive.socket.on("ping", () => pings++);
    dead.socket.on("ping", () => deadPings++);
    await waitFor(() => alive.told.length === 1 && dead.told.length === 1, LONG_MS);
    const at = (now: number): boolean[] => conns.map((conn) => conn.isGone(now));
    expect([at(0), at(14_000), at(16_000), at(17_000)]).toEqual(Array.from({ length: 4 }, () => [false, false]));
    await waitFor(() => pings === 1 && deadPings === 1, LONG_MS);
    // The pong is heard, of the one that gives it.
    await waitFor(() => at(29_000).every((is) => !is) && at(30_001).filter(Boolean).length === 1, LONG_MS);
    const [first, second] = [conns[0]?.isGone(31_000), conns[1]?.isGone(31_000)];
    expect([first, second].filter(Boolean)).toHaveLength(1);
    dead.socket.send("said something");
    await waitFor(() => at(32_000).every((is) => !is), LONG_MS);
    for (const conn of conns) conn.close("slow");
    await waitFor(() => gone === 2, LONG_MS);
    expect((await alive.ends()).code).toBe(1013);
  });
});

describe("beside other things on one server", () => {
  test("without the option there are none, and nothing listens for upgrades", async () => {
    const bus = await buses.open({ access: "open" });
    const server = createServer(bus.handler);
    expect(() => bus.acceptWebSockets(server)).toThrow(/websocket/);
    const port = await listening(buses, server);
    expect((await BusSocket.refusal(`http://127.0.0.1:${port}/bus/ws`)).refused).toBe(404);
  });

  test("a request without an upgrade is told what the path is for", async () => {
    const { url } = await serve();
    const answer = await fetch(url);
    expect([answer.status, answer.headers.get("upgrade")]).toEqual([426, "websocket"]);
  });

  /** What some clients of HTTP ask by default, and do not mean. */
  async function askForHttp2(port: number, path: string): Promise<string> {
    const socket: Socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (bytes) => (text += bytes.toString()));
    const upgrade =
      "connection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQBAAAAAAIAAAAA";
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n${upgrade}\r\n\r\n{}`);
    await new Promise((closed) => socket.once("close", closed));
    return text.split("\r\n", 1)[0] ?? "";
  }

  test("other requests to upgrade are answered as if they had not asked", async () => {
    const { port } = await serve();
    expect(await askForHttp2(port, "/bus/poll")).toBe("HTTP/1.1 200 OK");
    expect(await askForHttp2(port, "/elsewhere")).toBe("HTTP/1.1 404 Not Found");
  });

  test("other WebSockets of the server are left to those who listen for them, whoever came first", async () => {
    const { server, url, port } = await serve();
    const sockets = new WebSocketServer({ noServer: true });
    server.on("upgrade", (request, socket, head) => {
      if (request.url !== "/theirs") return;
      sockets.handleUpgrade(request, socket, head, (opened) => opened.send('{"theirs": true}'));
    });
    const theirs = await BusSocket.open(`http://127.0.0.1:${port}/theirs`);
    expect(theirs.told).toEqual([{ theirs: true }]);
    const ours = await BusSocket.open(url);
    for (const { socket } of [ours, theirs]) socket.terminate();
  });
});
