// Serves the page of the deploy board: `node examples/deploy-board/serve.ts [PORT]`. Any web server will do in its place.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const PORT = 8081;
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/board.js": ["board.js", "text/javascript; charset=utf-8"],
  "/board.css": ["board.css", "text/css; charset=utf-8"],
};

const server = createServer(async (request, response) => {
  const [file, type] = FILES[new URL(request.url ?? "/", "http://board").pathname] ?? [];
  if (file === undefined || type === undefined) {
    response.writeHead(404).end();
    return;
  }
  const text = await readFile(new URL(`page/${file}`, import.meta.url));
  response.writeHead(200, { "content-type": type }).end(text);
});

server.listen(Number(process.argv[2] ?? PORT), "127.0.0.1", () => {
  process.stdout.write(`the board is at http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);
});
