import { expect, test } from "vitest";
import {
  type OutgoingRun,
  packAnswers,
  packRuns,
  unpackAnswers,
  unpackRuns,
} from "../../../services/worker/packing.ts";
import type { Settled } from "../../../services/worker/protocol.ts";
import { claimOf } from "./claims.ts";

test("runs arrive in a thread as they were sent", () => {
  const chunk = Buffer.from("....first....second....");
  const claims = [
    { serial: 1, claim: claimOf({ id: "11", key: "room\nann\0x", body: chunk.subarray(4, 9) }) },
    { serial: 2, claim: claimOf({ id: "12", key: "room\nann\0x", bodyToken: "t:5000", body: null }) },
    { serial: 3, claim: claimOf({ id: "13", key: "room\nann\0x", body: Buffer.alloc(0) }) },
    { serial: 4, claim: claimOf({ id: "14", crashes: 2, body: chunk.subarray(13, 19) }) },
  ];
  const failed = { code: "RUN_TIMEOUT", detail: "too long", afterMs: 60_000 } as const;
  const runs: OutgoingRun[] = [
    { queue: "chat", wid: "w", slot: 3, claims: claims.slice(0, 3) },
    { queue: "default", wid: "v", slot: 0, claims: claims.slice(3), failed },
  ];
  const packed = packRuns(runs);
  const arrived = unpackRuns(structuredClone(packed, { transfer: [packed.bodies.buffer] }));
  expect(arrived.map(({ queue, wid, slot, failed }) => ({ queue, wid, slot, failed }))).toEqual([
    { queue: "chat", wid: "w", slot: 3, failed: undefined },
    { queue: "default", wid: "v", slot: 0, failed },
  ]);
  expect(arrived.flatMap((run) => run.claims)).toEqual(claims.map(({ serial, claim }) => ({ serial, ...claim })));
});

test("answers arrive in main as they were given, in order, whatever they say", () => {
  const done = { kind: "done", effects: [] } as const;
  const effect = { kind: "unset", hash: "h", field: "f" } as unknown as Settled["effects"][number];
  const list: Settled[] = [
    { ...done, serial: 1, origin: "a1", history: '{"id":"a1"}' },
    { ...done, serial: 2, origin: "a2", history: "", effects: [effect] },
    { ...done, serial: 3, origin: "a3", history: "" },
    { ...done, serial: 4, origin: "a4", history: "two\nlines" },
    { serial: 5, kind: "block", delayMs: 10, error: "no", origin: "a5", effects: [], history: "h" },
    { ...done, serial: 6, origin: "", history: "h" },
    { ...done, serial: 7, origin: "a7", history: "last" },
  ];
  expect(unpackAnswers(structuredClone(packAnswers(list)))).toEqual(list);
  expect(unpackAnswers(structuredClone(packAnswers([])))).toEqual([]);
});
