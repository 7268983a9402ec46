// What a server must do to keep a bus: services/bus/backend.ts as tests.

import { describe, expect, test } from "vitest";
import type { Backend, PublishCall, ToPublish } from "../../services/bus/backend.ts";
import { NOWHERE, type Position } from "../../services/bus/position.ts";
import { randomId } from "../../services/runtime/ids.ts";
import type { Stage } from "../support/bus-servers.ts";
import { waitFor } from "../support/wait-for.ts";

const LONG_MS = { timeoutMs: 30_000 };
const KEEP = { messages: 1000, ageMs: 60_000 };

interface Said extends Partial<ToPublish> {
  readonly text?: string;
}

function message({ text = "x", ...rest }: Said = {}): ToPublish {
  return { channel: "/a", payload: Buffer.from(text), keep: KEEP, seen: 0, ...rest };
}

function call(number: number, messages: readonly Said[], publisher = "p"): PublishCall {
  return { publisher, number, messages: messages.map(message) };
}

/** One publisher. */
function speaker(backend: Backend): (...messages: Said[]) => Promise<Position[]> {
  const publisher = randomId();
  let number = 0;
  return async (...messages) => {
    const answers = await backend.publish(call(++number, messages, publisher));
    for (const answer of answers) if (answer instanceof Error) throw answer;
    return answers as Position[];
  };
}

const texts = (messages: readonly { readonly data: Buffer }[]): string[] => messages.map(({ data }) => data.toString());

