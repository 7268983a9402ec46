// The bus of `antiphon/bus` over Node's own HTTP server: server-sent events, JSON polls, tokens, CORS, an outage.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { type MessageBus, signChannels } from "../../../services/bus/plugin.ts";
import { useBuses } from "../../support/buses.ts";
import { startProxy } from "../../support/proxy.ts";
import { waitFor } from "../../support/wait-for.ts";

const LONG_MS = { timeoutMs: 20_000 };
const buses = useBuses();
const { open, closers } = buses;

/** Served by Node's own server. */
async function serve(bus: MessageBus, next?: () => void): Promise<string> {
  const server = createServer((request, response) => bus.handler(request, response, next));
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  closers.push(() => new Promise((closed) => server.close(closed)));
  closers.push(async () => server.closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("over HTTP", () => {
  const sse = async (at: string, query: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${at}/bus/sse?${query}`, { headers });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    closers.push(() => reader.cancel());
    let text = "";
    const until = async (part: string): Promise<string> => {
      while (!text.includes(part)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`It ended with: ${text}`);
        text += Buffer.from(value).toString();
      }
      return text;
    };
    return { response, until };
  };
  const ask = (at: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${at}/bus/poll`, { method: "POST", body: JSON.stringify(body), headers });

  test("beside an application: what is not the bus' goes on to it, or is not found", async () => {
    const bus = await open({ access: "open" });
    let passed = 0;
    const at = await serve(bus);
    expect((await fetch(`${at}/elsewhere`)).status).toBe(404);
    const server = createServer((request, response) => {
      bus.handler(request, response, () => {
        passed++;
        response.end("theirs");
      });
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    closers.push(() => new Promise((closed) => server.close(closed)));
    const { port } = server.address() as AddressInfo;
    expect(await (await fetch(`http://127.0.0.1:${port}/elsewhere`)).text()).toBe("theirs");
    expect(passed).toBe(1);
  });

  test("server-sent events of several channels resume at their cursor, and tell what was lost", async () => {
    const bus = await open({ access: "open" });
    const at = await serve(bus);
    await bus.publish("/a", "old");
    const { response, until } = await sse(at, "channel=/a&channel=/b");
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    await until("id: ");
    await bus.publish("/b", "b1");
    const text = await until('"b1"');
    expect(text).toContain('"channel":"/b","epoch":');
    expect(text).not.toContain("old");
    const cursor = /id: (\S+)\nevent: message/.exec(text)?.[1] ?? "";
    await bus.publish("/a", "a2");
    const again = await sse(at, "channel=/a&channel=/b", { "last-event-id": cursor });
    const missed = await again.until('"a2"');
    expect(missed).not.toContain("b1");
    expect(missed).not.toContain("event: reset");
    const lost = await sse(at, "channel=/a&channel=/b&recent=1&cursor=old:3,old:4");
    expect(await lost.until('"b1"')).toContain("event: reset");
    expect((await fetch(`${at}/bus/sse?channel=/a&cursor=${encodeURIComponent("!")}`)).status).toBe(400);
  });

  test("one channel: each event's id is its position", async () => {
    const bus = await open({ access: "open" });
    const at = await serve(bus);
    const { until } = await sse(at, "channel=/a");
    await until("id: -");
    const published = await bus.publish("/a", 1);
    if (published.status !== "stored") throw new Error(published.status);
    expect(await until("event: message")).toContain(`id: ${published.epoch}:${published.offset}\n`);
  });

  test("JSON polls carry epochs, wait, and say whether all was recovered", async () => {
    const bus = await open({ access: "open" });
    const at = await serve(bus);
    await bus.publish("/a", 1);
    await bus.publish("/a", 2);
    const first = (await (await ask(at, { channels: { "/a": { recent: 1 }, "/b": null } })).json()) as Answer;
    expect(first.messages.map(({ data }) => data)).toEqual([2]);
    const position = first.channels["/a"];
    const waiting = ask(at, { channels: { "/a": position, "/b": null }, wait: 20 });
    await waitFor(() => bus.diagnostics().connections === 1, LONG_MS);
    await bus.publish("/a", 3, { userIds: ["ann"] });
    await bus.publish("/a", 4);
    const second = (await (await waiting).json()) as Answer;
    expect(second.messages).toEqual([{ channel: "/a", epoch: position?.epoch, offset: 4, data: 4 }]);
    expect(Object.keys(second.channels)).toEqual(["/a", "/b"]);
    const lost = (await (
      await ask(at, { channels: { "/a": { epoch: "old", offset: 1 } }, recent: 2 })
    ).json()) as Answer;
    expect(lost.channels["/a"]).toMatchObject({ offset: 4, recovered: false });
    const idle = (await (await ask(at, { channels: { "/a": second.channels["/a"] }, wait: 0.1 })).json()) as Answer;
    expect(idle).toEqual({ channels: { "/a": { epoch: position?.epoch, offset: 4, recovered: true } }, messages: [] });
    for (const body of [{ channels: { "/a": 5 } }, { wait: -1 }, { channels: [] }, "{"]) {
      expect((await ask(at, body)).status).toBe(400);
    }
  });

  test("a signed token opens the channels that it names, and no others", async () => {
    const secret = "a secret of some length";
    const bus = await open({ tokenSecret: secret });
    const at = await serve(bus);
    await bus.publish("/room/1", "hello");
    const token = signChannels({ secret, channels: ["/room/*"], expiresAt: Date.now() + 60_000 });
    const poll = async (channel: string, given: string): Promise<number> =>
      (await ask(at, { channels: { [channel]: null } }, { "x-bus-token": given })).status;
    expect(await poll("/room/1", token)).toBe(200);
    expect(await poll("/else", token)).toBe(403);
    expect(await poll("/room/1", `${token}x`)).toBe(401);
    const expired = signChannels({ secret, channels: ["/room/*"], expiresAt: Date.now() - 1 });
    expect(await poll("/room/1", expired)).toBe(401);
    const forged = signChannels({ secret: "another secret, as long", channels: ["*"], expiresAt: Date.now() + 60_000 });
    expect(await poll("/room/1", forged)).toBe(401);
  });

  test("CORS: preflights are answered before anybody is asked who it is; only the origins named", async () => {
    let asked = 0;
    const cors = { origins: ["https://app.example.com"], credentials: true, headers: ["X-Mine"] };
    const bus = await open({ cors, identify: () => (asked++, {}) });
    const at = await serve(bus);
    const preflight = (origin: string): Promise<Response> =>
      fetch(`${at}/message-bus/me/poll`, { method: "OPTIONS", headers: { origin } });
    const { headers, status } = await preflight("https://app.example.com");
    expect([status, asked]).toEqual([200, 0]);
    expect(headers.get("access-control-allow-origin")).toBe("https://app.example.com");
    expect(headers.get("access-control-allow-credentials")).toBe("true");
    expect(headers.get("access-control-allow-headers")).toContain("X-SILENCE-LOGGER");
    expect(headers.get("access-control-allow-headers")).toContain("X-Mine");
    expect((await preflight("https://evil.example.com")).headers.get("access-control-allow-origin")).toBeNull();
  });

  test("a client id that somebody used is refused to others", async () => {
    const bus = await open({ access: "open", identify: ({ headers }) => ({ user: headers["x-user"]?.toString() }) });
    const at = await serve(bus);
    const poll = async (user?: string): Promise<number> => {
      const headers = user === undefined ? {} : { "x-user": user };
      return (await fetch(`${at}/message-bus/mine/poll?dlp=t`, { method: "POST", headers, body: "" })).status;
    };
    expect([await poll(), await poll("ann"), await poll("ann"), await poll("bob"), await poll()]).toEqual([
      200, 200, 200, 403, 403,
    ]);
  });

  test("away, the bus answers 503 and says when to come again", async () => {
    const proxy = await startProxy(Number(new URL(buses.url).port));
    closers.push(() => proxy.stop());
    const bus = await open({ url: `redis://127.0.0.1:${proxy.port}`, access: "open" });
    const at = await serve(bus);
    await proxy.refuse();
    await waitFor(async () => {
      const answer = await ask(at, { channels: { "/a": null } });
      return answer.status === 503 && /^\d+$/.test(answer.headers.get("retry-after") ?? "");
    }, LONG_MS);
    await proxy.mend();
    await waitFor(async () => (await ask(at, { channels: { "/a": null } })).status === 200, LONG_MS);
  });
});

interface Answer {
  readonly channels: Readonly<Record<string, { epoch: string; offset: number; recovered: boolean }>>;
  readonly messages: readonly { channel: string; epoch: string; offset: number; data: unknown }[];
}
