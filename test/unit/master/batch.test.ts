import { expect, test } from "vitest";
import { batchOf, EVENTS_MAX } from "../../../services/master/batch.ts";
import type { ChatUser, Inbound } from "../../../services/sdk/adapter.ts";

const OPTIONS = { unit: "fake", order: "user" } as const;
const ANN: ChatUser = { id: "ann", name: "Ann", isSelf: false, isBot: false };
const BOT: ChatUser = { id: "bot", isSelf: true, isBot: true };

function said(id: string, { user = ANN, text = id }: { user?: ChatUser; text?: string } = {}): Inbound {
  const room = { id: "#ops", kind: "channel" } as const;
  const message = { id, room, user, text, mentionsBot: false, sentAt: 0 };
  const event = { id, adapter: "fake", unit: "fake", at: 0, replayed: false } as const;
  return {
    event: { ...event, type: "message", message },
    dedupe: [id],
    resume: { v: 1, kind: "fake", data: { after: id }, at: 0 },
  };
}

function many(count: number, text = ""): Inbound[] {
  return Array.from({ length: count }, (_, n) => said(String(n), { text }));
}

test("what waits goes together, up to the most; the resume state is that behind the last", () => {
  const batch = batchOf(many(EVENTS_MAX + 20), EVENTS_MAX, OPTIONS);
  expect([batch.inbounds.length, batch.deliveries.length]).toEqual([EVENTS_MAX, EVENTS_MAX]);
  expect(batch.resume?.data).toEqual({ after: String(EVENTS_MAX - 1) });
});

test("what is no Delivery goes along, keeps its place and costs none", () => {
  const waiting = [said("1"), said("2", { user: BOT }), said("3"), said("4", { user: BOT }), said("5")];
  const batch = batchOf(waiting, 2, OPTIONS);
  expect(batch.inbounds).toEqual(waiting.slice(0, 4));
  expect(batch.places).toEqual([0, undefined, 1, undefined]);
  expect(batch.resume?.data).toEqual({ after: "4" });
});

test("bodies end a batch too, and one that is larger than all of it goes alone", () => {
  const text = "x".repeat(100_000);
  expect(batchOf(many(10, text), EVENTS_MAX, OPTIONS).deliveries).toHaveLength(2);
  expect(batchOf(many(3, text.repeat(5)), EVENTS_MAX, OPTIONS).deliveries).toHaveLength(1);
});

test("Deliveries know the room, the person and the order as messages do", () => {
  const [mine] = batchOf([said("1")], 1, OPTIONS).deliveries;
  expect(mine).toMatchObject({ key: "fake:#ops\nfake:ann", uid: { id: "fake 1" } });
  expect(batchOf([said("1")], 1, { ...OPTIONS, order: "room" }).deliveries[0]?.key).toBe("fake:#ops");
});
