// The 25 conformance cases of MessageBus' protocol, in its own mode: every channel may be named.

import { describe, expect, test } from "vitest";
import { waitFor } from "../../support/wait-for.ts";
import { HELD_MS, idsOf, onRedis, openTestBus, statusOf } from "./kit.ts";

const JSON_TYPE = "application/json; charset=utf-8";

describe("positions", () => {
  test("1: from 0, all that is stored: ids ascend, each message has exactly four keys, the content type is exact", async () => {
    const at = await openTestBus();
    await at.publish("/foo", "one");
    await at.publish("/foo", { two: 2 });
    const { messages, headers, status } = await at.poll({ "/foo": 0 });
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe(JSON_TYPE);
    expect(messages).toEqual([
      { global_id: expect.any(Number) as number, message_id: 1, channel: "/foo", data: "one" },
      { global_id: expect.any(Number) as number, message_id: 2, channel: "/foo", data: { two: 2 } },
    ]);
  });

  test("2: -1 brings nothing but where the channel stands", async () => {
    const at = await openTestBus();
    const last = await at.publish("/foo", "old");
    expect((await at.poll({ "/foo": -1 })).messages).toEqual([
      { global_id: -1, message_id: -1, channel: "/__status", data: { "/foo": last } },
    ]);
  });

  test("3: a channel that nobody knows stands at 0", async () => {
    const at = await openTestBus();
    expect(statusOf((await at.poll({ "/new": -1 })).messages)).toEqual({ "/new": 0 });
  });

  test("4: -2 brings the newest message, -100 the whole backlog", async () => {
    const at = await openTestBus();
    for (const data of ["a", "b", "c"]) await at.publish("/foo", data);
    expect(idsOf((await at.poll({ "/foo": -2 })).messages)).toEqual([3]);
    expect(idsOf((await at.poll({ "/foo": -100 })).messages)).toEqual([1, 2, 3]);
  });

  test("5: a position ahead of the channel: one status with the true one, for all such channels", async () => {
    const at = await openTestBus();
    await at.publish("/foo", "a");
    await at.publish("/baz", "b");
    const { messages } = await at.poll({ "/foo": 1_000_000, "/baz": 2 });
    expect(messages).toEqual([{ global_id: -1, message_id: -1, channel: "/__status", data: { "/foo": 1, "/baz": 1 } }]);
  });

  test("6: who is up to date gets nothing", async () => {
    const at = await openTestBus();
    const last = await at.publish("/foo", "a");
    expect((await at.poll({ "/foo": last })).text).toBe("[]");
  });

  test("7: an empty position and null: nothing old and no status, and what comes is delivered live", async () => {
    const at = await openTestBus();
    await at.publish("/foo", "old");
    expect((await at.poll({ "/foo": "" })).text).toBe("[]");
    expect((await at.poll({ "/foo": null }, { json: true })).text).toBe("[]");
    const stream = await at.stream({ "/foo": "" });
    await stream.isOpen();
    await at.publish("/foo", "new");
    await waitFor(() => stream.dataOf("/foo").length === 1);
    expect(stream.messages.map(({ data }) => data)).toEqual(["new"]);
  });

  test("8: a JSON body says the same as a form", async () => {
    const at = await openTestBus();
    for (const data of ["a", "b"]) await at.publish("/foo", data);
    await at.publish("/bar", "c");
    const asked = { "/foo": 1, "/bar": -1 };
    const [form, json] = [await at.poll(asked), await at.poll(asked, { json: true })];
    expect(json.text).toBe(form.text);
    const other = await at.poll(asked, { json: true, headers: { "content-type": "application/json; charset=utf-8" } });
    expect(other.text).toBe(form.text);
    expect(idsOf(form.messages)).toEqual([2, -1]);
  });

  test("24: the store is emptied under a client: what is published then arrives, all of it", async () => {
    const at = await openTestBus();
    for (let n = 1; n <= 5; n++) await at.publish("/foo", n);
    const stream = await at.stream({ "/foo": 5 });
    await stream.isOpen();
    await onRedis("FLUSHALL");
    for (let n = 6; n <= 12; n++) await at.publish("/foo", n);
    await waitFor(() => stream.dataOf("/foo").length === 7);
    expect(stream.dataOf("/foo")).toEqual([6, 7, 8, 9, 10, 11, 12]);
    // And one that comes back with its position, whatever the ids are by now.
    const { messages } = await at.poll({ "/foo": 5 });
    expect(messages.filter(({ channel }) => channel === "/foo").map(({ data }) => data)).toEqual([
      6, 7, 8, 9, 10, 11, 12,
    ]);
  });
});

