// The site of the admin port: loaded at the first request for it, asked under its prefix, stopped before its server.

import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { adminServer } from "../../../services/http/admin.ts";
import { LazySite, type Site } from "../../../services/http/lazy-site.ts";
import type { HttpServer } from "../../../services/http/server.ts";

const ALL_WELL = { live: () => [], ready: () => [], serving: () => [] };

/** Tells what it was asked, with the body that nobody may have read before. */
class Echo implements Site {
  stopped = false;

  answer(request: IncomingMessage, response: ServerResponse): void {
    void request
      .setEncoding("utf8")
      .toArray()
      .then((chunks) => response.end(`${request.method} ${request.url} ${chunks.join("")}`));
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }
}

let server: HttpServer | undefined;
afterEach(() => server?.stop(1_000));

async function serve(load: () => Promise<Site>, basePath = ""): Promise<{ site: LazySite; url: string }> {
  const site = new LazySite({ load, basePath });
  const around = { emit: () => {}, random: () => 0.5 };
  server = adminServer({ host: "127.0.0.1", port: 0, health: ALL_WELL, plugins: [site.plugin], ...around });
  await server.start();
  return { site, url: `http://127.0.0.1:${server.port}` };
}

async function textOf(url: string, body?: string): Promise<string> {
  const headers = { "content-type": "application/json" };
  return (await fetch(url, body === undefined ? {} : { method: "POST", body, headers })).text();
}

test("it is loaded once, at the first request that is not a probe's", async () => {
  let loads = 0;
  const echo = new Echo();
  const { site, url } = await serve(async () => {
    loads++;
    return echo;
  });
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  expect(loads).toBe(0);
  const told = await Promise.all([
    textOf(`${url}/`),
    textOf(`${url}/api/queues?limit=1`),
    textOf(`${url}/api/bulk`, "{nonsense"),
  ]);
  expect(told).toEqual(["GET / ", "GET /api/queues?limit=1 ", "POST /api/bulk {nonsense"]);
  expect(loads).toBe(1);
  await site.stop(1_000);
  expect(echo.stopped).toBe(true);
  expect((await fetch(`${url}/api/queues`)).status).toBe(503);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
});

test("it knows its routes under the prefix, whether a proxy has cut that off or not", async () => {
  const { url } = await serve(async () => new Echo(), "/ops/bot");
  for (const path of ["", "/ops/bot"]) expect(await textOf(`${url}${path}/api/now`)).toBe("GET /ops/bot/api/now ");
  expect(await textOf(`${url}/ops/bot`)).toBe("GET /ops/bot ");
  expect(await textOf(`${url}/ops/bottle`)).toBe("GET /ops/bot/ops/bottle ");
});

test("what cannot be loaded is tried again at the next request", async () => {
  let loads = 0;
  const { url } = await serve(async () => {
    if (loads++ === 0) throw new Error("not yet");
    return new Echo();
  });
  expect((await fetch(`${url}/api/now`)).status).toBe(500);
  expect(await textOf(`${url}/api/now`)).toBe("GET /api/now ");
});
