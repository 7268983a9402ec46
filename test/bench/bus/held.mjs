// Node's own HTTP server as a subject: it answers with a head and a byte and holds the rest, and does nothing else.

import { createServer } from "node:http";
import { serve } from "./serve.ts";

const held = new Set();

async function open() {
  const server = createServer((_request, response) => {
    held.add(response);
    response.writeHead(200, { "content-type": "text/plain" });
    response.write("\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

serve({ open, publish: () => {} });
