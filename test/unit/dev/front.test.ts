// The one public port of the local stack: which worker gets a connection, and what a sender sees while workers come and go.

import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { checkPort, Front } from "../../../services/dev/front.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { freePort } from "../../support/redis.ts";

const servers: Server[] = [];
let front: Front | undefined;

afterEach(async () => {
  await front?.stop(0);
  front = undefined;
  for (const server of servers.splice(0)) await close(server);
});

async function startFront(): Promise<Front> {
  front = new Front({ host: "127.0.0.1", port: 0, clock: systemClock });
  await front.start();
  return front;
}

/** A worker that answers with its name. */
async function worker(name: string, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.setHeader("connection", "close").end(name));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

function close(server: Server): Promise<unknown> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}

async function ask(): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${front?.port}/`, { headers: { connection: "close" } });
  return response.ok ? response.text() : String(response.status);
}

test("connections go to the workers in turn", async () => {
  const running = await startFront();
  running.add((await worker("a")).port);
  running.add((await worker("b")).port);
  const answers = [await ask(), await ask(), await ask(), await ask()];
  expect(answers.sort()).toEqual(["a", "a", "b", "b"]);
});

test("a worker that refuses costs a new connection nothing: another one is asked", async () => {
  const running = await startFront();
  const gone = await worker("gone");
  running.add(gone.port);
  running.add((await worker("b")).port);
  await close(gone.server);
  for (let time = 0; time < 6; time++) expect(await ask()).toBe("b");
});

test("a connection waits for the first worker to come up", async () => {
  const running = await startFront();
  const answer = ask();
  const { port } = await worker("late");
  running.add(port);
  expect(await answer).toBe("late");
});

test("a connection waits out the moment between one worker's death and the next one's start", async () => {
  const running = await startFront();
  const port = await freePort();
  running.add(port);
  const answer = ask();
  await worker("again", port);
  expect(await answer).toBe("again");
});

test("a worker that left gets no more connections", async () => {
  const running = await startFront();
  const a = await worker("a");
  running.add(a.port);
  running.add((await worker("b")).port);
  running.remove(a.port);
  for (let time = 0; time < 4; time++) expect(await ask()).toBe("b");
});

test("a sender that hangs up is hung up on at the worker too, and the other way round", async () => {
  const running = await startFront();
  const sockets: Socket[] = [];
  const raw = createTcpServer((socket) => void sockets.push(socket.on("error", () => {})));
  await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
  running.add((raw.address() as AddressInfo).port);
  const client = connect(running.port, "127.0.0.1");
  const seen = new Promise((resolve) => raw.once("connection", resolve));
  await seen;
  const workerClosed = new Promise((resolve) => sockets[0]?.resume().once("close", resolve));
  client.destroy();
  await workerClosed;
  const second = connect(running.port, "127.0.0.1").on("error", () => {});
  await new Promise((resolve) => raw.once("connection", resolve));
  const clientClosed = new Promise((resolve) => second.resume().once("close", resolve));
  sockets[1]?.destroy();
  await clientClosed;
  await new Promise((resolve) => raw.close(resolve));
});

test("a port that is taken is named together with its setting", async () => {
  const { port } = await worker("other");
  const taken = new Front({ host: "127.0.0.1", port, clock: systemClock });
  await expect(taken.start()).rejects.toThrow(new RegExp(`Port ${port} is in use.*ANTIPHON_HTTP_PORT`));
  await expect(checkPort("127.0.0.1", port, "ANTIPHON_ADMIN_PORT")).rejects.toThrow(
    new RegExp(`Port ${port} is in use.*ANTIPHON_ADMIN_PORT`),
  );
  await checkPort("127.0.0.1", 0, "ANTIPHON_ADMIN_PORT");
  await expect(checkPort("192.0.2.1", 1, "ANTIPHON_ADMIN_PORT")).rejects.toThrow("ANTIPHON_ADMIN_HOST");
});
