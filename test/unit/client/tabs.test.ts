// Pages of one browser that share a connection, with real Web Locks and a real BroadcastChannel: Node has both.

import { afterEach, beforeEach, expect, test } from "vitest";
import { Bus } from "../../../services/client/client.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type FakeRequest, FakeServer, message, status } from "./fake-xhr.ts";

interface Page {
  readonly bus: Bus;
  readonly server: FakeServer;
  readonly heard: number[];
}

let pages: Page[];
/** So that tests do not share with each other. */
let baseUrl: string;

beforeEach(() => {
  pages = [];
  baseUrl = `/${crypto.randomUUID()}/`;
});

afterEach(() => {
  for (const { bus } of pages) bus.stop();
});

function open(settings: Partial<Bus> = {}): Page {
  const server = new FakeServer();
  const bus = new Bus({ xhrImplementation: server.Xhr, baseUrl, minPollInterval: 0, ...settings });
  const page = { bus, server, heard: [] };
  pages.push(page);
  return page;
}

function hear({ bus, heard }: Page, channel: string, lastId: number): void {
  bus.subscribe(channel, (_data, _globalId, messageId) => heard.push(messageId), lastId);
}

/** The request that is held for all. */
function held(): Promise<FakeRequest> {
  return waitFor(() => {
    const open = pages.flatMap(({ server }) => server.requests.filter(({ readyState }) => readyState !== 4));
    return open.length === 1 ? open[0] : undefined;
  });
}

async function asks(positions: Record<string, string>): Promise<FakeRequest> {
  return await waitFor(async () => {
    const request = await held();
    expect(request.positions).toEqual(positions);
    return request;
  });
}

test("two pages have one connection, and each hears what it asked for", async () => {
  const [one, two] = [open(), open()];
  hear(one, "/a", 1);
  await asks({ "/a": "1" });
  hear(two, "/a", 3);
  hear(two, "/b", 5);
  const request = await asks({ "/a": "1", "/b": "5" });
  request.stream([message("/a", 2), message("/a", 4), message("/b", 6)]);
  await waitFor(() => two.heard.length === 2);
  expect([one.heard, two.heard]).toEqual([
    [2, 4],
    [4, 6],
  ]);
  expect(two.server.requests).toEqual([]);
  expect([one.bus.state, two.bus.state]).toEqual(["connected", "connected"]);
  expect(two.bus.clientId).toBe(one.bus.clientId);
});

test("the leader goes: another asks from where each page stands, under the same client id", async () => {
  const [one, two, three] = [open(), open(), open()];
  hear(one, "/a", 1);
  await asks({ "/a": "1" });
  hear(two, "/a", 1);
  hear(three, "/b", -1);
  const request = await asks({ "/a": "1", "/b": "-1" });
  request.stream([status({ "/b": 40 })]);
  request.stream([message("/a", 2), message("/b", 41)]);
  await waitFor(() => two.heard.length === 1 && three.heard.length === 1);
  one.bus.stop();
  const next = await asks({ "/a": "2", "/b": "41" });
  expect(next.url).toContain(one.bus.clientId);
  next.stream([message("/a", 2), message("/a", 3), message("/b", 42)]);
  await waitFor(() => two.heard.length === 2 && three.heard.length === 2);
  expect([two.heard, three.heard]).toEqual([
    [2, 3],
    [41, 42],
  ]);
});

test("a page that goes is not asked for any more", async () => {
  const [one, two] = [open(), open()];
  hear(one, "/a", 1);
  await asks({ "/a": "1" });
  hear(two, "/b", 1);
  await asks({ "/a": "1", "/b": "1" });
  two.bus.stop();
  await asks({ "/a": "1" });
});

test("what one page subscribes and unsubscribes changes nothing for the others", async () => {
  const [one, two] = [open(), open()];
  hear(one, "/a", 1);
  await asks({ "/a": "1" });
  hear(two, "/b", -3);
  (await asks({ "/a": "1", "/b": "-3" })).stream([message("/b", 8), message("/b", 9), message("/a", 2)]);
  await waitFor(() => two.heard.length === 2);
  hear(two, "/c", 1);
  (await asks({ "/a": "2", "/b": "9", "/c": "1" })).stream([message("/c", 2)]);
  await waitFor(() => two.heard.length === 3);
  two.bus.unsubscribe("/*");
  await asks({ "/a": "2" });
  expect([one.heard, two.heard]).toEqual([[2], [8, 9, 2]]);
});

test("gaps and refusals reach the page that they concern", async () => {
  const [one, two] = [open(), open()];
  const told: unknown[] = [];
  two.bus.on("gap", (gap) => told.push(gap));
  two.bus.on("state", ({ state, status }) => state === "denied" && told.push(status));
  hear(one, "/a", 1);
  await asks({ "/a": "1" });
  hear(two, "/b", 1);
  const request = await asks({ "/a": "1", "/b": "1" });
  request.stream([{ global_id: -1, message_id: -1, channel: "/__gap", data: { "/b": 9 } }]);
  await waitFor(() => told.length === 1);
  request.end({ status: 401 });
  await waitFor(() => told.length === 2);
  expect(told).toEqual([{ channel: "/b", head: 9 }, 401]);
});

test("a page that is paused for long does not keep the others waiting", async () => {
  const [one, two] = [open(), open({ maxPaused: 2 })];
  hear(one, "/a", 1);
  await asks({ "/a": "1" });
  hear(two, "/a", 1);
  hear(two, "/b", 1);
  two.bus.pause();
  (await asks({ "/a": "1", "/b": "1" })).stream([message("/a", 2), message("/a", 3)]);
  await asks({ "/a": "3" });
  (await held()).stream([message("/a", 4)]);
  await waitFor(() => one.heard.length === 3);
  two.bus.resume();
  const next = await asks({ "/a": "3", "/b": "1" });
  next.stream([message("/a", 4)]);
  await waitFor(() => two.heard.length === 3);
  expect([one.heard, two.heard]).toEqual([
    [2, 3, 4],
    [2, 3, 4],
  ]);
});

test("pages with other headers, and pages that do not want to, share nothing", async () => {
  const [one, two, three] = [open(), open({ headers: { Authorization: "x" } }), open({ shareTabs: false })];
  for (const page of [one, two, three]) hear(page, "/a", 1);
  await waitFor(() => [one, two, three].every(({ server }) => server.requests.length === 1));
});
