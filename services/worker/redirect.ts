// For staging: what a bot would do anywhere is said in one room, labelled with where it would have happened. Pure.

import type { Action } from "../sdk/action.ts";
import type { RoomParts } from "../sdk/message.ts";

/** The Action keeps its id, so that refs still mean the same words. One that is for that room anyway is unchanged. */
export function redirected(action: Action, to: RoomParts, canEdit: boolean): Action {
  const { unit, id: room } = to;
  if (action.unit === unit && action.room === room) return action;
  const { id, inDoubt, ttl, notAfter } = action;
  const common = {
    id,
    unit,
    room,
    ...(inDoubt && { inDoubt }),
    ...(ttl !== undefined && { ttl }),
    ...(notAfter !== undefined && { notAfter }),
  };
  const text = `[${action.unit}:${action.room}] ${wordsOf(action)}`;
  if (action.op === "edit" && canEdit) {
    return { ...common, op: "edit", ref: action.ref, text: `[${action.unit}:${action.room}] ${action.text}` };
  }
  return { ...common, op: "send", text };
}

/** What only the other room could show, such as a reaction, is described in words. */
function wordsOf(action: Action): string {
  switch (action.op) {
    case "send":
      return action.to === undefined ? action.text : `(to ${action.to} alone) ${action.text}`;
    case "edit":
      return `(edited) ${action.text}`;
    case "react":
      return `(reacts) ${action.emoji}`;
    case "topic":
      return `(topic) ${action.text}`;
    case "join":
    case "leave":
      return `(${action.op}s)`;
  }
}