describe("requests", () => {
  test("9: under a base route, and whatever follows the client id", async () => {
    const at = await openTestBus({ basePath: "/base/route/" });
    await at.publish("/foo", "a");
    expect(idsOf((await at.poll({ "/foo": 0 }, { path: "/path/not/needed" })).messages)).toEqual([1]);
    const bare = await fetch(`${at.url}/base/route/message-bus/me?dlp=t`, {
      method: "POST",
      body: new URLSearchParams({ "/foo": "0" }),
    });
    expect(bare.status).toBe(200);
    expect(await bare.json()).toHaveLength(1);
  });

  test("10: without a client id there is nothing", async () => {
    const at = await openTestBus();
    const response = await fetch(`${at.url}/message-bus/`, { method: "POST" });
    expect([response.status, await response.text()]).toEqual([404, "not found"]);
  });

  test("11: OPTIONS is answered before anybody is asked who it is", async () => {
    let asked = 0;
    const at = await openTestBus({
      identify: () => {
        asked++;
        return {};
      },
      headers: () => ({ "x-extra": "here" }),
    });
    const response = await fetch(`${at.url}/message-bus/me/poll`, { method: "OPTIONS" });
    expect([response.status, await response.text(), response.headers.get("x-extra")]).toEqual([200, "OK", "here"]);
    expect(asked).toBe(0);
  });

  test("12: extra headers are on every kind of answer; the content type is ours", async () => {
    const at = await openTestBus({ headers: () => ({ "x-extra": "here", "content-type": "text/html" }) });
    const short = await at.poll({ "/foo": 0 });
    const long = await at.poll({ "/foo": 0 }, { query: "", headers: { "dont-chunk": "" } });
    for (const { headers } of [short, long]) {
      expect([headers.get("x-extra"), headers.get("content-type")]).toEqual(["here", JSON_TYPE]);
    }
    const stream = await at.stream({ "/foo": 0 });
    await stream.isOpen();
    expect(stream.head).toContain("x-extra: here");
    expect(stream.head).toContain("content-type: text/plain; charset=utf-8");
    expect(stream.head).not.toContain("text/html");
  });
});

