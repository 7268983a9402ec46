// What our bus promises beyond MessageBus: nothing lost or doubled unnoticed, nobody harmed by others, nothing read by who may
// not. In both modes: every channel may be named, and only what `authorize` allows.

import { describe, expect, test } from "vitest";
import { waitFor } from "../../support/wait-for.ts";
import { idsOf, onRedis, openTestBus, type OpenOptions, statusOf, type TestBus } from "./kit.ts";
import type { WireMessage } from "./stream.ts";

const LONG_MS = 30_000;

const gapsOf = (messages: readonly WireMessage[]): unknown[] =>
  messages.filter(({ channel }) => channel === "/__gap").map(({ data }) => data);

describe.each<[string, OpenOptions]>([
  ["open", { access: "open" }],
  ["deny", { authorize: () => true }],
])("%s", (_mode, mode) => {
  const open = (options: OpenOptions = {}): Promise<TestBus> =>
    openTestBus({ ...mode, realIds: true, longPollMs: LONG_MS, ...options });

  test("a message between reading the backlog and going live arrives once, in its place", async () => {
    const between: (() => Promise<unknown>)[] = [];
    const at = await open({ hooks: { beforeLive: async () => void (await between.shift()?.()) } });
    const first = await at.publish("/a", 1);
    between.push(() => at.publish("/a", 2));
    const stream = await at.stream({ "/a": first - 1 });
    await stream.isOpen();
    await at.publish("/a", 3);
    await waitFor(() => stream.dataOf("/a").length === 3);
    expect(stream.dataOf("/a")).toEqual([1, 2, 3]);
  });

  test("a channel that was forgotten goes on above every position that anybody has", async () => {
    const at = await open();
    let last = 0;
    for (let n = 0; n < 5; n++) last = await at.publish("/a", n);
    await onRedis("FLUSHALL");
    expect(await at.publish("/a", "after")).toBeGreaterThan(last);
    // Who lacks what is gone is told so.
    const { messages } = await at.poll({ "/a": last - 2 }, { query: "dlp=t&gaps=t" });
    expect(gapsOf(messages)).toHaveLength(1);
    expect(messages.filter(({ channel }) => channel === "/a").map(({ data }) => data)).toEqual(["after"]);
  });

  test("a channel whose age is over goes on above, too", async () => {
    const at = await open();
    const last = await at.publish("/a", "old", { maxAgeMs: 20 });
    await waitFor(async () => statusOf((await at.poll({ "/a": -1 })).messages) !== undefined);
    await waitFor(async () => (await at.poll({ "/a": 0 })).text === "[]");
    expect(await at.publish("/a", "new")).toBeGreaterThan(last);
    const { messages } = await at.poll({ "/a": last });
    expect(messages.filter(({ channel }) => channel === "/a").map(({ data }) => data)).toEqual(["new"]);
  });

  test("a backlog that was trimmed says so to who asks, and to others looks as ever", async () => {
    const at = await open({ retention: { messages: 3, ageMs: 60_000 } });
    const ids: number[] = [];
    for (let n = 0; n < 6; n++) ids.push(await at.publish("/a", n));
    const [first = 0] = ids;
    const told = await at.poll({ "/a": first }, { query: "dlp=t&gaps=t" });
    expect(gapsOf(told.messages)).toEqual([{ "/a": expect.any(Number) as number }]);
    expect(told.messages[0]?.channel).toBe("/__gap");
    expect(idsOf((await at.poll({ "/a": first })).messages)).toEqual(ids.slice(3));
    const whole = await at.poll({ "/a": ids[2] ?? 0 }, { query: "dlp=t&gaps=t" });
    expect(gapsOf(whole.messages)).toEqual([]);
  });

  test("size and age of a message's channel both hold, and touch no other channel", async () => {
    const at = await open();
    const kept = await at.publish("/quiet", "stays");
    for (let n = 0; n < 4; n++) await at.publish("/a", n, { maxMessages: 2, maxAgeMs: 60_000 });
    const { messages } = await at.poll({ "/a": 0 });
    expect(messages.filter(({ channel }) => channel === "/a").map(({ data }) => data)).toEqual([2, 3]);
    await at.publish("/brief", "goes", { maxMessages: 2, maxAgeMs: 20 });
    await waitFor(async () => (await at.poll({ "/brief": 0 })).text === "[]");
    expect(idsOf((await at.poll({ "/quiet": 0 })).messages)).toEqual([kept]);
  });

  test("a status never stands below what the same answer brought", async () => {
    const at = await open();
    const ids: number[] = [];
    for (let n = 0; n < 10; n++) ids.push(await at.publish("/a", n, n % 2 === 0 ? {} : { userIds: ["somebody"] }));
    const { messages } = await at.poll({ "/a": 0 });
    const status = statusOf(messages) as Record<string, number>;
    expect(status["/a"]).toBe(ids.at(-1));
    expect(messages.at(-1)?.channel).toBe("/__status");
  });

  test("what is hidden from a reader moves its position, on a stream too", async () => {
    const at = await open();
    const from = await at.publish("/a", "old");
    const stream = await at.stream({ "/a": from });
    await stream.isOpen();
    const hidden = await at.publish("/a", "hidden", { userIds: ["somebody"] });
    await waitFor(() => statusOf(stream.messages) !== undefined, { timeoutMs: 10_000 });
    expect(statusOf(stream.messages)).toEqual({ "/a": hidden });
  });

  test("one who does not read is closed; who reads beside it gets everything", async () => {
    const at = await open();
    const from = await at.publish("/a", 0);
    const [good, bad] = [await at.stream({ "/a": from }), await at.stream({ "/a": from })];
    await Promise.all([good.isOpen(), bad.isOpen()]);
    bad.stall();
    await at.flood("/a", 300);
    await waitFor(() => good.messages.length === 300, { timeoutMs: 60_000 });
    expect(good.messages.map(({ data }) => (data as { n: number }).n)).toEqual(
      Array.from({ length: 300 }, (_, index) => index + 1),
    );
    await waitFor(() => at.bus.diagnostics().connections === 1, { timeoutMs: 60_000, what: "the other one is closed" });
  });

  test("a process that stops ends its own streams; those of others live on", async () => {
    const [one, two] = [await open({ namespace: "shared" }), await open({ namespace: "shared" })];
    const [first, second] = [await one.stream({ "/a": "" }), await two.stream({ "/a": "" })];
    await Promise.all([first.isOpen(), second.isOpen()]);
    await one.bus.close();
    await first.ends();
    expect(first.arrays.at(-1)).toEqual([]);
    await two.publish("/a", "on");
    await waitFor(() => second.dataOf("/a").length === 1);
  });
});

