// An event of the fake chat service as every adapter tells it. Pure.

import type { ChatEvent, Inbound, ResumeState } from "../../sdk/adapter.ts";
import { BOT, type FromService } from "./wire.ts";

export function toInbound(
  message: Extract<FromService, { t: "event" }>,
  unit: string,
  resume: (seq: number) => ResumeState,
): Inbound {
  return { event: toEvent(message, unit), dedupe: [message.event.id], resume: resume(message.seq) };
}

function toEvent(message: Extract<FromService, { t: "event" }>, unit: string): ChatEvent {
  const { event, replayed } = message;
  const common = { id: event.id, adapter: "fake", unit, at: event.at, replayed, raw: event };
  if (event.type !== "said" || !event.room || !event.user || event.text === undefined) {
    return { ...common, type: "other", name: event.type };
  }
  const isSelf = event.user.id === BOT;
  return {
    ...common,
    type: "message",
    message: {
      id: event.id,
      room: { id: event.room, kind: event.kind ?? "channel" },
      user: { id: event.user.id, name: event.user.name, isBot: isSelf, isSelf },
      text: event.text,
      mentionsBot: event.mention ?? false,
      sentAt: event.at,
      ...(event.actionId === undefined ? {} : { actionId: event.actionId }),
    },
  };
}
