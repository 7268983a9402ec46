// The browser's client when it pauses, stops, is refused, cut off or not seen by anybody.

import { describe, expect, test, vi } from "vitest";
import { message } from "./fake-xhr.ts";
import { stage } from "./stage.ts";

const at = stage();

describe("pause and stop", () => {
  test("messages wait while it is paused, each once, and come in order when it is resumed", async () => {
    const heard = at.hear("/a", 0);
    at.bus.pause();
    expect(at.bus.status()).toBe("paused");
    await at.pass(0);
    at.server.last.stream([message("/a", 1)]);
    await at.pass(1_500);
    at.server.last.end();
    await at.pass(100);
    expect(at.server.last.positions).toEqual({ "/a": "1" });
    at.server.last.stream([message("/a", 2)]);
    expect(heard).toEqual([]);
    at.bus.resume();
    expect(heard.map((told) => (told as unknown[])[2])).toEqual([1, 2]);
    expect(at.bus.status()).toBe("started");
  });

  test("a pause keeps a limited number of messages, and nothing is lost by it", async () => {
    at.bus.maxPaused = 2;
    const heard = at.hear("/a", 0);
    at.bus.pause();
    await at.pass(0);
    at.server.last.stream([message("/a", 1), message("/a", 2)]);
    await at.pass(200);
    expect(at.server.requests.map(({ isAborted }) => isAborted)).toEqual([true]);
    at.bus.resume();
    await at.pass(200);
    expect(at.server.last.positions).toEqual({ "/a": "2" });
    expect(heard).toHaveLength(2);
  });

  test("stop ends the request and stays stopped until start, which continues where it was", async () => {
    at.hear("/a", 3);
    await at.connected();
    at.bus.stop();
    expect([at.bus.status(), at.bus.state, at.server.last.isAborted]).toEqual(["stopped", "stopped", true]);
    at.hear("/b", 4);
    await at.pass(60_000);
    expect(at.server.requests).toHaveLength(1);
    at.bus.start();
    await at.pass(0);
    expect(at.server.last.positions).toEqual({ "/a": "3", "/b": "4" });
  });
});