describe("access", () => {
  test("nothing may be read unless something says so, and nothing is told of what may not be read", async () => {
    const at = await openTestBus({ access: "deny" });
    await at.publish("/a", "secret");
    const { status, text } = await at.poll({ "/a": -1 });
    expect(status).toBe(403);
    expect(JSON.parse(text)).toMatchObject({ error: { code: "FORBIDDEN" } });
  });

  test("of a request only the channels that may be read are answered, without a status for others", async () => {
    const at = await openTestBus({ authorize: { "/open/": true, "/mine/": ({ user }) => user === "me" } });
    for (const channel of ["/open/a", "/mine/a", "/other"]) await at.publish(channel, channel);
    const asked = { "/open/a": 0, "/mine/a": -1, "/other": -1 };
    const all = await at.poll(asked, { query: "dlp=t&gaps=t" });
    expect(all.messages.map(({ channel, data }) => [channel, data])).toEqual([
      ["/open/a", "/open/a"],
      ["/__denied", { "/mine/a": "FORBIDDEN", "/other": "FORBIDDEN" }],
    ]);
    const mine = await at.poll(asked, { headers: { "x-user": "me" } });
    expect(mine.messages.map(({ channel, data }) => [channel, data])).toEqual([
      ["/open/a", "/open/a"],
      ["/__status", { "/mine/a": 1 }],
    ]);
  });

  test("reserved channels are never read from the web, whatever is said", async () => {
    const at = await openTestBus({ access: "open" });
    for (const channel of ["/__status", "/__x", "/distributed_hash", "/internal/x"]) {
      expect((await at.poll({ [channel]: 0 })).status, channel).toBe(403);
    }
  });

  test("a rule that takes its time delays whoever asked for it alone, and misses nothing", async () => {
    let answer: (may: boolean) => void = () => {};
    const slow = new Promise<boolean>((resolve) => (answer = resolve));
    const at = await openTestBus({ authorize: { "/slow": () => slow, "/fast": true }, longPollMs: LONG_MS });
    const from = await at.publish("/slow", 0);
    const waiting = await at.stream({ "/slow": from });
    const other = await at.stream({ "/fast": "" });
    await other.isOpen();
    await at.publish("/slow", 1);
    await at.publish("/fast", 1);
    await waitFor(() => other.dataOf("/fast").length === 1);
    expect(waiting.head).toBe("");
    answer(true);
    await waitFor(() => waiting.dataOf("/slow").length === 1);
  });

  test("whoever is revoked loses its streams, and is asked anew", async () => {
    let may = true;
    const at = await openTestBus({ authorize: () => may, longPollMs: LONG_MS });
    const as = (user: string): { headers: { "x-user": string } } => ({ headers: { "x-user": user } });
    const [me, other] = [await at.stream({ "/a": "" }, as("me")), await at.stream({ "/a": "" }, as("other"))];
    await Promise.all([me.isOpen(), other.isOpen()]);
    may = false;
    await at.bus.revoke("me");
    await me.ends();
    expect(other.isEnded).toBe(false);
    expect((await at.poll({ "/a": -1 }, as("me"))).status).toBe(403);
  });
});

