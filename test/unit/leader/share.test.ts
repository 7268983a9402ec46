import { expect, test } from "vitest";
import { courtesyMs, holdsTooMany, newestRevision, type Peer } from "../../../services/leader/share.ts";

const UNITS = ["control", "a", "b", "c", "d", "e"];
let peers = 0;
const peer = (leads: number, more: Partial<Peer> = {}): Peer => ({
  owner: `p${++peers}`,
  pod: "pod",
  revision: "1",
  startedAt: peers,
  units: UNITS,
  leads,
  leaving: false,
  ...more,
});

test("whoever is alone waits for nobody", () => {
  expect(courtesyMs(peer(6), [])).toBe(0);
  expect(courtesyMs(peer(6), [peer(0, { leaving: true })])).toBe(0);
});

test("an older revision lets the newer try first, whoever leads more", () => {
  const [old, young] = [peer(0), peer(5, { revision: "2" })];
  expect(courtesyMs(old, [young])).toBeGreaterThan(courtesyMs(peer(9), [peer(0)]));
  expect(courtesyMs(young, [old])).toBe(0);
});

test("the newest revision is that of the master started last, also after a way back", () => {
  const [first, second] = [peer(0, { revision: "2" }), peer(0, { revision: "1" })];
  expect(newestRevision([second, first])).toBe("1");
});

test("the least burdened tries first; who has its share lets the others try longer", () => {
  const [idle, busy, full] = [peer(0), peer(1), peer(3)];
  expect(courtesyMs(idle, [busy, full])).toBe(0);
  expect(courtesyMs(busy, [idle, full])).toBeGreaterThan(0);
  expect(courtesyMs(full, [idle, busy])).toBeGreaterThan(courtesyMs(busy, [idle, full]));
});

test.each([
  [6, 0, true],
  [5, 1, true],
  [4, 2, false],
  [3, 3, false],
])("of two masters one that leads %d beside %d hands one over: %s", (mine, other, expected) => {
  expect(holdsTooMany(peer(mine), [peer(other)])).toBe(expected);
});

test("nothing is handed over while two revisions run, even one that leaves, nor to nobody", () => {
  expect(holdsTooMany(peer(6), [peer(0), peer(0, { revision: "2" })])).toBe(false);
  expect(holdsTooMany(peer(6), [peer(0), peer(0, { revision: "2", leaving: true })])).toBe(false);
  expect(holdsTooMany(peer(6), [peer(0, { leaving: true })])).toBe(false);
  expect(holdsTooMany(peer(6), [])).toBe(false);
});

test("however units are spread, handing over comes to an end and leaves nobody with more than a share and one", () => {
  for (let masters = 2; masters <= 6; masters++) {
    for (let units = 1; units <= 20; units++) {
      const names = Array.from({ length: units }, (_, n) => `u${n}`);
      // All with the first: the worst there is.
      let all = Array.from({ length: masters }, (_, n) => peer(n === 0 ? units : 0, { units: names }));
      for (let moves = 0; ; moves++) {
        const from = all.find((one) =>
          holdsTooMany(
            one,
            all.filter((other) => other !== one),
          ),
        );
        if (!from) break;
        expect(moves).toBeLessThan(units);
        const waits = (one: Peer): number =>
          courtesyMs(
            one,
            all.filter((other) => other !== one),
          );
        const to = all.filter((one) => one !== from).toSorted((a, b) => waits(a) - waits(b))[0] as Peer;
        const change = (one: Peer): number => (one === from ? -1 : one === to ? 1 : 0);
        all = all.map((one) => ({ ...one, leads: one.leads + change(one) }));
      }
      const most = Math.max(...all.map(({ leads }) => leads));
      expect(most).toBeLessThanOrEqual(Math.ceil(units / masters) + 1);
    }
  }
});
