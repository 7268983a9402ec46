// The sums on the Bus page: of several processes, and of the last minute.

import { expect, test } from "vitest";
import type { BusNode } from "../../../services/admin/api-bot.ts";
import { channelsOf, grownOf, heldOf, Lately, lagOf, lagText } from "../../../services/dashboard/pages/bus-figures.ts";

const BOUNDS = [1, 10, 100, null] as const;

function node(id: string, more: Partial<BusNode> & { readonly counts?: readonly number[] } = {}): BusNode {
  const { counts = [0, 0, 0, 0], ...rest } = more;
  return {
    id,
    pod: `pod-${id}:1`,
    version: "1.0.0",
    at: "2026-01-01T00:00:00.000Z",
    upSeconds: 60,
    connections: 0,
    byFace: {},
    streams: 0,
    channelCount: 0,
    channels: [],
    published: 0,
    waiting: 0,
    away: false,
    gaps: 0,
    closed: {},
    refused: {},
    lag: BOUNDS.map((upToMs, index) => ({ upToMs, messages: counts[index] ?? 0 })),
    lagMs: { messages: 0, sum: 0 },
    ...rest,
  };
}

const channel = (name: string, readers: number): BusNode["channels"][number] => {
  return { channel: name, readers, epoch: "e", offset: 1 };
};

test("what is held at several nodes is added, face by face", () => {
  const nodes = [
    node("a", { streams: 5, connections: 4, byFace: { sse: 3, inside: 2 }, away: true }),
    node("b", { streams: 7, connections: 7, byFace: { sse: 1, websocket: 6 }, waiting: 9 }),
  ];
  expect(heldOf(nodes)).toEqual({
    streams: 12,
    connections: 11,
    byFace: { sse: 4, inside: 2, websocket: 6 },
    waiting: 9,
    away: 1,
  });
});

test("a channel's readers are those at all nodes, the most read first, and no more than asked for", () => {
  const nodes = [
    node("a", { channels: [channel("/a", 5), channel("/b", 4)] }),
    node("b", { channels: [channel("/b", 4), channel("/c", 1)] }),
  ];
  expect(channelsOf(nodes, 2)).toEqual([
    { channel: "/b", readers: 8, nodes: 2 },
    { channel: "/a", readers: 5, nodes: 1 },
  ]);
});

test("lag is told as the bound below which so many of all messages are", () => {
  const { lag } = grownOf([node("a", { counts: [50, 0, 0, 0] }), node("b", { counts: [40, 8, 1, 1] })]);
  expect([0.5, 0.9, 0.98, 0.99, 1].map((share) => lagOf(lag, share))).toEqual([1, 1, 10, 100, null]);
  expect(lagText(lag, 0.99)).toBe("≤ 100 ms");
  expect(lagText(lag, 1)).toBe("> 100 ms");
  expect(lagText(grownOf([node("a")]).lag, 0.5)).toBeUndefined();
  expect(lagText([], 0.5)).toBeUndefined();
});

test("what was added within the last minute is told, not what has been since a process began", () => {
  const lately = new Lately();
  const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
  const told = (seconds: number): BusNode =>
    node("a", {
      at: at(seconds),
      published: 1000 + seconds,
      refused: { channels: 10, ...(seconds >= 95 && { connections: 1 }) },
      closed: { left: seconds },
      gaps: 3,
      counts: [seconds, 0, 0, seconds >= 95 ? 2 : 0],
    });
  lately.hear([told(0)]);
  lately.hear([told(0)]);
  expect(lately.of({ id: "a" })).toBeUndefined();
  for (let seconds = 5; seconds <= 100; seconds += 5) lately.hear([told(seconds)]);
  expect(lately.of({ id: "a" })).toEqual({
    ms: 65_000,
    published: 65,
    refused: { channels: 0, connections: 1 },
    closed: { left: 65 },
    gaps: 0,
    lag: [65, 0, 0, 2].map((messages, index) => ({ upToMs: BOUNDS[index], messages })),
  });
  lately.hear([node("b")]);
  expect(lately.of({ id: "a" }), "of one that is gone").toBeUndefined();
});
