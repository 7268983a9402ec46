// The browser's client against a server that the test plays: what is asked when, and what callbacks hear.

import { describe, expect, test } from "vitest";
import type { Message } from "../../../services/client/client.ts";
import { message, status } from "./fake-xhr.ts";
import { stage } from "./stage.ts";

const at = stage();

describe("requests", () => {
  test("the first one goes out at once, with all that was subscribed in one go", async () => {
    at.hear("/a");
    at.hear("/b", 7);
    await at.pass(0);
    expect(at.server.requests).toHaveLength(1);
    expect(at.server.last.positions).toEqual({ "/a": "-1", "/b": "7" });
    expect(at.server.last.url).toMatch(/^\/message-bus\/[0-9a-f]{32}\/poll\?gaps=t$/);
    expect(at.server.last.headers).toEqual({
      "X-SILENCE-LOGGER": "true",
      "Content-Type": "application/x-www-form-urlencoded",
    });
  });

  test("base URL, headers, client id and cookies are as set", async () => {
    Object.assign(at.bus, { baseUrl: "/some/base/", clientId: "me", headers: { "X-A": "1" }, withCredentials: true });
    at.hear("/a");
    await at.pass(0);
    expect(at.server.last.url).toBe("/some/base/message-bus/me/poll?gaps=t");
    expect(at.server.last.headers).toMatchObject({ "X-A": "1" });
    expect(at.server.last.withCredentials).toBe(true);
  });

  test("without long polling it says so, and asks again after the background interval", async () => {
    at.bus.enableLongPolling = false;
    at.bus.shouldLongPollCallback = () => false;
    at.hear("/a", 0);
    await at.pass(0);
    expect(at.server.last.url).toMatch(/dlp=t$/);
    expect(at.server.last.headers).toMatchObject({ "Dont-Chunk": "true" });
    at.server.last.json([message("/a", 1)]);
    await at.pass(59_000);
    expect(at.server.requests).toHaveLength(1);
    await at.pass(1_000);
    expect(at.server.requests).toHaveLength(2);
  });

  test("an ajax function of the page's own is used, as jQuery's would be", async () => {
    const asked: string[] = [];
    at.bus.ajax = (options) => {
      asked.push(`${options.type} ${options.url} ${JSON.stringify(options.data)}`);
      queueMicrotask(() => {
        options.success([message("/a", 5)]);
        options.complete();
      });
      return { abort: () => {} };
    };
    at.bus.enableChunkedEncoding = false;
    const heard = at.hear("/a");
    await at.pass(0);
    expect(asked).toEqual([`POST /message-bus/${at.bus.clientId}/poll?gaps=t {"/a":-1,"__seq":1}`]);
    expect(heard).toEqual([["/a5", 1005, 5]]);
  });
});

