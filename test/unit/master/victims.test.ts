// Who goes when a pool shrinks.

import { expect, test } from "vitest";
import type { Pod } from "../../../services/kubernetes/cluster.ts";
import { chooseVictims, isRollingOut } from "../../../services/master/victims.ts";

const pod = (name: string, more: Partial<Pod> = {}): Pod => ({
  name,
  uid: name,
  isReady: true,
  isLeaving: false,
  createdAtMs: 0,
  revision: "a",
  labels: {},
  annotations: {},
  ...more,
});
const none: ReadonlySet<string> = new Set();

test("those with the least to do go, of equals the newest", () => {
  const pods = [pod("a"), pod("b"), pod("c", { createdAtMs: 1 }), pod("d"), pod("e", { createdAtMs: 2 })];
  const burdens = new Map([
    ["a", 3],
    ["b", 1],
    ["d", 7],
  ]);
  const choose = (count: number): readonly string[] => chooseVictims({ pods, count, burdens, ordered: none }).victims;
  expect(choose(1)).toEqual(["e"]);
  expect(choose(3)).toEqual(["e", "c", "b"]);
  expect(choose(0)).toEqual([]);
  expect(choose(-2)).toEqual([]);
});

test("what is not ready goes first and needs no choice; what leaves already does not count", () => {
  const pods = [pod("a"), pod("b", { isReady: false }), pod("c", { isLeaving: true }), pod("d", { createdAtMs: 1 })];
  const choose = (count: number) => chooseVictims({ pods, count, burdens: new Map(), ordered: none });
  expect(choose(1)).toEqual({ victims: [], unready: 1 });
  expect(choose(2)).toEqual({ victims: ["d"], unready: 1 });
});

test("whom an operator gave an order is not chosen", () => {
  const pods = [pod("a"), pod("b"), pod("c")];
  const chosen = chooseVictims({ pods, count: 2, burdens: new Map([["a", 9]]), ordered: new Set(["b", "c"]) });
  expect(chosen.victims).toEqual(["a"]);
});

test("pods of two revisions are a rollout, unless the old ones leave", () => {
  expect(isRollingOut([pod("a"), pod("b")])).toBe(false);
  expect(isRollingOut([pod("a"), pod("b", { revision: "b" })])).toBe(true);
  expect(isRollingOut([pod("a", { isLeaving: true }), pod("b", { revision: "b" })])).toBe(false);
});
