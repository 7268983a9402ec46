// When things go wrong: each line of the table in docs/authors/bus-server.md. What is asked wrong is refused before it costs
// anything, who does not read or leaves is let go, and the reader beside them gets everything.

import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { BusSocket } from "../../support/bus-socket.ts";
import { waitFor } from "../../support/wait-for.ts";
import { onRedis, openTestBus, type OpenOptions, statusOf, type TestBus } from "./kit.ts";
import { SseReader } from "./sse-reader.ts";
import type { Stream } from "./stream.ts";

const HELD_MS = 170_000;
const LONG_MS = { timeoutMs: 60_000 };
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A bus, and a reader beside whatever happens. */
async function open(options: OpenOptions = {}) {
  const failures: unknown[] = [];
  const asked: string[] = [];
  const at = await openTestBus({
    websocket: true,
    realIds: true,
    longPollMs: HELD_MS,
    authorize: (_identity, channel) => {
      asked.push(channel);
      return true;
    },
    onEvent: (name, fields) => {
      // Of a process that has no turn for two seconds Redis seems to be away; that is another test's.
      const isOurs = name === "http.failed" || name === "loop.failed";
      if (isOurs && (fields["error"] as { code?: string }).code !== "REDIS_UNAVAILABLE") failures.push(fields["error"]);
    },
    ...options,
  });
  const beside = await at.stream({ "/beside": "" });
  await beside.isOpen();
  let said = 0;
  /** Everything that was said so far reached it, once and in order. */
  const othersNoticeNothing = async (): Promise<void> => {
    for (let n = 0; n < 3; n++) await at.publish("/beside", ++said);
    await waitFor(() => beside.dataOf("/beside").length >= said, LONG_MS);
    expect(beside.dataOf("/beside")).toEqual(Array.from({ length: said }, (_, n) => n + 1));
    expect(failures).toEqual([]);
  };
  await othersNoticeNothing();
  asked.length = 0;
  const ends = new Map<number, Socket>();
  at.app.server.on("connection", (end: Socket) => void ends.set(end.remotePort ?? 0, end));
  /** The server has let go of it. */
  const isLetGo = (one: Socket): boolean => ends.get(one.localPort ?? portOf.get(one) ?? 0)?.destroyed === true;
  return { at, beside, asked, othersNoticeNothing, isLetGo };
}

function jsonPoll(at: TestBus, body: unknown): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(`${at.url}/bus/poll`, { method: "POST", body: text });
}

async function sse(at: TestBus, query: string): Promise<SseReader> {
  const reader = await SseReader.open(`${at.url}/bus/sse?${query}`);
  closers.push(() => reader.leave());
  return reader;
}

async function socket(at: TestBus): Promise<BusSocket> {
  const opened = await BusSocket.open(`${at.url}/bus/ws`);
  closers.push(() => opened.socket.terminate());
  return opened;
}

/** Of sockets that may be closed by now. */
const portOf = new WeakMap<Socket, number>();

/** A socket that sends whatever it is told to. */
function raw(at: TestBus): Socket {
  const opened = connect(at.port, "127.0.0.1");
  opened.on("error", () => {});
  opened.on("connect", () => portOf.set(opened, opened.localPort ?? 0));
  closers.push(() => opened.destroy());
  return opened;
}

const pollHead = (id: string, body: string): string =>
  `POST /message-bus/${id}/poll HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`;

const channelsHeld = (at: TestBus): string[] => at.bus.diagnostics().channels.map(({ channel }) => channel);

