// The dashboard's files: small, from here alone, under a policy that lets nothing else run.

import { gunzipSync } from "node:zlib";
import { type FastifyInstance, fastify } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dashboardFiles } from "../../../services/admin/static.ts";

const ZIPPED_BYTES_MAX = 100_000;
const TRACES = 'https://traces.example.org/?a=b&id={trace}"><script src="x"></script>';
let app: FastifyInstance;

beforeAll(async () => {
  app = fastify();
  await app.register(dashboardFiles({ traceUrl: TRACES }), { prefix: "/ops" });
  await app.ready();
});

afterAll(() => app.close());

test("all files together are less than 100 KB zipped", async () => {
  const zipped = { "accept-encoding": "gzip" };
  const page = await app.inject({ url: "/ops/", headers: zipped });
  const script = /src="\.\/(assets\/[^"]*\.js)"/.exec(gunzipSync(page.rawPayload).toString())?.[1] ?? "";
  const style = /href="\.\/(assets\/[^"]*\.css)"/.exec(gunzipSync(page.rawPayload).toString())?.[1] ?? "";
  const files = await Promise.all([script, style].map((name) => app.inject({ url: `/ops/${name}`, headers: zipped })));
  const sizes = [page, ...files].map(({ rawPayload }) => rawPayload.length);
  expect(gunzipSync(files[0]?.rawPayload ?? "").toString(), "all of it is in one file").not.toMatch(
    /import\s*\(|import\s*["{]/,
  );
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(ZIPPED_BYTES_MAX);
  expect(Math.min(...sizes)).toBeGreaterThan(300);
});

test("the page names its files by relative addresses, and holds no script and no style", async () => {
  const { body, headers, statusCode } = await app.inject("/ops/");
  expect(statusCode).toBe(200);
  const addresses = [...body.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address ?? "");
  expect(addresses).toHaveLength(3);
  for (const address of addresses) expect(address).toMatch(/^\.\/assets\/[\w-]+\.\w+$/);
  expect(body).not.toMatch(/<style|style="|<script(?![^>]*src=)|\son\w+=/);
  // What a setting says is text in it, too.
  expect(body).toContain(
    'content="https://traces.example.org/?a=b&#38;id={trace}&#34;&#62;&#60;script src=&#34;x&#34;',
  );
  const policy = String(headers["content-security-policy"]);
  expect(policy).toContain(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'",
  );
  expect(policy).not.toContain("unsafe");
  expect(headers["cache-control"]).toBe("no-cache");
  for (const address of addresses) {
    const asset = await app.inject({ url: `/ops/${address.slice(2)}`, headers: { "accept-encoding": "gzip" } });
    expect(asset.headers["cache-control"]).toContain("immutable");
    expect(gunzipSync(asset.rawPayload).length).toBeGreaterThan(100);
    const again = await app.inject({
      url: `/ops/${address.slice(2)}`,
      headers: { "if-none-match": String(asset.headers.etag) },
    });
    expect(again.statusCode).toBe(304);
  }
});

test("an address that names no file is not found, whatever it looks like", async () => {
  for (const name of ["index.html", "..%2findex.html", "%2e%2e%2f%2e%2e%2fpackage.json", "x.js"])
    expect((await app.inject(`/ops/assets/${name}`)).statusCode, name).toBe(404);
});

test("the prefix without its slash leads to the page, relative to whatever stands before it", async () => {
  const { statusCode, headers } = await app.inject("/ops?x=1");
  expect([statusCode, headers.location]).toEqual([308, "./ops/?x=1"]);
});
