// The cases of the adapter contract: receiving, dying, handing over. Those about speaking are in adapter-speaking.ts.

import { deepEqual, equal, ok } from "node:assert/strict";
import { type AdapterManifest, capabilitiesOf } from "../sdk/adapter.ts";
import { splitRoom } from "../sdk/message.ts";
import type { ContractService } from "./adapter-contract.ts";
import type { Rig } from "./adapter-rig.ts";
import type { RigMaster } from "./adapter-master.ts";
import { speakingCases } from "./adapter-speaking.ts";

export interface ContractCase {
  readonly name: string;
  /** What the service must be able to do for it. */
  readonly needs?: readonly (keyof ContractService)[];
  /** False where the adapter's manifest rules it out. */
  readonly when?: boolean;
  run(rig: Rig): Promise<void>;
}

export function casesOf(manifest: AdapterManifest): ContractCase[] {
  const { ingress, replay } = manifest;
  const replays = replay !== "none";
  const isAlone = ingress === "takeover" || ingress === "exclusive";
  return [
    { name: "connects: its start resolves at ready, the states come in order", run: starts },
    { name: "what a person says is one Message, and its room takes an answer", run: hears },
    { name: "the bot's own words are no Message of a person", run: ignoresItself },
    { name: "what is told twice is one Message", needs: ["repeat"], run: hearsOnce },
    { name: "what it does not know passes as `other`, and it goes on", needs: ["unknown"], run: bearsUnknown },
    {
      name: "bytes that are no protocol neither end the process nor the hearing",
      needs: ["garbage"],
      run: bearsGarbage,
    },
    { name: "while nothing can be stored it loses nothing, and goes on by itself", run: waitsForIntake },
    { name: "a connection that is cut comes back, and what is said then is heard", run: comesBack },
    { name: "a service that is gone is told as such, and found again", needs: ["goAway", "comeBack"], run: findsAgain },
    { name: "wrong credentials: failed, and it asks no more", needs: ["wrongSettings"], run: givesUp },
    ...(["stored", "acknowledged"] as const).map((point) => ({
      name: `killed before what it heard is ${point}: it is stored once${replays ? "" : ", or a gap is told"}`,
      run: (rig: Rig) => dies(rig, point, replays),
    })),
    {
      name: "a handover under load: nothing is doubled, nor lost where the service replays",
      run: (rig) => handsOver(rig, replays),
    },
    { name: "without its Lease it stores nothing and does not connect again", when: isAlone, run: isFenced },
    {
      name: "standing still while another leads, then going on: nothing is doubled, and the other is left alone",
      run: (rig) => goesOn(rig, { isAlone, replays }),
    },
    { name: "two masters may be connected: what both hear is one Message", when: !isAlone, run: sharesTheRoom },
    ...speakingCases(manifest, capabilitiesOf(manifest.caps)),
  ];
}

/** How often it connected, or tried to. */
function attempts({ states }: RigMaster): number {
  return states.filter((state) => state === "connecting").length;
}

async function starts(rig: Rig): Promise<void> {
  const master = await rig.leader();
  const [first = ""] = master.states;
  equal(first, "connecting", "the first state");
  equal(master.states.filter((state) => state === "ready").length, 1, "told ready once");
  await master.stop();
  equal(master.states.at(-1), "closed", "the last state");
}

async function hears(rig: Rig): Promise<void> {
  await rig.leader();
  await rig.say("hello");
  await rig.until(async () => (await rig.texts()).length > 0, "what was said is stored");
  const [message] = await rig.stored();
  equal(message?.text, "hello");
  ok(message.user.id.startsWith(`${rig.unit}:`), `the person's id begins with the unit: ${message.user.id}`);
  const parts = splitRoom(message.room);
  equal(parts?.unit, rig.unit, "the room's unit");
  await rig.act({ room: parts.id, text: "an answer" });
  await rig.until(async () => (await rig.said()).includes("an answer"), "the answer arrives where it was asked");
}