describe("what is asked", () => {
  test("bad JSON: 400 on every face, an error on a WebSocket, and no rule is asked", async () => {
    const { at, asked, othersNoticeNothing } = await open();
    const bad = [
      "{",
      "[1]",
      '"x"',
      '{"channels": {"/a": "1"}}',
      '{"channels": 1}',
      '{"channels": {"/a": {"epoch": 1}}}',
    ];
    for (const body of bad) expect([body, (await jsonPoll(at, body)).status]).toEqual([body, 400]);
    const type = { "content-type": "application/json" };
    for (const body of ['{"/a":', "[]", '{"/a": {}}']) {
      const answer = await fetch(`${at.url}/message-bus/me/poll`, { method: "POST", headers: type, body });
      expect([body, answer.status]).toEqual([body, 400]);
      expect(await answer.json()).toMatchObject({ error: { code: "REQUEST_INVALID" } });
    }
    expect((await fetch(`${at.url}/bus/sse?channel=/a&cursor=%7B`)).status).toBe(400);
    const reader = await socket(at);
    reader.say("{");
    await reader.next(1, ({ error }) => error?.code === "REQUEST_INVALID");
    // The cursor of an EventSource is read once it is known who asks.
    expect(asked.filter((channel) => channel !== "/a")).toEqual([]);
    await othersNoticeNothing();
  });

  test("channels that nobody knows are empty, are not created, and bring what is published first", async () => {
    const { at, othersNoticeNothing } = await open();
    const keys = await onRedis("DBSIZE");
    expect(statusOf((await at.poll({ "/new": -1 })).messages)).toEqual({ "/new": 0 });
    expect(await (await jsonPoll(at, { channels: { "/new": { recent: 5 } } })).json()).toEqual({
      channels: { "/new": { epoch: "", offset: 0, recovered: true } },
      messages: [],
    });
    const [events, reader, stream] = [await sse(at, "channel=/new"), await socket(at), await at.stream({ "/new": 0 })];
    await reader.subscribe({ "/new": { epoch: "", offset: 0 } });
    await stream.isOpen();
    await waitFor(() => events.text.includes("id: -\n"), LONG_MS);
    expect(await onRedis("DBSIZE")).toBe(keys);
    await at.publish("/new", "first");
    await waitFor(() => events.text.includes('"first"') && stream.dataOf("/new").length === 1, LONG_MS);
    await reader.hears("/new", 1);
    expect(events.text).not.toContain("reset");
    expect(reader.told.flatMap(({ channels }) => channels?.["/new"] ?? []).every(({ recovered }) => recovered)).toBe(
      true,
    );
    await othersNoticeNothing();
  });

  test("positions from the future: where the channel stands is told, and what comes is delivered", async () => {
    const { at, othersNoticeNothing } = await open();
    const last = await at.publish("/a", 1);
    const epoch = ((await (await jsonPoll(at, { channels: { "/a": { recent: 1 } } })).json()) as Positions).channels[
      "/a"
    ]?.epoch;
    const future = last + 1_000_000;
    expect(statusOf((await at.poll({ "/a": future })).messages)).toEqual({ "/a": last });
    const lost = (await (
      await jsonPoll(at, { channels: { "/a": { epoch, offset: future } }, recent: 1 })
    ).json()) as Positions;
    expect(lost).toMatchObject({ channels: { "/a": { offset: last, recovered: false } }, messages: [{ data: 1 }] });
    const events = await sse(at, `channel=/a&cursor=${epoch}:${future}`);
    const stream = await at.stream({ "/a": future });
    await stream.isOpen();
    await waitFor(() => events.text.includes("event: reset"), LONG_MS);
    await at.publish("/a", 2);
    await waitFor(() => events.text.includes('"data":2') && stream.dataOf("/a").length === 1, LONG_MS);
    await othersNoticeNothing();
  });

  test("10,000 channels in one request: refused on every face, before any rule or the server is asked", async () => {
    const { at, asked, othersNoticeNothing } = await open();
    const names = Array.from({ length: 10_000 }, (_, n) => `/${n}`);
    const fits = names.slice(0, 4_000);
    const calls = async (): Promise<number> =>
      Number(/cmdstat_hmget:calls=(\d+)/.exec(String(await onRedis("INFO", "commandstats")))?.[1] ?? 0);
    const before = await calls();
    const entries = (all: string[]): Record<string, number> => Object.fromEntries(all.map((name) => [name, 0]));
    const nulls = (all: string[]): Record<string, null> => Object.fromEntries(all.map((name) => [name, null]));
    const statuses = [
      (await at.poll(entries(names))).status,
      (await at.poll(entries(fits))).status,
      (await jsonPoll(at, { channels: nulls(names) })).status,
      (await jsonPoll(at, { channels: nulls(fits) })).status,
      (await fetch(`${at.url}/bus/sse?${names.map((name) => `channel=${name}`).join("&")}`)).status,
      (
        await fetch(
          `${at.url}/bus/sse?${fits
            .slice(0, 900)
            .map((name) => `channel=${name}`)
            .join("&")}`,
        )
      ).status,
    ];
    expect(statuses).toEqual([413, 400, 413, 400, 431, 400]);
    const [large, many] = [await socket(at), await socket(at)];
    large.say({ subscribe: nulls(names) });
    expect((await large.ends()).code).toBe(1009);
    many.say({ subscribe: nulls(fits) });
    await many.next(1, ({ error }) => error?.code === "REQUEST_INVALID");
    expect(asked).toEqual([]);
    expect(channelsHeld(at).filter((name) => names.includes(name))).toEqual([]);
    // Comparing what is read every few seconds goes on.
    expect((await calls()) - before).toBeLessThan(100);
    await othersNoticeNothing();
  });
});

interface Positions {
  readonly channels: Readonly<
    Record<string, { readonly epoch: string; readonly offset: number; readonly recovered: boolean }>
  >;
}