describe("messages", () => {
  test("callbacks get data, global id and message id; the next request continues behind them", async () => {
    const heard = at.hear("/a");
    await at.connected();
    at.server.last.stream([status({ "/a": 3 })]);
    at.server.last.stream([message("/a", 4, { x: 1 })]);
    expect(heard).toEqual([[{ x: 1 }, 1004, 4]]);
    await at.pass(1_500);
    at.server.last.end();
    await at.pass(100);
    expect(at.server.requests).toHaveLength(2);
    expect(at.server.last.positions).toEqual({ "/a": "4" });
  });

  test("an answer that is no stream is understood too, and asked for again at once when it brought something", async () => {
    const heard = at.hear("/a", 0);
    await at.pass(0);
    at.server.last.json([message("/a", 1), message("/a", 2)]);
    expect(heard).toEqual([
      ["/a1", 1001, 1],
      ["/a2", 1002, 2],
    ]);
    await at.pass(99);
    expect(at.server.requests).toHaveLength(1);
    await at.pass(1);
    expect(at.server.requests).toHaveLength(2);
  });

  test("the separator within the data is data, wherever chunks are cut", async () => {
    const heard = at.hear("/a", 0);
    await at.pass(0);
    const text = `${JSON.stringify([message("/a", 1, "x\r\n|\r\ny")])}\r\n|\r\n`;
    for (const character of text) at.server.last.raw(character);
    expect(heard).toEqual([["x\r\n|\r\ny", 1001, 1]]);
  });

  test("two callbacks of one channel keep marks of their own: the lower one is asked for, nobody hears anything twice", async () => {
    const far = at.hear("/a", 10);
    const near = at.hear("/a", 5);
    await at.pass(0);
    expect(at.server.last.positions).toEqual({ "/a": "5" });
    at.server.last.stream([message("/a", 6), message("/a", 11)]);
    expect(near.map((told) => (told as unknown[])[2])).toEqual([6, 11]);
    expect(far.map((told) => (told as unknown[])[2])).toEqual([11]);
  });

  test("a newcomer from now on does not pull along one that still lacks something, and hears nothing old", async () => {
    const old = at.hear("/a", 5);
    const fresh = at.hear("/a");
    await at.pass(0);
    expect(at.server.last.positions).toEqual({ "/a": "-1" });
    expect(at.server.last.url).toMatch(/dlp=t$/);
    at.server.last.json([status({ "/a": 8 })]);
    await at.pass(100);
    expect(at.server.last.positions).toEqual({ "/a": "5" });
    at.server.last.stream([message("/a", 6), message("/a", 7), message("/a", 8), message("/a", 9)]);
    expect(old).toHaveLength(4);
    expect(fresh.map((told) => (told as unknown[])[2])).toEqual([9]);
  });

  test("the newest two and the newest four of one channel are both right", async () => {
    const two = at.hear("/a", -3);
    const four = at.hear("/a", -5);
    await at.pass(0);
    expect(at.server.last.positions).toEqual({ "/a": "-3" });
    at.server.last.json([message("/a", 8), message("/a", 9)]);
    await at.pass(100);
    expect(at.server.last.positions).toEqual({ "/a": "-5" });
    at.server.last.json([6, 7, 8, 9].map((id) => message("/a", id)));
    await at.pass(100);
    expect(at.server.last.positions).toEqual({ "/a": "9" });
    expect([two.length, four.length]).toEqual([2, 4]);
  });

  test("the newest few of a channel that has none: what comes first is heard by all", async () => {
    const two = at.hear("/a", -3);
    const four = at.hear("/a", -5);
    await at.pass(0);
    at.server.last.json([]);
    await at.pass(100);
    at.server.last.json([]);
    await at.pass(100);
    at.server.last.stream([message("/a", 1)]);
    expect([two.length, four.length]).toEqual([1, 1]);
    expect(at.server.requests).toHaveLength(3);
  });

  test("a status moves the position, back too", async () => {
    at.hear("/a", 50);
    await at.pass(0);
    at.server.last.stream([status({ "/a": 3 })]);
    await at.pass(1_500);
    at.server.last.end();
    await at.pass(100);
    expect(at.server.last.positions).toEqual({ "/a": "3" });
  });

  test("a callback that throws, at once or later, is reported; the others and the next messages are not harmed", async () => {
    at.bus.subscribe("/a", () => {
      throw new Error("at once");
    });
    at.bus.subscribe("/a", () => Promise.reject(new Error("later")));
    const heard = at.hear("/a");
    await at.connected();
    at.server.last.stream([status({ "/a": 3 })]);
    at.server.last.stream([message("/a", 4), message("/a", 5)]);
    await at.pass(0);
    expect(heard).toHaveLength(2);
    expect(at.events.filter(([type]) => type === "error")).toHaveLength(4);
  });

  test("an answer that is no JSON is reported, and asked for again later", async () => {
    at.hear("/a", 0);
    await at.pass(0);
    at.server.last.raw("<html>\r\n|\r\n");
    at.server.last.end();
    expect(at.events.filter(([type]) => type === "error")).toHaveLength(1);
    await at.pass(15_000);
    expect(at.server.requests).toHaveLength(2);
  });
});

