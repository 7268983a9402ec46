// Rooms and what their adapters can do: turns an Action into the effect that brings it there.

import { channelOf, encodeLine, isSession } from "../adapters/web/line.ts";
import type { Effect } from "../broker/effects.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Action } from "../sdk/action.ts";
import type { Capability } from "../sdk/adapter.ts";
import { type RoomParts, splitRoom } from "../sdk/message.ts";
import type { AdapterFacts } from "./protocol.ts";

const WEB = "web";

/** What an Action says, without where. */
export interface Voice {
  /** The bot's name, as the web chat shows it. */
  readonly from: string;
  readonly nowMs: number;
}

export class Rooms {
  readonly #adapters: ReadonlyMap<string, AdapterFacts>;

  constructor(adapters: readonly AdapterFacts[]) {
    this.#adapters = new Map(adapters.map((facts) => [facts.name, facts]));
  }

  /** Throws ROOM_UNKNOWN. */
  find(room: string): RoomParts {
    const parts = splitRoom(room);
    const known = parts !== undefined && this.#adapters.has(parts.adapter);
    if (known && (parts.adapter !== WEB || isSession(parts.id))) return parts;
    throw new AntiphonError("ROOM_UNKNOWN", `"${room}" is none of ${[...this.#adapters.keys()].join(", ")}.`);
  }

  can(room: RoomParts, capability: Capability): boolean {
    return this.#adapters.get(room.adapter)?.can.includes(capability) ?? false;
  }

  /** Throws ACTION_UNSUPPORTED. */
  require(room: RoomParts, capability: Capability): void {
    if (this.can(room, capability)) return;
    throw new AntiphonError("ACTION_UNSUPPORTED", `The adapter ${room.adapter} has no "${capability}".`);
  }
}

/** The web chat has no connection: its Actions are written on the bus. All others go to their unit's outbox. */
export function actionEffect(action: Action, voice: Voice): Effect {
  const { id } = action;
  const edit = action.op === "edit" ? { edit: action.ref } : {};
  if (action.unit === WEB) {
    return { kind: "publish", id, ...edit, channel: channelOf(action.room), payload: lineOf(action, voice) };
  }
  const delivery = { route: 0, key: action.room, envelope: Buffer.from(JSON.stringify(action)) };
  return { kind: "child", id, ...edit, queue: `outbox/${action.unit}`, delivery };
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