describe("who asks", () => {
  test("a client that never reads, on any face, is closed; whole answers too", async () => {
    const { at, othersNoticeNothing, isLetGo } = await open();
    const from = await at.publish("/a", 0);
    const stuck: Stream = await at.stream({ "/a": from });
    await stuck.isOpen();
    stuck.stall();
    const events = raw(at);
    events.write("GET /bus/sse?channel=/a HTTP/1.1\r\nhost: x\r\n\r\n");
    events.once("data", () => events.pause());
    const deaf = await socket(at);
    await deaf.subscribe({ "/a": null });
    deaf.socket.pause();
    await waitFor(() => at.bus.diagnostics().connections === 4, LONG_MS);
    await at.flood("/a");
    await waitFor(() => at.bus.diagnostics().closed["slow"] === 3, LONG_MS);
    await waitFor(() => at.bus.diagnostics().connections === 1, LONG_MS);
    // A megabyte each, asked for again and again without reading any of it.
    const first = await at.publish("/b", 0);
    await at.flood("/b", 30);
    const greedy = raw(at);
    greedy.pause();
    const body = `%2Fb=${first}`;
    const one = (n: number): string => pollHead(`g${n}`, body).replace("/poll ", "/poll?dlp=t ") + body;
    // One after the other: what is refused meanwhile, because Redis has no turn, is asked for again.
    let asked = 0;
    const isOver = (): boolean => {
      if (asked++ < 2_000 && asked % 10 === 0) greedy.write(one(asked));
      return isLetGo(greedy);
    };
    await waitFor(isOver, { timeoutMs: 120_000 });
    await othersNoticeNothing();
  });

  test("clients that come again and again: 429 by client, and whoever leaves leaves nothing behind", async () => {
    const { at, othersNoticeNothing, isLetGo } = await open();
    const answers = await Promise.all(Array.from({ length: 60 }, () => at.poll({ "/a": 0 }, { id: "eager" })));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers } of refused) expect(headers.get("retry-after")).toMatch(/^([2-9]|10)$/);
    const body = "%2Floop=0";
    for (let round = 0; round < 10; round++) {
      const sockets = Array.from({ length: 30 }, (_, n) => {
        const one = raw(at).resume();
        one.write(pollHead(`loop${round}x${n}`, body) + body);
        return one;
      });
      // Some leave at once, some when they were answered.
      for (const one of sockets.slice(0, 15)) one.resetAndDestroy();
      await waitFor(() => sockets.slice(15).every((one) => one.bytesRead > 0), LONG_MS);
      for (const one of sockets.slice(15)) one.destroy();
      await waitFor(() => sockets.slice(15).every(isLetGo), LONG_MS);
    }
    await waitFor(() => at.bus.diagnostics().connections === 1, LONG_MS);
    expect(channelsHeld(at)).not.toContain("/loop");
    await othersNoticeNothing();
  });

  test("a client that leaves in mid-write, in the middle of its backlog, or of its own request, is forgotten", async () => {
    const { at, othersNoticeNothing, isLetGo } = await open();
    const from = await at.publish("/a", 0);
    const text = "x".repeat(50_000);
    await Promise.all(Array.from({ length: 20 }, (_, n) => at.publish("/a", { n, text })));
    const body = `%2Fa=${from}`;
    for (let n = 0; n < 12; n++) {
      const one = raw(at);
      one.write(pollHead(`leaver${n}`, body) + body);
      one.resume();
      await waitFor(() => one.bytesRead > n * 60_000, LONG_MS);
      const publishing = at.publish("/a", { n, text });
      if (n % 2 === 0) one.resetAndDestroy();
      else one.destroy();
      await publishing;
      await waitFor(() => isLetGo(one), LONG_MS);
    }
    for (const part of ["POST /message-bus/half/poll HTTP/1.1\r\nhost:", pollHead("half", body) + body.slice(0, 2)]) {
      const one = raw(at);
      await new Promise<void>((sent) => one.write(part, () => sent()));
      one.resetAndDestroy();
      await waitFor(() => isLetGo(one), LONG_MS);
    }
    expect(at.bus.diagnostics()).toMatchObject({ connections: 1, byFace: { stream: 1 } });
    expect(channelsHeld(at)).not.toContain("/a");
    await othersNoticeNothing();
  });
});

describe("the server", () => {
  test("is flushed under live readers of every face: they are told, and hear what comes", async () => {
    const { at } = await open();
    await at.publish("/a", 1);
    const [stream, events, reader] = [
      await at.stream({ "/a": -2 }, { query: "gaps=t" }),
      await sse(at, "channel=/a"),
      await socket(at),
    ];
    await reader.subscribe({ "/a": { recent: 1 } });
    await waitFor(() => stream.dataOf("/a").length === 1, LONG_MS);
    await onRedis("FLUSHALL");
    const after = await at.publish("/a", "after");
    await waitFor(() => stream.dataOf("/a").includes("after") && events.text.includes('"after"'), LONG_MS);
    await reader.hears("/a", 2);
    expect(events.text).toContain("event: reset");
    expect(stream.messages.some(({ channel }) => channel === "/__gap")).toBe(true);
    const told = reader.told.flatMap(({ channels }) => channels?.["/a"] ?? []);
    expect(told.find(({ recovered }) => !recovered)?.offset).toBe(after);
    expect(reader.dataOf("/a")).toEqual([1, "after"]);
  });
});
