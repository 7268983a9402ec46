// A plain server of server-sent events as a subject: better-sse on Node's own HTTP server. It keeps nothing.

import { createServer } from "node:http";
import { createChannel, createSession } from "better-sse";
import { serve } from "./serve.ts";

const channel = createChannel();

async function open() {
  const server = createServer(async (request, response) => channel.register(await createSession(request, response)));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

serve({ open, publish: (data) => channel.broadcast(data) });
