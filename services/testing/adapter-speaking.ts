// The cases of the adapter contract that are about speaking.

import { deepEqual, ok } from "node:assert/strict";
import type { AdapterManifest, Capability } from "../sdk/adapter.ts";
import type { ContractCase } from "./adapter-cases.ts";
import type { Rig } from "./adapter-rig.ts";

export function speakingCases(manifest: AdapterManifest, can: ReadonlySet<Capability>): ContractCase[] {
  const isOnce = manifest.idempotency !== "none";
  return [
    { name: "words arrive in the order of their room", run: keepsOrder },
    { name: "a room that is refused for a while waits, others go on", needs: ["limit"], run: parksOneRoom },
    {
      name: `killed between saying and knowing: said ${isOnce ? "once" : "again at most once"}, and the room goes on`,
      run: (rig) => doubts(rig, isOnce),
    },
    { name: "a text of the longest allowed length arrives whole", run: (rig) => saysLongest(rig, manifest) },
    {
      name: "an edit changes the words that its ref became, also from another master",
      when: can.has("edit"),
      run: edits,
    },
  ];
}

async function keepsOrder(rig: Rig): Promise<void> {
  await rig.leader();
  const texts = Array.from({ length: 12 }, (_, n) => `line ${n}`);
  for (const text of texts) for (const room of rig.rooms) await rig.act({ room, text });
  for (const room of rig.rooms) {
    await rig.until(async () => (await rig.said(room)).length >= 12, `all is said in ${room}`);
    deepEqual(await rig.said(room), texts);
  }
}

async function parksOneRoom(rig: Rig): Promise<void> {
  await rig.leader();
  const [slow, fast] = rig.rooms;
  await rig.service.limit?.(slow, 1_000);
  for (const room of [slow, fast]) for (const text of ["1", "2"]) await rig.act({ room, text });
  await rig.until(async () => (await rig.said(fast)).length === 2, "the other room goes on");
  deepEqual(await rig.said(slow), []);
  await rig.service.limit?.(slow, null);
  await rig.until(async () => (await rig.said(slow)).length === 2, "the room that waited goes on");
  deepEqual(await rig.said(slow), ["1", "2"]);
}

async function doubts(rig: Rig, isOnce: boolean): Promise<void> {
  const first = await rig.leader();
  first.dieBefore = "known";
  const [room] = rig.rooms;
  for (const text of ["1", "2"]) await rig.act({ room, text });
  await rig.until(() => first.isDead, "it speaks");
  const second = await rig.leader();
  await rig.until(async () => (await rig.said()).includes("2"), "the room goes on");
  const said = await rig.said();
  if (isOnce) deepEqual(said, ["1", "2"]);
  else ok(["1,2", "1,1,2"].includes(said.join()), `said at most twice: ${said.join()}`);
  ok(second.doubts.length > 0, "the doubt is counted");
}

async function saysLongest(rig: Rig, { caps }: AdapterManifest): Promise<void> {
  await rig.leader();
  const text = "x".repeat(Math.min(caps.maxText, 8_000));
  await rig.act({ room: rig.rooms[0], text });
  await rig.until(async () => (await rig.said()).join("").length >= text.length, "it is said");
  deepEqual((await rig.said()).join(""), text);
}

async function edits(rig: Rig): Promise<void> {
  const first = await rig.leader();
  const [room] = rig.rooms;
  const ref = await rig.act({ room, text: "half" });
  await rig.until(async () => (await rig.said()).includes("half"), "it is said");
  await first.stop();
  await rig.leader();
  await rig.act({ room, op: "edit", ref, text: "whole" });
  await rig.until(async () => (await rig.said()).includes("whole"), "it is changed");
  deepEqual(await rig.said(), ["whole"]);
}
