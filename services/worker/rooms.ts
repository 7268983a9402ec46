// Rooms and what their adapters can do: turns an Action into the effect that brings it there.

import { channelOf, encodeLine, isSession } from "../adapters/web/line.ts";
import type { PriorityClass } from "../broker/delivery.ts";
import type { Effect } from "../broker/effects.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Action } from "../sdk/action.ts";
import type { Capability } from "../sdk/adapter.ts";
import { type RoomParts, splitRoom } from "../sdk/message.ts";
import type { CarriedTrace } from "../telemetry/carrier.ts";
import type { AdapterFacts } from "./protocol.ts";
import { redirected } from "./redirect.ts";

const WEB = "web";
/** Somebody waits for it. */
const ANSWER: PriorityClass = 1;
const ANNOUNCEMENT: PriorityClass = 2;
/** How long a later edit finds the one that it makes needless. */
const SUPERSEDE_MS = 3_600_000;

/** What an Action says, without where. */
export interface Voice {
  /** The bot's name, as the web chat shows it. */
  readonly from: string;
  readonly nowMs: number;
  /** Whether it comes of what a person said. Those go first. */
  readonly answers: boolean;
  /** What it is part of. */
  readonly trace?: CarriedTrace;
}

export class Rooms {
  readonly #adapters: ReadonlyMap<string, AdapterFacts>;
  readonly #redirect: RoomParts | undefined;

  /** `redirect`: the room that all Actions go to instead. Throws ROOM_UNKNOWN when there is no such room. */
  constructor(adapters: readonly AdapterFacts[], redirect?: string) {
    this.#adapters = new Map(adapters.map((facts) => [facts.name, facts]));
    this.#redirect = redirect === undefined ? undefined : this.find(redirect);
  }

  /** Throws ROOM_UNKNOWN. */
  find(room: string): RoomParts {
    const parts = splitRoom(room);
    const known = parts !== undefined && this.#adapters.has(parts.adapter);
    if (known && (parts.adapter !== WEB || isSession(parts.id))) return parts;
    throw new AntiphonError("ROOM_UNKNOWN", `"${room}" is none of ${[...this.#adapters.keys()].join(", ")}.`);
  }

  /** Where it goes in the end. */
  unitOf({ unit }: Pick<Action, "unit">): string {
    return this.#redirect?.unit ?? unit;
  }

  can(room: RoomParts, capability: Capability): boolean {
    return this.#adapters.get(room.adapter)?.can.includes(capability) ?? false;
  }

  /** Throws ACTION_UNSUPPORTED. */
  require(room: RoomParts, capability: Capability): void {
    if (this.can(room, capability)) return;
    throw new AntiphonError("ACTION_UNSUPPORTED", `The adapter ${room.adapter} has no "${capability}".`);
  }

  /** The web chat has no connection: its Actions are written on the bus. All others go to their unit's outbox. */
  effectOf(wanted: Action, voice: Voice): Effect {
    const to = this.#redirect;
    const action = to === undefined ? wanted : redirected(wanted, to, this.can(to, "edit"));
    const { id } = action;
    const edit = action.op === "edit" ? { edit: action.ref } : {};
    if (action.unit === WEB) {
      return { kind: "publish", id, ...edit, channel: channelOf(action.room), payload: lineOf(action, voice) };
    }
    return { kind: "child", id, ...edit, queue: `outbox/${action.unit}`, delivery: deliveryOf(action, voice) };
  }
}

/** An edit that waits takes the words of a newer one of the same ref, which then needs no place of its own. */
function deliveryOf(action: Action, { answers, trace }: Voice): Extract<Effect, { kind: "child" }>["delivery"] {
  const common = {
    route: 0,
    class: answers ? ANSWER : ANNOUNCEMENT,
    key: action.room,
    envelope: Buffer.from(JSON.stringify(trace === undefined ? action : { ...action, ...trace })),
  };
  if (action.op !== "edit") return common;
  return { ...common, uid: { id: `edit ${action.ref}`, ttlMs: SUPERSEDE_MS, until: "start", repeat: "replace" } };
}

function lineOf(action: Action, { from, nowMs }: Voice): Buffer {
  const at = new Date(nowMs).toISOString();
  const { id, room } = action;
  if (action.op === "send") return encodeLine({ id, ref: refOf({ id, unit: WEB, room }), from, text: action.text, at });
  if (action.op === "edit") {
    const ref = refOf({ id: action.ref, unit: WEB, room });
    return encodeLine({ id, ref, from, text: action.text, at, edited: true });
  }
  throw new AntiphonError("ACTION_UNSUPPORTED", `The web chat has no "${action.op}".`);
}

/** What `reply` answers and `edit` takes: the Action's id and its room, so that any process can edit without looking it up. */
export function refOf(action: { readonly id: string; readonly unit: string; readonly room: string }): string {
  return `${action.id}@${action.unit}:${action.room}`;
}

/** Throws INPUT_INVALID for a text that is no ref. */
export function readRef(ref: string): { readonly id: string; readonly room: string } {
  const at = ref.indexOf("@");
  if (at !== 22) throw new AntiphonError("INPUT_INVALID", `"${ref.slice(0, 64)}" is no ref that reply or send gave.`);
  return { id: ref.slice(0, at), room: ref.slice(at + 1) };
}
