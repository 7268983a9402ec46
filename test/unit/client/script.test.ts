// The files that browsers get: small, complete, and a stand-in for MessageBus' own client.

import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { bundleClient } from "../../../scripts/client.ts";

const BYTES_MAX = 5_000;

let files: Awaited<ReturnType<typeof bundleClient>>;

beforeAll(async () => {
  files = await bundleClient();
});

test("the script and the module are below 5 KB each, compressed, and import nothing", () => {
  for (const [name, text] of Object.entries(files)) {
    expect(gzipSync(text, { level: 9 }).byteLength, name).toBeLessThan(BYTES_MAX);
    expect(text, name).not.toMatch(/\bimport\b|\brequire\(/);
  }
});

interface Place {
  MessageBus: Record<string, unknown>;
}

function place(before?: object): Place {
  const globals = { crypto, performance, setTimeout, clearTimeout, ...(before && { MessageBus: before }) };
  runInNewContext(files["client.js"], globals);
  return globals as never;
}

test("the script defines MessageBus with every method and setting of the published client, and does nothing yet", () => {
  const { MessageBus } = place();
  expect(MessageBus).toMatchObject({
    minHiddenPollInterval: 1500,
    enableChunkedEncoding: true,
    enableLongPolling: true,
    callbackInterval: 15_000,
    backgroundCallbackInterval: 60_000,
    minPollInterval: 100,
    maxPollInterval: 180_000,
    callbacks: [],
    clientId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    alwaysLongPoll: false,
    shouldLongPollCallback: undefined,
    firstChunkTimeout: 3000,
    retryChunkedAfterRequests: 30,
    baseUrl: "/",
    headers: {},
  });
  for (const method of [
    "ajax",
    "diagnostics",
    "pause",
    "resume",
    "stop",
    "start",
    "status",
    "subscribe",
    "unsubscribe",
  ]) {
    expect(MessageBus[method], method).toBeTypeOf("function");
  }
});

test("noConflict gives the name back", () => {
  const before = {};
  const globals = place(before);
  const ours = globals.MessageBus;
  expect((ours["noConflict"] as () => unknown).call(ours)).toBe(ours);
  expect(globals.MessageBus).toBe(before);
});
