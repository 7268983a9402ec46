// A connection taken from Node's HTTP server: what was left of its request is gone, and it behaves as one of its own.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { takeOver, type Wire } from "../../../services/bus/wire.ts";
import { waitFor } from "../../support/wait-for.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Taken {
  readonly wire: Wire;
  readonly socket: Socket;
  gone: number;
}

async function open(read = true) {
  const taken: Taken[] = [];
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    const one = { socket, gone: 0, wire: undefined as unknown as Wire };
    const headers = [["transfer-encoding", "chunked"]] as const;
    one.wire = takeOver(response, { headers, chunked: true, onGone: () => one.gone++ });
    taken.push(one);
  };
  const server = createServer((request, response) => {
    if (!read) return take(request, response);
    request.resume();
    request.once("end", () => setImmediate(() => take(request, response)));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  closers.push(
    () => server.close(),
    () => taken.forEach(({ socket }) => socket.destroy()),
  );
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  let text = "";
  client.on("data", (bytes) => (text += bytes.toString()));
  client.on("error", () => {});
  closers.push(() => client.destroy());
  client.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi");
  await waitFor(() => taken.length === 1);
  return { server, client, taken: taken[0] as Taken, text: () => text };
}

const CHUNK = Buffer.from("3\r\nabc\r\n");

test("the server's parser and listeners are gone, and what is written goes out as it is", async () => {
  const { taken, text, server } = await open();
  taken.wire.write(CHUNK);
  await waitFor(() => text().endsWith("abc\r\n"));
  expect(text()).toBe("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
  expect((taken.socket as Socket & { parser?: unknown }).parser ?? null).toBeNull();
  const named = ["close", "data", "end", "error", "timeout"].flatMap((event) => taken.socket.listeners(event));
  expect(named.filter(({ name }) => /socketOn|onSocket/.test(name))).toEqual([]);
  // The server does not count it as one of its requests any more.
  server.closeAllConnections();
  expect(taken.socket.destroyed).toBe(false);
});

test("who leaves is noticed, once; what it says meanwhile is not listened to", async () => {
  const { client, taken } = await open();
  client.write("GET /again HTTP/1.1\r\n\r\n");
  client.end();
  await waitFor(() => taken.gone === 1);
  expect(taken.socket.destroyed).toBe(true);
});

test("ended by us, the last bytes go out and the connection closes", async () => {
  const { client, taken, text } = await open();
  let closed = false;
  client.on("close", () => (closed = true));
  taken.wire.write(CHUNK);
  taken.wire.write(Buffer.from("0\r\n\r\n"));
  taken.wire.end();
  await waitFor(() => closed);
  expect(text().endsWith("3\r\nabc\r\n0\r\n\r\n")).toBe(true);
  await waitFor(() => taken.gone === 1);
});

test("a request that was not read stays with its response, and the same bytes reach the client", async () => {
  const { taken, text } = await open(false);
  taken.wire.write(Buffer.concat([CHUNK, CHUNK]));
  await waitFor(() => text().endsWith("3\r\nabc\r\n3\r\nabc\r\n"));
  expect((taken.socket as Socket & { parser?: unknown }).parser).toBeTruthy();
  taken.wire.end();
  await waitFor(() => text().endsWith("0\r\n\r\n"));
});
