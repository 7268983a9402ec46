// Server-sent events from bytes, however the bytes are cut.

import { expect, test } from "vitest";
import { readEvents, type ServerEvent } from "../../../services/cli/events.ts";

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function read(...chunks: string[]): Promise<ServerEvent[]> {
  const bytes = (async function* () {
    for (const chunk of chunks) yield new TextEncoder().encode(chunk);
  })();
  return all(readEvents(bytes));
}

test("an event has its type, its data and its id", async () => {
  const text = 'event: message\nid: 7\ndata: {"a":1}\n\n: heartbeat\n\ndata: plain\n\n';
  expect(await read(text)).toEqual([
    { type: "message", data: '{"a":1}', id: "7" },
    { type: "message", data: "plain" },
  ]);
});

test("the cuts between chunks do not matter", async () => {
  const text = "event: x\r\nid: 1\r\ndata: one\r\ndata: two\r\n\r\ndata: ü\r\n\r\n";
  const whole = await read(text);
  expect(whole).toEqual([
    { type: "x", data: "one\ntwo", id: "1" },
    { type: "message", data: "ü" },
  ]);
  expect(await read(...text)).toEqual(whole);
});

test("what carries no data, and what was not ended, is no event", async () => {
  expect(await read("retry: 1000\n\nevent: x\n\ndata: not ended\n")).toEqual([]);
});

test("a line without an end is refused instead of kept", async () => {
  await expect(read(...Array.from({ length: 20 }, () => "x".repeat(100_000)))).rejects.toThrow("line without an end");
});

test("comments count as a sign of life", async () => {
  let alive = 0;
  const bytes = (async function* () {
    yield new TextEncoder().encode(": a\n\n");
    yield new TextEncoder().encode(": b\n\n");
  })();
  await all(readEvents(bytes, () => alive++));
  expect(alive).toBe(2);
});
