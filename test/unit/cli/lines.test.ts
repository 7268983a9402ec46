// The terminal's side of the web chat: it goes on where a lost connection ended, and says nothing twice.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type ChatLine, ChatLines, ChatRefused } from "../../../services/cli/lines.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { waitFor } from "../../support/wait-for.ts";

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;
let server: Server | undefined;
let chat: ChatLines | undefined;
const heard: [line: ChatLine, own: boolean][] = [];
const states: string[] = [];

afterEach(async () => {
  chat?.stop();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
  heard.length = 0;
  states.length = 0;
});

async function start(answer: Answer, token?: string): Promise<ChatLines> {
  server = createServer(async (request, response) => {
    let body = "";
    for await (const bytes of request as AsyncIterable<Buffer>) body += bytes.toString();
    answer(request, response, body);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  chat = new ChatLines({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    session: "lobby",
    recent: 0,
    ...(token !== undefined && { token }),
    clock: systemClock,
    random: Math.random,
    onLine: (line, own) => heard.push([line, own]),
    onState: (state) => states.push(state),
  });
  return chat;
}

function event(id: number, line: Partial<ChatLine>): string {
  return `id: ${id}\nevent: message\ndata: ${JSON.stringify(line)}\n\n`;
}

test("a lost stream is resumed after the last event that was heard", async () => {
  const asked: (string | undefined)[] = [];
  const lines = await start((request, response) => {
    asked.push(request.headers["last-event-id"] as string | undefined);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(event(asked.length, { text: `line ${asked.length}` }));
    if (asked.length < 3) response.end();
  });
  const running = lines.run();
  await waitFor(() => heard.length === 3);
  expect(asked).toEqual([undefined, "1", "2"]);
  expect(heard.map(([line]) => line.text)).toEqual(["line 1", "line 2", "line 3"]);
  expect(states).toEqual(["connected", "away", "connected", "away", "connected"]);
  lines.stop();
  await running;
});

test("a message is repeated under the same id until it is stored", async () => {
  const bodies: { id: string; text: string }[] = [];
  const lines = await start((request, response, body) => {
    bodies.push(JSON.parse(body) as { id: string; text: string });
    if (bodies.length === 1) return void request.socket.destroy();
    response.writeHead(bodies.length === 2 ? 503 : 202).end(JSON.stringify({ id: "abc" }));
  });
  expect(await lines.send("antiphon ping")).toBe("abc");
  expect(bodies).toHaveLength(3);
  expect(new Set(bodies.map(({ id }) => id)).size).toBe(1);
});

test("what was said here is known as our own when it comes back", async () => {
  let stream: ServerResponse | undefined;
  const lines = await start((request, response, body) => {
    if (request.method === "GET") {
      stream = response.writeHead(200, { "content-type": "text/event-stream" });
      stream.flushHeaders();
      return;
    }
    const { id, text } = JSON.parse(body) as { id: string; text: string };
    response.writeHead(202).end("{}");
    stream?.write(event(1, { id, text }) + event(2, { id: "other", text }));
  });
  const running = lines.run();
  await waitFor(() => states.includes("connected"));
  await lines.send("hello");
  await waitFor(() => heard.length === 2);
  expect(heard.map(([, own]) => own)).toEqual([true, false]);
  lines.stop();
  await running;
});

test("a refusal is told at once and not tried again", async () => {
  let asked = 0;
  const lines = await start((request, response) => {
    asked++;
    expect(request.headers.authorization).toBe("Bearer secret");
    response.writeHead(401).end(JSON.stringify({ error: { code: "UNAUTHORIZED", message: "Nobody has this token." } }));
  }, "secret");
  await expect(lines.send("hello")).rejects.toThrow("401: Nobody has this token.");
  await expect(lines.run()).rejects.toBeInstanceOf(ChatRefused);
  expect(asked).toBe(2);
});
