// What the admin API answers of workers, their threads, and what runs.

import { type Static, Type } from "typebox";
import { OrderNow, Time } from "./api.ts";

const Count = Type.Integer({ minimum: 0 });

/** One thread as its process said last, within 20 s. Without work it has no slot taken. */
export const Thread = Type.Object({
  /** Such as `work-1`; `quarantine` is a child process. */
  thread: Type.String(),
  process: Type.String(),
  state: Type.Enum(["starting", "ready", "leaving"]),
  slots: Count,
  /** Of those, taken. */
  busy: Count,
  /** With its garbage. */
  heapBytes: Type.Optional(Type.Number()),
});
export type Thread = Static<typeof Thread>;

export const Worker = Type.Object({
  pod: Type.String(),
  /** Random names of its processes. */
  processes: Type.Array(Type.String()),
  queues: Type.Array(Type.String()),
  claimed: Count,
  slots: Type.Optional(Count),
  /** How many it has for handlers. */
  threads: Type.Optional(Count),
  pool: Type.Optional(Type.String()),
  startedAt: Type.Optional(Time),
  order: OrderNow,
  /** Of the process, or of all that go by this name; absent where it does not say so. */
  rssBytes: Type.Optional(Type.Number()),
  heapBytes: Type.Optional(Type.Number()),
  /** What each of them does; absent where it does not say so. */
  threadsNow: Type.Optional(Type.Array(Thread)),
});
export type Worker = Static<typeof Worker>;

/** What runs at this moment. */
export const Run = Type.Object({
  id: Type.String(),
  queue: Type.String(),
  pod: Type.String(),
  route: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String()),
  key: Type.Optional(Type.String()),
  /** Failures before. */
  attempts: Count,
  /** It was taken then. */
  since: Time,
  ms: Type.Number(),
  /** It has begun there, as its worker said within the last seconds; absent of what waits in it, or has just begun. */
  thread: Type.Optional(Type.String()),
  process: Type.Optional(Type.String()),
  begun: Type.Optional(Time),
});
export type Run = Static<typeof Run>;