async function ignoresItself(rig: Rig): Promise<void> {
  await rig.leader();
  await rig.act({ room: rig.rooms[0], text: "my own words" });
  await rig.until(async () => (await rig.said()).length > 0, "the words are said");
  await rig.say("after them");
  await rig.until(async () => (await rig.texts()).length > 0, "what was said after them is stored");
  deepEqual(await rig.texts(), ["after them"]);
}

async function hearsOnce(rig: Rig): Promise<void> {
  await rig.leader();
  await rig.say("1");
  await rig.until(async () => (await rig.texts()).length > 0, "it is stored");
  await rig.service.repeat?.();
  await rig.say("2");
  await rig.until(async () => (await rig.texts()).includes("2"), "what comes after is stored");
  deepEqual(await rig.texts(), ["1", "2"]);
}

async function bearsUnknown(rig: Rig): Promise<void> {
  const master = await rig.leader();
  await rig.service.unknown?.();
  await rig.say("1");
  await rig.until(async () => (await rig.texts()).includes("1"), "what comes after is stored");
  ok(
    master.heard.some(({ type }) => type === "other"),
    "an event of type `other`",
  );
}

async function bearsGarbage(rig: Rig): Promise<void> {
  const master = await rig.leader();
  await rig.service.garbage?.();
  await rig.until(() => master.state === "ready", "it is ready, again or still");
  await rig.say("1");
  await rig.until(async () => (await rig.texts()).includes("1"), "what comes after is stored");
}

async function waitsForIntake(rig: Rig): Promise<void> {
  const master = await rig.leader();
  for (const reason of ["queueFull", "redisDown"] as const) {
    master.refusals = { reason, left: 2 };
    const before = (await rig.texts()).length;
    for (const text of ["a", "b", "c"]) await rig.say(`${reason} ${text}`);
    await rig.until(async () => (await rig.texts()).length === before + 3, `all is stored after ${reason}`);
  }
  const [queueFull, redisDown] = ["queueFull", "redisDown"].map((reason) =>
    ["a", "b", "c"].map((text) => `${reason} ${text}`),
  );
  deepEqual(await rig.texts(), [...(queueFull ?? []), ...(redisDown ?? [])]);
}

async function comesBack(rig: Rig): Promise<void> {
  const master = await rig.leader();
  await rig.service.cut();
  await rig.until(() => master.states.filter((state) => state === "ready").length > 1, "it is ready again");
  await rig.say("1");
  await rig.until(async () => (await rig.texts()).includes("1"), "what is said then is stored");
}

async function findsAgain(rig: Rig): Promise<void> {
  const master = await rig.leader();
  await rig.service.goAway?.();
  await rig.until(() => master.states.includes("degraded"), "it says that it is degraded");
  await rig.act({ room: rig.rooms[0], text: "patience" });
  await rig.service.comeBack?.();
  await rig.until(async () => (await rig.said()).includes("patience"), "the words that waited are said");
  deepEqual(await rig.said(), ["patience"]);
}

async function givesUp(rig: Rig): Promise<void> {
  const master = await rig.master(rig.service.wrongSettings);
  await master.lead(await rig.newEpoch());
  await rig.until(() => master.state === "failed", `it says that it failed (it is ${master.state})`);
  const asked = attempts(master);
  ok(master.detail !== "", "it says why");
  await rig.act({ room: rig.rooms[0], text: "1" });
  const until = performance.now() + 500;
  await rig.until(() => performance.now() > until, "");
  equal(attempts(master), asked, "it does not connect again at once");
}

async function dies(rig: Rig, point: "stored" | "acknowledged", replays: boolean): Promise<void> {
  const first = await rig.leader();
  first.dieBefore = point;
  await rig.say("1");
  await rig.until(() => first.isDead, "it hears what is said");
  const second = await rig.leader();
  await rig.say("2");
  await rig.until(async () => (await rig.texts()).includes("2"), "what is said to the next leader is stored");
  const texts = await rig.texts();
  if (replays || texts.length > 1) deepEqual(texts, ["1", "2"]);
  else ok(second.gaps.length > 0, "a gap is told");
}