describe("kinds of answers", () => {
  test("13: held and not streamed: the first message as an array of one, then the end; letters of all scripts", async () => {
    const at = await openTestBus();
    const stream = await at.stream({ "/foo": 0 }, { headers: { "dont-chunk": "true" } });
    await waitFor(() => at.attached > 0);
    await at.publish("/foo", "אתם נמצאים כאן");
    await stream.ends();
    expect(stream.head).toContain(`content-type: ${JSON_TYPE}`);
    const messages = JSON.parse(stream.body) as { data: unknown }[];
    expect(messages.map(({ data }) => data)).toEqual(["אתם נמצאים כאן"]);
    await waitFor(() => stream.isEnded);
  });

  test("14: held and nothing published: an empty array when the time is over", async () => {
    const at = await openTestBus();
    const from = performance.now();
    const { text } = await at.poll({ "/foo": 0 }, { query: "", headers: { "dont-chunk": "true" } });
    expect(text).toBe("[]");
    expect(performance.now() - from).toBeGreaterThanOrEqual(HELD_MS - 50);
  });

  test("15: streamed: an empty array at once, a chunk per message, and an empty one before the end", async () => {
    const at = await openTestBus();
    const last = await at.publish("/a", "old");
    const stream = await at.stream({ "/a": last });
    await stream.isOpen();
    expect(stream.chunks).toEqual(["[]\r\n|\r\n"]);
    await at.publish("/a", "live1");
    await waitFor(() => stream.chunks.length === 2);
    await at.publish("/a", "live2");
    await stream.ends();
    expect(stream.arrays.map((array) => array.map(({ data }) => data))).toEqual([[], ["live1"], ["live2"], []]);
    expect(stream.chunks.at(-1)).toBe("");
  });

  test("15: the head of a stream is MessageBus', line by line, with ours behind", async () => {
    const at = await openTestBus();
    const stream = await at.stream({ "/a": 0 });
    await stream.isOpen();
    const lines = stream.head.split("\r\n");
    expect(lines[0]).toBe("HTTP/1.1 200 OK");
    for (const line of [
      "cache-control: must-revalidate, private, max-age=0",
      "pragma: no-cache",
      "expires: 0",
      "connection: close",
      "content-type: text/plain; charset=utf-8",
      "transfer-encoding: chunked",
      "x-content-type-options: nosniff",
    ]) {
      expect(lines.map((one) => (one.startsWith("HTTP") ? one : one.toLowerCase()))).toContain(line);
    }
    expect(lines.map((line) => line.toLowerCase())).toContain("x-accel-buffering: no");
  });

  test("16: the separator within the data arrives as it was sent", async () => {
    const at = await openTestBus();
    const stream = await at.stream({ "/foo": 0 });
    await stream.isOpen();
    await at.publish("/foo", "x\r\n|\r\ny");
    await waitFor(() => stream.dataOf("/foo").length === 1);
    expect(stream.dataOf("/foo")).toEqual(["x\r\n|\r\ny"]);
  });

  test("16: a codec whose text has the separator in the raw does not break the stream", async () => {
    const at = await openTestBus({ codec: { encode: (data) => `<\r\n|\r\n${String(data)}>`, decode: (text) => text } });
    const stream = await at.stream({ "/foo": 0 });
    await stream.isOpen();
    await at.publish("/foo", 1);
    await waitFor(() => stream.chunks.length === 2);
    expect(stream.chunks[1]).toContain('"data":<\r\n||\r\n1>}]\r\n|\r\n');
  });

  test("23: one connection per client id: the higher number stays, and of equal ones the newer", async () => {
    const at = await openTestBus({ longPollMs: 20_000 });
    const first = await at.stream({ "/foo": 0 }, { id: "me", seq: 5 });
    await first.isOpen();
    const late = await at.stream({ "/foo": 0 }, { id: "me", seq: 3 });
    await late.ends();
    expect(late.arrays.flat()).toEqual([]);
    expect(first.isEnded).toBe(false);
    const second = await at.stream({ "/foo": 0 }, { id: "me", seq: 5 });
    await first.ends();
    expect(first.arrays).toEqual([[], []]);
    await second.isOpen();
    await at.publish("/foo", "a");
    await waitFor(() => second.dataOf("/foo").length === 1);
    expect(first.messages).toEqual([]);
  });
});

