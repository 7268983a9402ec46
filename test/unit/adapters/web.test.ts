// The web chat over real HTTP and a real Redis, with two doors that share nothing else.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ChatLines, type ChatLine } from "../../../services/cli/lines.ts";
import { Identity } from "../../../services/adapters/web/identity.ts";
import { readEvents, type ServerEvent } from "../../../services/cli/events.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { type Door, doorIsOpen, openDoor } from "../../support/http-door.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const JSON_TYPE = { "content-type": "application/json" };

/** A reader that keeps what it was told. */
class Reader {
  readonly events: ServerEvent[] = [];
  readonly #stop = new AbortController();
  status = 0;
  headers = new Headers();
  ended = false;

  constructor(url: string, headers: Record<string, string> = {}) {
    void this.#read(url, headers);
  }

  async #read(url: string, headers: Record<string, string>): Promise<void> {
    try {
      const response = await fetch(url, { headers, signal: this.#stop.signal });
      this.status = response.status;
      this.headers = response.headers;
      if (response.ok && response.body) for await (const event of readEvents(response.body)) this.events.push(event);
    } catch {
      // stopped
    }
    this.ended = true;
  }

  get lines(): ChatLine[] {
    return this.events.filter(({ type }) => type === "message").map(({ data }) => JSON.parse(data) as ChatLine);
  }

  get texts(): string[] {
    return this.lines.map(({ text }) => text);
  }

  stop(): void {
    this.#stop.abort();
  }
}

eachServer((server, getUrl) => {
  describe("web chat", () => {
    let here: Door;
    let there: Door;
    const readers: Reader[] = [];
    const options = () => ({
      redisUrl: getUrl(),
      namespace: `web-${server}`,
      env: { ANTIPHON_WEB_TOKEN: "ann=s3cret,bob=other" },
    });
    beforeAll(async () => {
      here = await openDoor(options());
      there = await openDoor(options());
      await doorIsOpen(here);
      await doorIsOpen(there);
    });
    afterAll(async () => {
      readers.forEach((reader) => reader.stop());
      await here.stop();
      await there.stop();
    });

    const say = (door: Door, session: string, body: unknown, headers: Record<string, string> = JSON_TYPE) =>
      fetch(`${door.url}/chat/${session}/messages`, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers,
      });
    const read = async (door: Door, path: string, headers: Record<string, string> = {}): Promise<Reader> => {
      const reader = new Reader(`${door.url}/chat/${path}`, headers);
      readers.push(reader);
      await waitFor(() => reader.status !== 0);
      return reader;
    };

    it("stores what is said as a Message and shows it to every reader of the session, on any worker", async () => {
      const [one, two] = [await read(here, "s1/events"), await read(there, "s1/events")];
      const other = await read(here, "s1-other/events");
      const response = await say(here, "s1", { text: "antiphon ping", id: "11111111-1111-4111-8111-111111111111" });
      expect(response.status).toBe(202);
      expect(await response.json()).toEqual({ id: expect.stringMatching(/^[0-9a-z]+$/) });
      await waitFor(() => one.lines.length === 1 && two.lines.length === 1);
      const id = "11111111-1111-4111-8111-111111111111";
      expect(two.lines[0]).toEqual({ id, ref: id, from: "guest", text: "antiphon ping", at: expect.any(String) });
      expect(one.events[0]).toMatchObject({ type: "message", id: expect.stringMatching(/^\w+:\d+$/) });
      expect(one.headers.get("content-type")).toContain("text/event-stream");
      expect(one.headers.get("x-accel-buffering")).toBe("no");
      expect(other.lines).toEqual([]);
      const { header, payload } = (await here.stored("chat")).at(-1) ?? {};
      expect(header).toMatchObject({ v: 1, kind: "message", by: "web:guest" });
      expect(JSON.parse(payload ?? "")).toEqual({
        id,
        text: "antiphon ping",
        room: "web:s1",
        user: { id: "web:guest", name: "guest" },
        addressed: false,
      });
    });

    it("takes the same id twice as one message, also on another worker", async () => {
      const before = (await here.stored("chat")).length;
      const reader = await read(here, "s2/events");
      const line = { text: "once", id: "22222222-2222-4222-8222-222222222222" };
      const answers = [await say(here, "s2", line), await say(there, "s2", line)];
      const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as { id: string }).id));
      expect(ids[0]).toBe(ids[1]);
      await say(here, "s2", { text: "end" });
      await waitFor(() => reader.texts.includes("end"));
      expect(reader.texts).toEqual(["once", "end"]);
      expect((await here.stored("chat")).length).toBe(before + 2);
    });

    it("resumes with Last-Event-ID on another worker, without hole or repetition", async () => {
      const first = await read(here, "s3/events");
      for (const text of ["a", "b", "c"]) await say(here, "s3", { text });
      await waitFor(() => first.lines.length === 3);
      first.stop();
      for (const text of ["d", "e"]) await say(here, "s3", { text });
      const position = first.events[1]?.id ?? "";
      const second = await read(there, "s3/events", { "last-event-id": position });
      await say(here, "s3", { text: "f" });
      await waitFor(() => second.lines.length === 4);
      expect(second.texts).toEqual(["c", "d", "e", "f"]);
      const third = await read(there, `s3/events?after=${encodeURIComponent(position)}`);
      await waitFor(() => third.lines.length === 4);
    });