async function handsOver(rig: Rig, replays: boolean): Promise<void> {
  const first = await rig.leader();
  const second = await rig.master();
  const texts = Array.from({ length: 30 }, (_, n) => String(n));
  let handing: Promise<void> | undefined;
  for (const [n, text] of texts.entries()) {
    await rig.say(text);
    await rig.act({ room: rig.rooms[0], text });
    if (n === 10) handing = takeOver(rig, first, second);
  }
  await handing;
  await rig.say("last");
  await rig.until(async () => (await rig.texts()).includes("last"), "the next leader hears");
  await rig.until(async () => (await rig.said()).length >= 30, "everything is said");
  deepEqual(await rig.said(), texts, "everything is said once and in order");
  const stored = await rig.texts();
  equal(new Set(stored).size, stored.length, "nothing is stored twice");
  if (replays) deepEqual(stored, [...texts, "last"]);
  else
    deepEqual(
      stored,
      [...texts, "last"].filter((text) => stored.includes(text)),
      "in order",
    );
}

async function takeOver(rig: Rig, first: RigMaster, second: RigMaster): Promise<void> {
  await first.handOver();
  await rig.lead(second);
  await first.stop();
}

async function isFenced(rig: Rig): Promise<void> {
  const first = await rig.leader();
  await rig.newEpoch();
  await rig.say("too late");
  await rig.until(() => first.heard.length > 0, "it hears what is said");
  const asked = attempts(first);
  await first.lose();
  await rig.service.cut();
  await rig.act({ room: rig.rooms[0], text: "too late" });
  const until = performance.now() + 500;
  await rig.until(() => performance.now() > until, "");
  deepEqual([await rig.texts(), await rig.said()], [[], []], "nothing is stored or said");
  equal(attempts(first), asked, "it does not connect again");
}

async function goesOn(rig: Rig, { isAlone, replays }: { isAlone: boolean; replays: boolean }): Promise<void> {
  const first = await rig.leader();
  first.standStill();
  const asked = attempts(first);
  await rig.say("1");
  await rig.until(() => first.heard.length > 0, "it has heard, and stands still");
  // To the service, too, it is gone.
  await rig.service.cut();
  const second = await rig.leader();
  await rig.say("2");
  await rig.act({ room: rig.rooms[0], text: "words" });
  await rig.until(async () => (await rig.texts()).includes("2"), "the next leader hears");
  await rig.until(async () => (await rig.said()).length > 0, "the next leader speaks");
  const [reached, ready] = [attempts(second), second.states.length];
  first.goOn();
  const until = performance.now() + 500;
  await rig.until(() => performance.now() > until, "");
  if (isAlone) equal(attempts(first), asked, "it does not connect any more");
  await first.lose();
  equal(attempts(second), reached, `the other's connection is left alone: ${second.states.slice(ready).join(", ")}`);
  await rig.say("3");
  await rig.act({ room: rig.rooms[0], text: "more words" });
  await rig.until(async () => (await rig.texts()).includes("3"), "the next leader hears on");
  await rig.until(async () => (await rig.said()).length > 1, "the next leader speaks on");
  deepEqual(await rig.said(), ["words", "more words"]);
  const texts = await rig.texts();
  if (replays || texts.length > 2) deepEqual(texts, ["1", "2", "3"]);
  else ok(second.gaps.length > 0, "a gap is told");
}

async function sharesTheRoom(rig: Rig): Promise<void> {
  const first = await rig.leader();
  const second = await rig.master();
  await rig.until(() => second.state === "ready", "the second is ready beside the leader");
  for (const text of ["1", "2", "3"]) await rig.say(text);
  await rig.until(async () => (await rig.texts()).length === 3, "it is stored");
  await first.handOver();
  await rig.lead(second);
  await first.stop();
  await rig.say("4");
  await rig.act({ room: rig.rooms[0], text: "here" });
  await rig.until(async () => (await rig.texts()).length === 4 && (await rig.said()).length === 1, "it goes on");
  deepEqual([await rig.texts(), await rig.said()], [["1", "2", "3", "4"], ["here"]]);
}
