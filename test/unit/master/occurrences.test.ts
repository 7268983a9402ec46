// Events and complaints: one of a kind in a minute.

import { beforeEach, expect, test } from "vitest";
import type { Occurrence } from "../../../services/kubernetes/cluster.ts";
import { Occurrences } from "../../../services/master/occurrences.ts";
import { AntiphonError } from "../../../services/runtime/errors.ts";
import { ManualClock } from "../../support/manual-clock.ts";

let told: Occurrence[];
let complaints: unknown[];
let clock: ManualClock;
let occurrences: Occurrences;
let refusal: Error | undefined;

beforeEach(() => {
  [told, complaints, clock, refusal] = [[], [], new ManualClock(), undefined];
  const tell = async (occurrence: Occurrence): Promise<void> => {
    if (refusal) throw refusal;
    told.push(occurrence);
  };
  occurrences = new Occurrences({ cluster: { tell }, clock, emit: (_name, fields) => complaints.push(fields) });
});

const about = { kind: "Deployment", name: "worker" } as const;

test("of each reason one a minute is told; the next says how many it stands for", async () => {
  for (const note of ["2 to 3", "3 to 4", "4 to 5"]) occurrences.tell({ reason: "ScaledUp", note, about });
  occurrences.tell({ reason: "ScaledDown", note: "5 to 4", about });
  await clock.advance(60_000);
  occurrences.tell({ reason: "ScaledUp", note: "4 to 6", about });
  await clock.advance(60_000);
  occurrences.tell({ reason: "ScaledUp", note: "6 to 7", about });
  expect(told.map(({ note }) => note)).toEqual([
    "2 to 3",
    "5 to 4",
    "4 to 6 (2 more since the last of this kind)",
    "6 to 7",
  ]);
});

test("what Kubernetes refuses is told once a minute, each kind by itself, and harms nobody", async () => {
  refusal = new AntiphonError("KUBERNETES_FORBIDDEN", "an event: 403");
  occurrences.tell({ reason: "ScaledUp", note: "", about });
  occurrences.tell({ reason: "ScaledDown", note: "", about });
  await clock.advance(1_000);
  occurrences.failed(new AntiphonError("KUBERNETES_UNAVAILABLE", ""));
  expect(complaints).toEqual([
    { error: refusal },
    { error: expect.objectContaining({ code: "KUBERNETES_UNAVAILABLE" }) },
  ]);
  await clock.advance(60_000);
  occurrences.failed(refusal);
  expect(complaints.length).toBe(3);
});
