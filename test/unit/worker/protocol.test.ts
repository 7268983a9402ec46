import { expect, test } from "vitest";
import { type OutgoingRun, packRuns, unpackRuns } from "../../../services/worker/protocol.ts";
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