describe("subscriptions", () => {
  test("a change while a request is held asks again at once, without counting as a failure", async () => {
    at.hear("/a", 1);
    await at.connected();
    await at.pass(500);
    at.hear("/b", 2);
    await at.pass(0);
    expect(at.server.requests.map(({ isAborted }) => isAborted)).toEqual([true, false]);
    expect(at.server.last.positions).toEqual({ "/a": "1", "/b": "2" });
    at.bus.unsubscribe("/b");
    at.bus.unsubscribe("/none");
    await at.pass(100);
    expect(at.server.requests).toHaveLength(3);
    expect(at.server.last.positions).toEqual({ "/a": "1" });
    expect(at.events).toEqual([
      ["state", { state: "connecting" }],
      ["state", { state: "connected" }],
    ]);
  });

  test("unsubscribe takes a function, a channel or a beginning, and says whether somebody left", async () => {
    const heard: string[] = [];
    const first = at.bus.subscribe("/a/1", () => heard.push("first"), 0);
    at.bus.subscribe("/a/1", () => heard.push("second"), 0);
    at.bus.subscribe("/a/2", () => heard.push("other"), 0);
    expect(at.bus.unsubscribe("/a/1", first)).toBe(true);
    expect(at.bus.unsubscribe("/a/1", first)).toBe(false);
    await at.pass(0);
    at.server.last.stream([message("/a/1", 1), message("/a/2", 1)]);
    expect(heard).toEqual(["second", "other"]);
    expect(at.bus.unsubscribe("/a/*")).toBe(true);
    expect(at.bus.callbacks).toEqual([]);
    await at.pass(100);
    expect(at.bus.state).toBe("idle");
  });

  test("an AbortSignal ends a subscription", async () => {
    const end = new AbortController();
    const heard: unknown[] = [];
    at.bus.subscribe("/a", (data) => heard.push(data), { lastId: 0, signal: end.signal });
    await at.pass(0);
    at.server.last.stream([message("/a", 1)]);
    end.abort();
    at.server.last.stream([message("/a", 2)]);
    expect(heard).toEqual(["/a1"]);
    at.bus.subscribe("/a", (data) => heard.push(data), { signal: end.signal });
    expect(at.bus.callbacks).toEqual([]);
  });

  test("what makes no sense is refused", () => {
    expect(() => at.bus.subscribe("/a", () => {}, "1" as never)).toThrow("lastId has type string");
    expect(() => at.bus.subscribe(1 as never, () => {})).toThrow("must be a string");
    expect(at.bus.subscribe("/a", () => {}, null)).toBeTypeOf("function");
    expect(at.bus.callbacks[0]?.last_id).toBe(-1);
  });

  test("once resolves with the next message, an iteration gives them one by one", async () => {
    const next = at.bus.once("/a");
    await at.connected();
    at.server.last.stream([status({ "/a": 3 }), message("/a", 4)]);
    expect(await next).toEqual({ data: "/a4", globalId: 1004, messageId: 4 });
    const got: Message[] = [];
    const end = new AbortController();
    const reading = (async () => {
      for await (const one of at.bus.messages("/b", { lastId: 0, signal: end.signal })) got.push(one);
    })();
    await at.pass(100);
    at.server.last.stream([message("/b", 1), message("/b", 2)]);
    await at.pass(0);
    expect(got.map(({ messageId }) => messageId)).toEqual([1, 2]);
    end.abort();
    await reading;
    expect(at.bus.callbacks).toEqual([]);
    await expect(at.bus.once("/c", { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });

  test("an iteration that is not read ends instead of growing", async () => {
    const reading = at.bus.messages("/a", { lastId: 0 });
    const first = reading.next();
    await at.pass(0);
    at.server.last.stream([message("/a", 1)]);
    expect((await first).done).toBe(false);
    at.server.last.stream(Array.from({ length: 1_200 }, (_, index) => message("/a", index + 2)));
    await expect(reading.next()).rejects.toThrow("were not read");
    expect(at.bus.callbacks).toEqual([]);
  });
});