describe("who may read", () => {
  test("17: a message for one client: others learn only that there was one", async () => {
    const at = await openTestBus();
    await at.publish("/foo", "mine", { clientIds: ["me"] });
    expect((await at.poll({ "/foo": 0 }, { id: "me" })).messages.map(({ data }) => data)).toEqual(["mine"]);
    const other = await at.poll({ "/foo": 0 }, { id: "other" });
    expect(other.messages.map(({ channel, data }) => [channel, data])).toEqual([["/__status", { "/foo": 1 }]]);
  });

  test("18: a message for one user", async () => {
    const at = await openTestBus();
    const id = await at.publish("/foo", "for 1", { userIds: [1] });
    expect((await at.poll({ "/foo": 0 }, { headers: { "x-user": "0" } })).messages.map(({ data }) => data)).toEqual([
      { "/foo": id },
    ]);
    const read = await at.poll({ "/foo": 0 }, { headers: { "x-user": "1" } });
    expect(read.messages.map(({ data }) => data)).toEqual(["for 1"]);
  });

  test("19: a message for groups", async () => {
    const at = await openTestBus();
    await at.publish("/foo", "for some", { groupIds: [3, 4, 5] });
    const other = await at.poll({ "/foo": 0 }, { headers: { "x-groups": "0,1,2" } });
    expect(other.messages.map(({ channel }) => channel)).toEqual(["/__status"]);
    const read = await at.poll({ "/foo": 0 }, { headers: { "x-groups": "1,7,4" } });
    expect(read.messages.map(({ data }) => data)).toEqual(["for some"]);
  });

  const both = { userIds: [4, 5, 6], groupIds: [1, 2, 3] };
  const withClients = { ...both, clientIds: ["1", "2"] };
  test.each([
    [both, { user: "4" }, true],
    [both, { user: "1" }, false],
    [both, { groups: "1,0,3" }, true],
    [both, { groups: "8,9,10" }, false],
    [withClients, { user: "4" }, true],
    [withClients, { user: "99" }, false],
    [withClients, { groups: "1" }, true],
    [withClients, { groups: "99" }, false],
    [{ userIds: [4] }, {}, false],
    [{ groupIds: [1] }, {}, false],
    [withClients, { user: "4", client: "3" }, false],
    [withClients, { groups: "1", client: "3" }, false],
  ])("20: a message for %j is read by %j: %s", async (targets, { user, groups, client: id = "2" }: Who, may) => {
    const at = await openTestBus();
    await at.publish("/foo", "read", targets);
    const headers = {
      ...(user !== undefined && { "x-user": user }),
      ...(groups !== undefined && { "x-groups": groups }),
    };
    const { messages } = await at.poll({ "/foo": 0 }, { id, headers });
    expect(messages.map(({ channel }) => channel)).toEqual([may ? "/foo" : "/__status"]);
  });

  test("21: targets that are empty, and users or groups on a channel of all sites, are refused", async () => {
    const at = await openTestBus();
    for (const targets of [{ clientIds: [] }, { userIds: [] }, { groupIds: [] }]) {
      await expect(at.publish("/foo", "x", targets)).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    }
    await expect(at.publish("/global/x", "x", { userIds: [1] })).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(at.publish("/global/x", "x", { groupIds: [1] })).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(at.publish("/global/x", "x", { clientIds: ["me"] })).resolves.toBe(1);
  });

  test("22: sites do not hear each other; /global/ reaches all, from the backlog and live", async () => {
    const at = await openTestBus();
    const asA = { headers: { "x-site": "a" } };
    const asB = { headers: { "x-site": "b" } };
    const stream = await at.stream({ "/foo": 0, "/global/all": 0 }, asB);
    await stream.isOpen();
    await at.publish("/foo", "of a", { site: "a" });
    await at.publish("/global/all", "for all", { site: "a" });
    await waitFor(() => stream.dataOf("/global/all").length === 1);
    expect(stream.dataOf("/foo")).toEqual([]);
    const stored = async (who: typeof asA): Promise<unknown[]> =>
      (await at.poll({ "/foo": 0, "/global/all": 0 }, who)).messages.map(({ channel, data }) => [channel, data]);
    expect(await stored(asB)).toEqual([["/global/all", "for all"]]);
    expect(await stored(asA)).toEqual([
      ["/foo", "of a"],
      ["/global/all", "for all"],
    ]);
  });

  test("25: filters of a prefix must all agree; what they hide leaves only its place", async () => {
    const at = await openTestBus();
    at.bus.filter("/test", ({ data }) => (data as { a: boolean }).a);
    at.bus.filter("/test", ({ data }) => (data as { b: boolean }).b);
    const publish = (a: boolean, b: boolean): Promise<number> => at.publish("/test/x", { a, b });
    await publish(true, false);
    await publish(false, true);
    expect((await at.poll({ "/test/x": 0 })).messages.map(({ channel }) => channel)).toEqual(["/__status"]);
    await publish(true, true);
    await at.publish("/other", { a: false, b: false });
    const { messages } = await at.poll({ "/test/x": 0, "/other": 0 });
    expect(messages.map(({ channel }) => channel)).toEqual(["/test/x", "/other", "/__status"]);
  });
});

interface Who {
  readonly user?: string;
  readonly groups?: string;
  readonly client?: string;
}
