// The bus in an application of Express 5: every face of it beside the application's own middleware and paths.

import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type Express } from "express";
import { describe, expect, test } from "vitest";
import type { MessageBus, OpenBusOptions } from "../../services/bus/plugin.ts";
import { BusSocket } from "../support/bus-socket.ts";
import { useBuses } from "../support/buses.ts";
import { waitFor } from "../support/wait-for.ts";
import { Stream } from "../conformance/bus/stream.ts";

const LONG_MS = { timeoutMs: 30_000 };
const buses = useBuses();

interface Served {
  readonly bus: MessageBus;
  readonly server: Server;
  readonly port: number;
  readonly url: string;
}

/** As docs/authors/bus-server.md has it. */
async function serve(mount: (app: Express, bus: MessageBus) => void, options: OpenBusOptions = {}): Promise<Served> {
  const bus = await buses.open({ access: "open", websocket: true, ...options });
  const app = express();
  mount(app, bus);
  app.get("/theirs", (_request, response) => void response.send("theirs"));
  const server = await new Promise<Server>((ready) => {
    const listening = app.listen(0, "127.0.0.1", () => ready(listening));
  });
  bus.acceptWebSockets(server);
  const { port } = server.address() as AddressInfo;
  buses.closers.push(() => new Promise((closed) => (server.close(closed), server.closeAllConnections())));
  buses.closers.push(() => bus.close());
  return { bus, server, port, url: `http://127.0.0.1:${port}` };
}

const first = (app: Express, bus: MessageBus): void => void app.use(bus.handler);
const afterParsers = (app: Express, bus: MessageBus): void =>
  void app.use(express.json(), express.urlencoded({ extended: false }), bus.handler);

describe.each([
  ["before anything that reads bodies", first],
  ["after Express' own parsers", afterParsers],
])("%s", (_where, mount) => {
  test("polls: short, long and streamed, as forms and as JSON", async () => {
    const { bus, port, url } = await serve(mount);
    await bus.publish("/a", 1);
    const short = await fetch(`${url}/message-bus/me/poll?dlp=t`, {
      method: "POST",
      body: new URLSearchParams({ "/a": "0" }),
    });
    expect(await short.json()).toMatchObject([{ channel: "/a", data: 1 }]);
    const held = fetch(`${url}/message-bus/held/poll`, {
      method: "POST",
      headers: { "content-type": "application/json", "dont-chunk": "t" },
      body: JSON.stringify({ "/a": 1 }),
    });
    const stream = new Stream(port);
    buses.closers.push(async () => stream.leave());
    await stream.send("/message-bus/streamed/poll", { "/a": 1 }, {});
    await stream.isOpen();
    await waitFor(() => bus.diagnostics().connections === 2, LONG_MS);
    await bus.publish("/a", 2);
    expect(await (await held).json()).toMatchObject([{ channel: "/a", data: 2 }]);
    await waitFor(() => stream.dataOf("/a").length === 1, LONG_MS);
    await bus.publish("/a", 3);
    await waitFor(() => stream.dataOf("/a").length === 2, LONG_MS);
    expect(stream.dataOf("/a")).toEqual([2, 3]);
  });

  test("JSON polls, server-sent events and WebSockets", async () => {
    const { bus, url } = await serve(mount);
    await bus.publish("/a", 1);
    const poll = await fetch(`${url}/bus/poll`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ channels: { "/a": { recent: 1 } } }),
    });
    expect(await poll.json()).toMatchObject({ messages: [{ data: 1 }] });
    const socket = await BusSocket.open(`${url}/bus/ws`);
    await socket.subscribe({ "/a": null });
    const events = await fetch(`${url}/bus/sse?channel=/a`);
    const reader = (events.body as ReadableStream<Uint8Array>).getReader();
    buses.closers.push(() => reader.cancel());
    await waitFor(() => bus.diagnostics().connections === 2, LONG_MS);
    await bus.publish("/a", 2);
    await socket.hears("/a", 1);
    let text = "";
    while (!text.includes('"data":2')) text += Buffer.from((await reader.read()).value ?? []).toString();
  });
});

test("other paths are the application's, and so are other requests to upgrade", async () => {
  const { url } = await serve(first);
  expect(await (await fetch(`${url}/theirs`)).text()).toBe("theirs");
  expect((await fetch(`${url}/nobodys`)).status).toBe(404);
  expect((await BusSocket.refusal(`${url}/theirs`)).refused).toBe(200);
});

test("mounted on a path, with the same base path, and only there", async () => {
  const { bus, url } = await serve((app, mounted) => void app.use("/live", mounted.handler), { basePath: "/live" });
  await bus.publish("/a", 1);
  const asked = { method: "POST", body: JSON.stringify({ channels: { "/a": { recent: 1 } } }) };
  expect(await (await fetch(`${url}/live/bus/poll`, asked)).json()).toMatchObject({ messages: [{ data: 1 }] });
  expect((await fetch(`${url}/bus/poll`, asked)).status).toBe(404);
  const socket = await BusSocket.open(`${url}/live/bus/ws`);
  expect((await socket.subscribe({ "/a": { recent: 1 } })).messages).toHaveLength(1);
  expect((await BusSocket.refusal(`${url}/bus/ws`)).refused).toBe(404);
});

test("headers and cookies of middleware before it are on every answer, once; those of the bus win", async () => {
  const { port, url } = await serve(
    (app, bus) => {
      app.use((_request, response, next) => {
        response.setHeader("x-theirs", "1");
        response.setHeader("x-ours", "theirs");
        response.setHeader("set-cookie", ["a=1", "b=2"]);
        next();
      });
      app.use(bus.handler);
    },
    { headers: () => ({ "X-Ours": "ours" }) },
  );
  const whole = await fetch(`${url}/message-bus/me/poll?dlp=t`, { method: "POST", body: "" });
  expect([whole.headers.get("x-theirs"), whole.headers.get("x-ours"), whole.headers.getSetCookie()]).toEqual([
    "1",
    "ours",
    ["a=1", "b=2"],
  ]);
  const stream = new Stream(port);
  buses.closers.push(async () => stream.leave());
  await stream.send("/message-bus/streamed/poll", { "/a": "" }, {});
  await stream.isOpen();
  const lines = stream.head.split("\r\n").filter((line) => /^(?:x-theirs|x-ours|set-cookie)/.test(line));
  expect(lines.sort()).toEqual(["set-cookie: a=1", "set-cookie: b=2", "x-ours: ours", "x-theirs: 1"]);
});

test("the bus closes first, and the server's end waits for none of its streams", async () => {
  const { bus, port, server, url } = await serve(first);
  const stream = new Stream(port);
  await stream.send("/message-bus/me/poll", { "/a": "" }, {});
  await stream.isOpen();
  const socket = await BusSocket.open(`${url}/bus/ws`);
  await bus.close();
  await new Promise((closed) => server.close(closed));
  await stream.ends();
  expect((await socket.ends()).code).toBe(1001);
});