describe("limits", () => {
  const refused = (text: string): unknown => (JSON.parse(text) as { error: { code: string } }).error.code;

  test("a body, a name, and a number of channels", async () => {
    const at = await openTestBus();
    const large = await at.poll(
      Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`/${n}${"x".repeat(1_200)}`, 0])),
    );
    expect(large.status).toBe(413);
    const many = await at.poll(Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`/${n}`, 0])));
    expect([many.status, refused(many.text)]).toEqual([400, "REQUEST_INVALID"]);
    expect((await at.poll({ [`/${"x".repeat(255)}`]: 0 })).status).toBe(400);
    expect((await at.poll({ "/a[b]": 0 })).status).toBe(400);
    const bad = await fetch(`${at.url}/message-bus/me/poll`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"/a":',
    });
    expect(bad.status).toBe(400);
  });

  test("a message that is too large is not published", async () => {
    const at = await openTestBus();
    await expect(at.publish("/a", "x".repeat(70_000))).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
    expect((await at.poll({ "/a": 0 })).text).toBe("[]");
  });

  test("connections of one user, of one address behind a proxy, and of the process; the refusal says when to come again", async () => {
    const limits = { connectionsPerUser: 1, connectionsPerAddress: 2, connections: 3 };
    const at = await openTestBus({ limits, maxActiveClients: 10, longPollMs: LONG_MS });
    const hold = async (headers: Record<string, string>): Promise<void> =>
      (await at.stream({ "/a": "" }, { headers })).isOpen();
    const status = async (headers: Record<string, string>): Promise<string | null> => {
      const stream = await at.stream({ "/a": "" }, { headers });
      await waitFor(() => stream.head !== "");
      expect(stream.head).toMatch(/retry-after: \d+/i);
      return /^HTTP\/1\.1 (\d+)/.exec(stream.head)?.[1] ?? null;
    };
    await hold({ "x-user": "me" });
    expect(await status({ "x-user": "me" })).toBe("429");
    const behind = { "x-forwarded-for": "203.0.113.9" };
    await hold(behind);
    await hold(behind);
    expect(await status(behind)).toBe("429");
    expect(await status({ "x-user": "third" })).toBe("429");
  });

  test("requests of one client in a second", async () => {
    const at = await openTestBus();
    const answers = await Promise.all(Array.from({ length: 40 }, () => at.poll({ "/a": 0 }, { id: "eager" })));
    const late = answers.filter(({ status }) => status === 429);
    expect(late.length).toBeGreaterThan(0);
    for (const { headers } of late) expect(headers.get("retry-after")).toMatch(/^\d+$/);
    expect((await at.poll({ "/a": 0 }, { id: "calm" })).status).toBe(200);
  });

  test("readers without a name behind a proxy that does not say for whom it asks are not one client", async () => {
    const at = await openTestBus();
    const read = async (headers: Record<string, string>): Promise<number> => {
      const answer = await fetch(`${at.url}/bus/sse?channel=/a`, { headers });
      await answer.body?.cancel();
      return answer.status;
    };
    const statuses = async (headers: Record<string, string>): Promise<number[]> =>
      Promise.all(Array.from({ length: 40 }, () => read(headers)));
    expect(new Set(await statuses({}))).toEqual(new Set([200]));
    expect(await statuses({ "x-forwarded-for": "203.0.113.9" }), "of one that is named").toContain(429);
  });

  test("positions reach back a hundred messages by count, and what is no number means from now on", async () => {
    const at = await openTestBus({ retention: { messages: 200, ageMs: 60_000 } });
    for (let n = 0; n < 120; n++) await at.publish("/a", n);
    expect((await at.poll({ "/a": -5_000 })).messages).toHaveLength(100);
    expect((await at.poll({ "/a": "banana" })).text).toBe("[]");
  });

  test("more clients than are to be held are answered at once", async () => {
    const at = await openTestBus({ maxActiveClients: 1, longPollMs: LONG_MS });
    const held = await at.stream({ "/a": "" });
    await held.isOpen();
    const { text, headers } = await at.poll({ "/a": "" }, { query: "" });
    expect([text, headers.get("content-type")]).toEqual(["[]", "application/json; charset=utf-8"]);
  });
});