describe("when things go wrong", () => {
  test("it comes back within half a second, then after pauses that grow and are never the same for all", async () => {
    at.hear("/a", 1);
    await at.connected();
    at.server.last.end({ status: 0 });
    expect(at.bus.state).toBe("waiting");
    const pauses: number[] = [];
    for (let round = 0; round < 12; round++) {
      const from = at.server.requests.length;
      const since = Date.now();
      while (at.server.requests.length === from) await at.pass(50);
      pauses.push(Date.now() - since);
      at.server.last.end({ status: 502 });
    }
    expect(pauses[0]).toBeLessThanOrEqual(550);
    for (const [index, pauseMs] of pauses.entries()) {
      const most = Math.min(180_000, 500 * 2 ** index);
      expect(pauseMs).toBeGreaterThanOrEqual(most / 2);
      expect(pauseMs).toBeLessThanOrEqual(most + 50);
    }
    await at.pass(180_000);
    at.server.last.stream([]);
    expect(at.bus.state).toBe("connected");
    expect(at.events.map(([, detail]) => (detail as { state: string }).state)).toEqual([
      "connecting",
      "connected",
      "waiting",
      "connected",
    ]);
  });

  test("who is told to come later comes later, even when something is subscribed meanwhile", async () => {
    at.hear("/a", 1);
    await at.pass(0);
    at.server.last.end({ status: 429, headers: { "retry-after": "23" } });
    at.hear("/b", 1);
    await at.pass(22_900);
    expect(at.server.requests).toHaveLength(1);
    await at.pass(200);
    expect(at.server.requests).toHaveLength(2);
    at.server.last.end({ status: 429, headers: { "retry-after": "13" } });
    await at.pass(14_900);
    expect(at.server.requests).toHaveLength(2);
    await at.pass(200);
    at.server.last.end({ status: 503, headers: { "retry-after": "5" } });
    await at.pass(4_900);
    expect(at.server.requests).toHaveLength(3);
    await at.pass(200);
    expect(at.server.requests).toHaveLength(4);
  });

  test("a refusal ends it for good and says so; start tries again", async () => {
    at.hear("/a", 1);
    await at.pass(0);
    at.server.last.end({ status: 401 });
    await at.pass(600_000);
    expect(at.server.requests).toHaveLength(1);
    expect(at.events.at(-1)).toEqual(["state", { state: "denied", status: 401 }]);
    at.bus.start();
    await at.pass(0);
    expect(at.server.requests).toHaveLength(2);
  });

  test("a client id that is another's by now is given up once; then a refusal is one", async () => {
    at.hear("/a", 1);
    await at.connected();
    const before = at.bus.clientId;
    at.server.last.end({ status: 403 });
    await at.pass(100);
    expect(at.bus.clientId).not.toBe(before);
    expect(at.server.last.url).toContain(at.bus.clientId);
    at.server.last.end({ status: 403 });
    expect(at.bus.state).toBe("denied");
  });

  test("a stream that is held back in between is done without for a while, once", async () => {
    at.bus.retryChunkedAfterRequests = 2;
    at.hear("/a", 1);
    await at.pass(0);
    await at.pass(3_000);
    expect(at.server.last.isAborted).toBe(true);
    for (let round = 0; round < 3; round++) {
      await at.pass(100);
      expect("Dont-Chunk" in at.server.last.headers).toBe(round < 2);
      at.server.last.json([message("/a", round + 2)]);
    }
    expect(at.bus.state).toBe("connected");
  });

  test("a request that was given up before its first chunk does not end streaming", async () => {
    at.hear("/a", 1);
    await at.pass(2_900);
    at.hear("/b", 1);
    await at.pass(200);
    expect(at.server.requests).toHaveLength(2);
    expect(at.server.last.headers).not.toHaveProperty("Dont-Chunk");
    at.server.last.stream([]);
    await at.pass(3_000);
    expect(at.server.last.isAborted).toBe(false);
  });

  test("an answer that nobody held is asked for again after its interval, not in a loop", async () => {
    at.hear("/a", 1);
    await at.pass(0);
    at.server.last.json([]);
    await at.pass(14_900);
    expect(at.server.requests).toHaveLength(1);
    await at.pass(100);
    expect(at.server.requests).toHaveLength(2);
  });

  test("a gap and a channel that may not be read are told to whom they concern", async () => {
    at.hear("/a", 1);
    at.hear("/b", 1);
    await at.connected();
    const note = (channel: string, data: object): object => ({ global_id: -1, message_id: -1, channel, data });
    at.server.last.stream([
      note("/__gap", { "/a": 9, "/other": 1 }),
      note("/__denied", { "/b": "CHANNEL_DENIED" }),
      message("/a", 8),
    ]);
    expect(at.events.slice(2)).toEqual([
      ["gap", { channel: "/a", head: 9 }],
      ["denied", { channel: "/b", code: "CHANNEL_DENIED" }],
    ]);
  });
});

describe("the page", () => {
  test("nobody sees it: it asks now and then; somebody sees it again: at once", async () => {
    const page = Object.assign(new EventTarget(), { hidden: true });
    vi.stubGlobal("document", page);
    at.hear("/a", 1);
    await at.pass(0);
    expect(at.server.last.url).toMatch(/dlp=t$/);
    at.server.last.json([]);
    await at.pass(30_000);
    expect(at.server.requests).toHaveLength(1);
    page.hidden = false;
    page.dispatchEvent(new Event("visibilitychange"));
    await at.pass(0);
    expect(at.server.requests).toHaveLength(2);
    expect(at.server.last.url).not.toMatch(/dlp=t/);
  });

  test("pages that nobody sees leave each other time", async () => {
    const kept = new Map<string, string>();
    vi.stubGlobal("localStorage", {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
    });
    vi.stubGlobal("document", Object.assign(new EventTarget(), { hidden: true }));
    kept.set("__mbLastAjax", String(Date.now()));
    at.hear("/a", 1);
    await at.pass(1_000);
    expect(at.server.requests).toHaveLength(0);
    await at.pass(2_000);
    expect(at.server.requests).toHaveLength(1);
    expect(Number(kept.get("__mbLastAjax"))).toBeGreaterThan(0);
  });

  test("ready waits for the first answer", async () => {
    let isReady = false;
    const ready = at.bus.ready().then(() => (isReady = true));
    at.hear("/a");
    await at.pass(0);
    expect(isReady).toBe(false);
    at.server.last.stream([]);
    await ready;
    await at.bus.ready();
    await expect(at.bus.ready(AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  });

  test("diagnostics say what it is doing", async () => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    at.hear("/a", 1);
    await at.connected();
    expect(at.bus.diagnostics()).toMatchObject({ state: "connected", status: "started", requests: 1, failures: 0 });
    expect(log).toHaveBeenCalledOnce();
    log.mockRestore();
  });
});
