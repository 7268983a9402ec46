// Socket.IO as a subject: by itself for its streams, which is the least it can do; with its Redis Streams adapter, which keeps
// what was sent, for publishing.

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import { CHANNEL, dataNow } from "./protocol.ts";
import { serve } from "./serve.ts";

const STREAM = "socket.io";
const AT_ONCE = 100;
let url = "";
let io;

async function open(redis) {
  url = redis;
  const server = createServer();
  io = new Server(server, { transports: ["websocket"], serveClient: false });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

async function store(messages) {
  const redis = new Redis(url);
  const stored = new Server(createServer(), { adapter: createAdapter(redis, { streamName: STREAM }) });
  for (let sent = 0; sent < messages; sent++) {
    stored.emit(CHANNEL, dataNow());
    if (sent % AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  while ((await added(redis)) < messages) await new Promise((resolve) => setTimeout(resolve, 1));
  redis.disconnect();
}

/** Trimmed ones too. */
async function added(redis) {
  const facts = await redis.xinfo("STREAM", STREAM).catch(() => []);
  return facts[facts.indexOf("entries-added") + 1] ?? 0;
}

serve({ open, store, publish: (data) => io.emit(CHANNEL, data) });