export function backendCases(stage: Stage): void {
  describe("positions", () => {
    test("a call's messages have offsets one after the other, each channel its own, in the order of the call", async () => {
      const backend = await stage.backend();
      const said = speaker(backend);
      const [a1, b1, a2, b2] = (await said({}, { channel: "/b" }, {}, { channel: "/b" })) as [
        Position,
        Position,
        Position,
        Position,
      ];
      expect([a2.offset - a1.offset, b2.offset - b1.offset]).toEqual([1, 1]);
      expect([a2.epoch, b2.epoch]).toEqual([a1.epoch, b1.epoch]);
      const [a3] = await said({});
      expect(a3).toEqual({ epoch: a1.epoch, offset: a2.offset + 1 });
      expect(await backend.heads(["/b", "/never", "/a"])).toMatchObject([b2, NOWHERE, a3 as Position]);
    });

    test("a call that is repeated under its number is written once, at the same time as well as later", async () => {
      const [one, other] = [await stage.backend(), await stage.backend()];
      const first = call(1, [{ text: "a" }, { text: "b" }]);
      const answers = await Promise.all([one.publish(first), other.publish(first), one.publish(first)]);
      expect(answers[1]).toEqual(answers[0]);
      expect(answers[2]).toEqual(answers[0]);
      expect(await one.publish(first)).toEqual(answers[0]);
      await one.publish(call(2, [{ text: "c" }]));
      expect(texts((await one.after("/a", 0, 9)).messages)).toEqual(["a", "b", "c"]);
    });

    test("a channel that was lost begins above all its old offsets, under another epoch", async () => {
      const backend = await stage.backend();
      const said = speaker(backend);
      const [before] = (await said({})) as [Position];
      await stage.server.forget(stage.namespace, "/a");
      expect(await backend.heads(["/a"])).toEqual([NOWHERE]);
      const [after] = (await said({})) as [Position];
      expect(after.offset).toBeGreaterThan(before.offset);
      expect(after.epoch).not.toBe(before.epoch);
    });

    test("a channel that stands below what was seen of it goes on above that, under another epoch, with what it keeps", async () => {
      const backend = await stage.backend();
      const said = speaker(backend);
      const [before] = (await said({ text: "a" })) as [Position];
      const seen = before.offset + 3_600_000_000;
      const [after] = (await said({ text: "b", seen })) as [Position];
      expect(after.offset).toBeGreaterThan(seen);
      expect(after.epoch).not.toBe(before.epoch);
      const { head, messages } = await backend.recent("/a", 9);
      expect(head).toEqual({ ...after, first: after.offset });
      expect(texts(messages)).toEqual(["a", "b"]);
    });

    test("who saw more of a channel than it holds rotates it; nobody else does", async () => {
      const backend = await stage.backend();
      const [at] = (await speaker(backend)({ text: "a" })) as [Position];
      await backend.rotate("/a", at);
      await backend.rotate("/a", { epoch: "another", offset: at.offset + 5 });
      expect((await backend.heads(["/a"]))[0]).toMatchObject(at);
      await backend.rotate("/a", { ...at, offset: at.offset + 5 });
      const [head = NOWHERE] = await backend.heads(["/a"]);
      expect(head.epoch).not.toBe(at.epoch);
      expect(head.offset).toBeGreaterThanOrEqual(at.offset + 5);
      expect(texts((await backend.recent("/a", 9)).messages)).toEqual(["a"]);
    });
  });

  describe("what is kept", () => {
    test("after and recent read a part, and where the channel stands", async () => {
      const backend = await stage.backend();
      const [first, , last] = (await speaker(backend)({ text: "1" }, { text: "2" }, { text: "3" })) as Position[];
      const { head, messages } = await backend.after("/a", first?.offset ?? 0, 1);
      expect([texts(messages), head]).toEqual([["2"], { ...last, first: first?.offset }]);
      expect(texts((await backend.after("/a", 0, 9)).messages)).toEqual(["1", "2", "3"]);
      expect(texts((await backend.recent("/a", 2)).messages)).toEqual(["2", "3"]);
      expect(await backend.after("/a", last?.offset ?? 0, 9)).toMatchObject({ head: last, messages: [] });
      expect(await backend.recent("/never", 9)).toEqual({ head: NOWHERE, messages: [] });
    });

    test("any bytes come back as they were", async () => {
      const backend = await stage.backend();
      const payload = Buffer.from([32, ...Array.from({ length: 256 }, (_, byte) => byte), 92, 10]);
      await speaker(backend)({ payload }, { text: "" }, { text: "ü€😀\\n" });
      const { messages } = await backend.after("/a", 0, 9);
      expect(messages.map(({ data }) => data.toString("hex"))).toEqual([
        payload.toString("hex"),
        "",
        Buffer.from("ü€😀\\n").toString("hex"),
      ]);
    });

    test("the newest so many are kept, as if each were published by itself, also across epochs", async () => {
      const backend = await stage.backend();
      const said = speaker(backend);
      const one = { keep: { ...KEEP, messages: 1 } };
      const three = { keep: { ...KEEP, messages: 3 } };
      const kept = async (): Promise<string[]> => texts((await backend.after("/a", 0, 999)).messages);
      await said({ text: "1" }, { text: "2", ...one }, { text: "3", ...three });
      expect(await kept()).toEqual(["2", "3"]);
      await said({ text: "4", ...three });
      const [at] = (await said({ text: "5", ...three })) as [Position];
      expect(await kept()).toEqual(["3", "4", "5"]);
      await said({ text: "6", ...three, seen: at.offset + 10 });
      expect(await kept()).toEqual(["4", "5", "6"]);
      for (let n = 7; n < 300; n++) await said({ text: `${n}`, ...three });
      expect(await kept()).toEqual(["297", "298", "299"]);
    });

    test("a channel is gone when its time after the last message is over; others are not", async () => {
      const backend = await stage.backend();
      const said = speaker(backend);
      const brief = { channel: "/brief", keep: { ...KEEP, ageMs: 30 } };
      const [before] = (await said(brief, { channel: "/long" })) as [Position];
      await waitFor(async () => (await backend.heads(["/brief"]))[0]?.epoch === "", LONG_MS);
      expect((await backend.after("/brief", 0, 9)).messages).toEqual([]);
      const [after] = (await said({ ...brief, keep: KEEP, text: "new" })) as [Position];
      expect(after.offset).toBeGreaterThan(before.offset);
      expect(after.epoch).not.toBe(before.epoch);
      expect(texts((await backend.after("/brief", 0, 9)).messages)).toEqual(["new"]);
      expect((await backend.after("/long", 0, 9)).messages).toHaveLength(1);
    });

    test("one that cannot be stored fails alone", async () => {
      const backend = await stage.backend();
      const bad = await stage.server.unstorable(stage.namespace);
      const answers = await backend.publish(call(1, [{ text: "1" }, { channel: bad }, { text: "2" }]));
      expect(answers).toEqual([
        expect.objectContaining({ epoch: expect.any(String) }),
        expect.any(Error),
        expect.objectContaining({ epoch: expect.any(String) }),
      ]);
      expect(texts((await backend.after("/a", 0, 9)).messages)).toEqual(["1", "2"]);
    });
  });

  describe("doorbells", () => {
    test("bring where, in order, and what where that is small; nobody else's", async () => {
      const rung: [string, number, string | undefined][] = [];
      const onBell = (channel: string, { offset }: Position, told?: { readonly data: Buffer }): void =>
        void rung.push([channel, offset, told?.data.toString()]);
      const backend = await stage.backend({ onBell });
      const stranger = await stage.backend({ namespace: `other${randomId()}` });
      await waitFor(() => backend.hears, LONG_MS);
      await backend.listen("/a");
      await speaker(stranger)({ text: "not yours" });
      const said = speaker(backend);
      const [first] = (await said({ text: "ü1" }, { text: "y".repeat(60_000) }, { text: "3" })) as [Position];
      await waitFor(() => rung.length >= 3, LONG_MS);
      expect(rung.map(([channel, offset]) => [channel, offset])).toEqual(
        [0, 1, 2].map((n) => ["/a", first.offset + n]),
      );
      expect([rung[0]?.[2], rung[2]?.[2]]).toEqual(["ü1", "3"]);
    });

    test("are given up when nobody wants them, and heard again when somebody does", async () => {
      const rung: string[] = [];
      const backend = await stage.backend({ onBell: (channel) => void rung.push(channel) });
      const said = speaker(backend);
      await waitFor(() => backend.hears, LONG_MS);
      await backend.listen("/a");
      await backend.listen("/b");
      await backend.listenOnly(() => ["/b"]);
      await said({}, { channel: "/b" });
      await waitFor(() => rung.includes("/b"), LONG_MS);
      expect(rung).toEqual(["/b"]);
      await backend.listen("/a");
      await said({});
      await waitFor(() => rung.includes("/a"), LONG_MS);
    });

    test("may be lost with a connection: that is said, and they are heard again", async () => {
      let gaps = 0;
      const rung: string[] = [];
      const onBell = (channel: string): void => void rung.push(channel);
      const backend = await stage.backend({ onGap: () => gaps++, onBell });
      await waitFor(() => backend.hears, LONG_MS);
      await backend.listen("/a");
      const before = gaps;
      await stage.server.cut("bells");
      await waitFor(() => gaps > before && backend.hears, LONG_MS);
      await waitFor(() => backend.listen("/a").then(() => true), LONG_MS);
      const said = speaker(backend);
      await waitFor(async () => (await said({})) && rung.length > 0, LONG_MS);
    });
  });

  describe("at the same time", () => {
    test("many publishers of the same channels: whoever reads sees no hole and nothing twice, at no moment", async () => {
      const backends = await Promise.all(Array.from({ length: 4 }, () => stage.backend()));
      const names = ["/a", "/b", "/c"];
      const reader = await stage.backend();
      let isOver = false;
      const read = async (channel: string): Promise<string[]> => {
        const seen: string[] = [];
        let at: Position | undefined;
        for (let last = false; !last;) {
          last = isOver;
          const { messages } = await reader.after(channel, at?.offset ?? 0, 50);
          for (const one of messages) {
            if (at !== undefined) expect([one.epoch, one.offset]).toEqual([at.epoch, at.offset + 1]);
            at = one;
            seen.push(one.data.toString());
          }
          if (messages.length === 50) last = false;
        }
        return seen;
      };
      const reading = names.map(read);
      const write = async (backend: Backend, who: number): Promise<void> => {
        const said = speaker(backend);
        const order = who % 2 === 0 ? names : names.toReversed();
        for (let n = 0; n < 25; n++) await said(...order.map((channel) => ({ channel, text: `${who}:${n}` })));
      };
      await Promise.all(backends.map(write));
      isOver = true;
      for (const seen of await Promise.all(reading)) {
        expect(new Set(seen).size).toBe(100);
        for (let who = 0; who < 4; who++) {
          const own = seen.filter((text) => text.startsWith(`${who}:`));
          expect(own).toEqual(Array.from({ length: 25 }, (_, n) => `${who}:${n}`));
        }
      }
    });
  });
}