    it("shows a newcomer what was said last, as much as it asks for", async () => {
      for (const text of ["a", "b", "c"]) await say(here, "s4", { text });
      const all = await read(here, "s4/events");
      const none = await read(here, "s4/events?recent=0");
      const one = await read(here, "s4/events?recent=1");
      await say(here, "s4", { text: "d" });
      await waitFor(() => [all, none, one].every((reader) => reader.texts.at(-1) === "d"));
      expect([all.texts, none.texts, one.texts]).toEqual([["a", "b", "c", "d"], ["d"], ["c", "d"]]);
    });

    it("tells a reader whose position is unknown that it missed something", async () => {
      await say(here, "s5", { text: "a" });
      const reader = await read(here, "s5/events", { "last-event-id": "elsewhere:17" });
      await waitFor(() => reader.lines.length === 1);
      expect(reader.events.map(({ type }) => type)).toEqual(["reset", "message"]);
    });

    it("names the person of a bearer token; a wrong token is refused", async () => {
      const reader = await read(here, "s6/events");
      const asAnn = { ...JSON_TYPE, authorization: "Bearer s3cret" };
      expect((await say(here, "s6", { text: "hello" }, asAnn)).status).toBe(202);
      await waitFor(() => reader.lines[0]?.from === "ann");
      const { payload } = (await here.stored("chat")).at(-1) ?? {};
      expect(JSON.parse(payload ?? "")).toMatchObject({ user: { id: "web:ann", name: "ann" } });
      expect(JSON.parse(payload ?? "")).not.toHaveProperty("user.admin");
      const wrong = { ...JSON_TYPE, authorization: "Bearer s3cre" };
      const refused = await say(here, "s6", { text: "hello" }, wrong);
      expect([refused.status, await refused.json()]).toEqual([
        401,
        { error: expect.objectContaining({ code: "UNAUTHORIZED" }) },
      ]);
      expect((await read(here, "s6/events", { authorization: "Bearer nobody" })).status).toBe(401);
    });

    it("refuses what is no message", async () => {
      const status = async (...args: [unknown, Record<string, string>?]) => (await say(here, "s7", ...args)).status;
      expect(await status({})).toBe(400);
      expect(await status({ text: "  " })).toBe(400);
      expect(await status({ text: 5 })).toBe(400);
      expect(await status("[1]")).toBe(400);
      expect(await status("{")).toBe(400);
      expect(await status("")).toBe(400);
      expect(await status({ text: "x", id: "not an id" })).toBe(400);
      expect(await status({ text: "x".repeat(8001) })).toBe(413);
      expect(await status({ text: "x".repeat(70_000) })).toBe(413);
      expect(await status('{"text":"x"}', { "content-type": "text/plain" })).toBe(415);
      expect(await status("text=x", { "content-type": "application/x-www-form-urlencoded" })).toBe(415);
      expect((await say(here, "no%20session", { text: "x" })).status).toBe(404);
      expect((await read(here, "s7/events", { "last-event-id": "nonsense" })).status).toBe(400);
      expect((await read(here, "s7/events?recent=-1")).status).toBe(400);
      expect((await here.stored("chat")).every(({ payload }) => !payload.includes("web:s7"))).toBe(true);
    });

    it("serves a page that may load nothing from elsewhere", async () => {
      const page = await fetch(`${here.url}/chat?session=x`);
      expect(page.status).toBe(200);
      expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
      const html = await page.text();
      for (const [, path] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
        const part = await fetch(`${here.url}${path}`);
        expect([path, part.status]).toEqual([path, 200]);
      }
      expect((await fetch(`${here.url}/chat/`)).status).toBe(200);
    });

    it("ends streams when it drains, and their readers go on elsewhere", async () => {
      const own = await openDoor(options());
      await doorIsOpen(own);
      const reader = await read(own, "s8/events");
      own.bus.endStreams();
      await waitFor(() => reader.ended);
      expect((await read(own, "s8/events")).status).toBe(503);
      await own.stop();
    });

    it("is what the terminal client speaks to", async () => {
      const heard: ChatLine[] = [];
      const lines = new ChatLines({
        url: there.url,
        session: "s9",
        recent: 1,
        clock: systemClock,
        random: Math.random,
        onLine: (line) => heard.push(line),
        onState: () => {},
      });
      const running = lines.run();
      await lines.send("from a terminal");
      await waitFor(() => heard.length === 1);
      lines.stop();
      await running;
      expect(heard[0]?.text).toBe("from a terminal");
    });
  });
});

describe("identity", () => {
  const people = [{ name: "operator", secret: "s", admin: true }];

  it("makes the guest an admin in development only, and only under a name of this machine", () => {
    const guest = (guestIsAdmin: boolean, host: string | undefined) =>
      new Identity({ people, guestIsAdmin }).identify({ authorization: undefined, host }).admin;
    for (const host of ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost"]) {
      expect(guest(true, host)).toBe(true);
    }
    for (const host of ["evil.example", "localhost.evil.example", undefined, "127.0.0.1.evil.example:80"]) {
      expect(guest(true, host)).toBeUndefined();
    }
    expect(guest(false, "localhost")).toBeUndefined();
  });

  it("takes one secret as the operator, who is an admin", () => {
    const identity = new Identity({ people, guestIsAdmin: false });
    expect(identity.identify({ authorization: "Bearer s", host: "x" })).toEqual({
      id: "web:operator",
      name: "operator",
      admin: true,
    });
    for (const authorization of ["", "Bearer", "Bearer ", "Basic s", "s", "Bearer s s"]) {
      expect(() => identity.identify({ authorization, host: "x" })).toThrow(/token/);
    }
  });
});
