// Serves the dashboard's files. They say nothing of the bot, so anybody may have them; what the page asks of the API, not.
//
// All their addresses are relative and the page's own places are in the fragment, so that one build works under any prefix.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";

/** By their paths, which are relative to the page. */
type Files = ReadonlyMap<string, Uint8Array>;

interface Served {
  readonly bytes: Uint8Array;
  readonly zipped: Uint8Array;
  readonly type: string;
  readonly tag: string;
}

const PAGE = "index.html";
/** What `npm run build` made: beside the compiled files, or, where the sources run in the image, in its dist/. */
const BUILT = [new URL("../dashboard/", import.meta.url), new URL("../../dist/dashboard/", import.meta.url)];
/** Where nothing is built, in the sources, a process of its own bundles it at the first request. */
const BUNDLER = new URL("../../scripts/dashboard.ts", import.meta.url);
const BUNDLE_MS = 60_000;
const BUNDLE_BYTES_MAX = 10_000_000;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  vary: "accept-encoding",
} as const;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

export interface DashboardOptions {
  /** Where a trace is shown; `{trace}` stands for its id. */
  readonly traceUrl?: string | undefined;
}

export function dashboardFiles({ traceUrl = "" }: DashboardOptions = {}): FastifyPluginAsync {
  return (app) => serve(app, traceUrl);
}

async function serve(app: FastifyInstance, traceUrl: string): Promise<void> {
  let files: Promise<ReadonlyMap<string, Served>> | undefined;
  const served = async (path: string): Promise<Served | undefined> => {
    files ??= load().then((found) => prepared(found, traceUrl));
    // What failed once is tried again at the next request.
    files.catch(() => (files = undefined));
    return (await files).get(path);
  };
  const config = { role: "public" } as const;
  app.get("/", { config }, async (request, reply) => {
    const [path = "", search = ""] = request.url.split(/(?=\?)/, 2);
    // What is relative in the page begins at the last slash. So does this: whatever stands before it may be a proxy's.
    if (!path.endsWith("/")) return await reply.redirect(`./${path.slice(path.lastIndexOf("/") + 1)}/${search}`, 308);
    return await send(request, reply.header("cache-control", "no-cache"), await served(PAGE));
  });
  app.get<{ Params: { name: string } }>("/assets/:name", { config }, async (request, reply) => {
    const file = await served(`assets/${request.params.name}`);
    // Its name says what is in it.
    if (file !== undefined) void reply.header("cache-control", "public, max-age=31536000, immutable");
    return await send(request, reply, file);
  });
}

async function send(request: FastifyRequest, reply: FastifyReply, file: Served | undefined): Promise<FastifyReply> {
  if (file === undefined) {
    reply.callNotFound();
    return reply;
  }
  void reply.headers({ ...HEADERS, etag: file.tag });
  if (request.headers["if-none-match"] === file.tag) return await reply.code(304).send();
  void reply.type(file.type);
  if (!/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) return await reply.send(file.bytes);
  return await reply.header("content-encoding", "gzip").send(file.zipped);
}

function prepared(files: Files, traceUrl: string): ReadonlyMap<string, Served> {
  const told = (path: string, bytes: Uint8Array): Uint8Array => (path === PAGE ? withTraceUrl(bytes, traceUrl) : bytes);
  return new Map([...files].map(([path, bytes]) => [path, servedAs(path, told(path, bytes))]));
}

const UNSAFE = /[&<>"']/g;

function withTraceUrl(page: Uint8Array, url: string): Buffer {
  const safe = url.replace(UNSAFE, (character) => `&#${character.charCodeAt(0)};`);
  return Buffer.from(
    Buffer.from(page)
      .toString()
      .replace('name="trace-url" content=""', () => `name="trace-url" content="${safe}"`),
  );
}

function servedAs(path: string, bytes: Uint8Array): Served {
  return {
    bytes,
    zipped: gzipSync(bytes, { level: 9 }),
    type: TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream",
    tag: `"${createHash("sha256").update(bytes).digest("base64url")}"`,
  };
}

async function load(): Promise<Files> {
  const [beside, inImage] = BUILT;
  // In the sources the folder beside this one holds the dashboard's own sources, which have no assets.
  if (beside !== undefined && existsSync(new URL("assets/", beside))) return await read(beside);
  if (existsSync(BUNDLER)) return await bundle();
  return inImage === undefined ? new Map() : await read(inImage);
}

async function bundle(): Promise<Files> {
  const bounds = { timeout: BUNDLE_MS, maxBuffer: BUNDLE_BYTES_MAX };
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(BUNDLER)], bounds);
  const files = JSON.parse(stdout) as readonly (readonly [path: string, base64: string])[];
  return new Map(files.map(([path, base64]) => [path, Buffer.from(base64, "base64")] as const));
}

async function read(folder: URL): Promise<Files> {
  const assets = (await readdir(new URL("assets/", folder))).map((name) => `assets/${name}`);
  const paths = [PAGE, ...assets];
  return new Map(await Promise.all(paths.map(async (path) => [path, await readFile(new URL(path, folder))] as const)));
}
