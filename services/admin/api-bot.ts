// What the admin API asks and answers, the second half: changes of jobs, schedules, chat, the bus, routes,
// the doctor, who is logged in, the audit log.

import { type Static, Type } from "typebox";
import { Time, UnitNow } from "./api.ts";

const Count = Type.Integer({ minimum: 0 });
const Id = Type.String({ minLength: 1, maxLength: 256 });
const Duration = Type.String({ minLength: 1, maxLength: 32 });
const Input = Type.Unsafe<unknown>({});

// ---- changes of jobs

export const NewJob = Type.Object(
  {
    /** Its name, or the id of its route. */
    job: Id,
    input: Type.Optional(Input),
    /** As `enqueue` takes them; `at` as an ISO text. */
    options: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
);
export type NewJob = Static<typeof NewJob>;

export const Enqueued = Type.Object({ id: Type.String(), duplicate: Type.Boolean() });
export type Enqueued = Static<typeof Enqueued>;

/** Another input, class or time, while nobody runs it. */
export const JobChange = Type.Object(
  {
    input: Type.Optional(Input),
    class: Type.Optional(Type.Enum([0, 1, 2, 3])),
    /** So long from now; `0s` is at once. */
    delay: Type.Optional(Duration),
    at: Type.Optional(Time),
  },
  { additionalProperties: false },
);
export type JobChange = Static<typeof JobChange>;

/** `signalled`: it runs, and its worker was told to end it. */
export const Acted = Type.Object({
  outcome: Type.Enum(["edited", "cancelled", "signalled", "retried", "deleted"]),
});
export type Acted = Static<typeof Acted>;

export const BulkFilter = Type.Object(
  {
    queue: Type.Optional(Id),
    route: Type.Optional(Id),
    tag: Type.Optional(Id),
    key: Type.Optional(Type.String({ maxLength: 1024 })),
    text: Type.Optional(Type.String({ maxLength: 1024 })),
    olderThan: Type.Optional(Duration),
    /** For `cancel` and `reschedule`: which of them. Default: waiting and delayed. */
    states: Type.Optional(Type.Array(Type.Enum(["waiting", "delayed", "held", "claimed"]), { maxItems: 4 })),
  },
  { additionalProperties: false },
);

/** `retry` and `purge` are of dead letters, `cancel` and `reschedule` of what has not run. Either `ids` or `filter`. */
export const BulkBody = Type.Object(
  {
    action: Type.Enum(["retry", "purge", "cancel", "reschedule"]),
    ids: Type.Optional(Type.Array(Id, { maxItems: 1000 })),
    filter: Type.Optional(BulkFilter),
    /** Of `reschedule`. */
    delay: Type.Optional(Duration),
    /** Changes nothing and counts. */
    dryRun: Type.Optional(Type.Boolean()),
    /** Of what an earlier answer gave as `cursor`: goes on there. */
    cursor: Type.Optional(Type.String({ maxLength: 8192 })),
  },
  { additionalProperties: false },
);
export type BulkBody = Static<typeof BulkBody>;

export const BulkAnswer = Type.Object({
  /** Done, or with `dryRun` what would be done. */
  count: Count,
  /** Ids that fit nothing. */
  unknown: Type.Array(Type.String()),
  /** One call does at most 10,000: there is more, and the next call with this goes on. Of a dry run: `count` is a part. */
  cursor: Type.Optional(Type.String()),
  /** `POST undo/:token` takes it back within ten minutes; absent where nothing can be taken back. */
  undo: Type.Optional(Type.String()),
});
export type BulkAnswer = Static<typeof BulkAnswer>;

export const UndoAnswer = Type.Object({ count: Count });

// ---- schedules

const TIMES = {
  spec: Type.Optional(Type.String({ maxLength: 200 })),
  tz: Type.Optional(Type.String({ maxLength: 64 })),
  /** In place of `spec` and `tz`. */
  every: Type.Optional(Duration),
  misfire: Type.Optional(Type.Enum(["latest", "skip", "all"])),
  overlap: Type.Optional(Type.Enum(["allow", "skip"])),
};

export const Schedule = Type.Object({
  id: Type.String(),
  route: Type.String(),
  queue: Type.String(),
  times: Type.Union([
    Type.Object({ kind: Type.Literal("cron"), spec: Type.String(), tz: Type.String() }),
    Type.Object({ kind: Type.Literal("every"), periodMs: Type.Number() }),
  ]),
  misfire: Type.Enum(["latest", "skip", "all"]),
  overlap: Type.Enum(["allow", "skip"]),
  /** Absent while it is paused. */
  next: Type.Optional(Time),
  /** The slot that was run last. */
  last: Type.Optional(Time),
  paused: Type.Boolean(),
  /** Not as the handler defines it. */
  changed: Type.Boolean(),
  /** No handler defines it: it can be removed. */
  added: Type.Boolean(),
});
export type Schedule = Static<typeof Schedule>;

export const NewSchedule = Type.Object(
  { id: Id, job: Id, input: Type.Optional(Input), queue: Type.Optional(Id), ...TIMES },
  { additionalProperties: false },
);
export type NewSchedule = Static<typeof NewSchedule>;

export const ScheduleChange = Type.Object(TIMES, { additionalProperties: false });
export type ScheduleChange = Static<typeof ScheduleChange>;

// ---- chat

export const ChatUnit = Type.Object({
  ...UnitNow.properties,
  adapter: Type.String(),
  /** As its leader said last: idle, connecting, ready, degraded, failed, evicted, …; `unknown` before that. */
  state: Type.String(),
  detail: Type.String(),
  stateAt: Type.Optional(Time),
  handovers: Count,
  expiries: Count,
  /** How long nobody led before this leader. */
  vacantMs: Type.Optional(Type.Number()),
  fencedWrites: Count,
  /** Actions of which a new leader could not know whether they were said. */
  doubts: Count,
  outbox: Type.Object({ waiting: Count, claimed: Count, delayed: Count, dead: Count }),
  /** Those with most waiting, at most 50 of a bounded sample. */
  rooms: Type.Array(Type.Object({ room: Type.String(), waiting: Count, until: Type.Optional(Time) })),
  /** In doubt now. */
  inDoubt: Count,
});
export type ChatUnit = Static<typeof ChatUnit>;

// ---- the bus

/** One process as it told of itself within the last 20 s; what grows does so since it began. */
export const BusNode = Type.Object({
  id: Type.String(),
  pod: Type.String(),
  version: Type.String(),
  at: Time,
  upSeconds: Count,
  /** Held over HTTP. */
  connections: Count,
  byFace: Type.Record(Type.String(), Type.Number()),
  /** Everything that reads. */
  streams: Count,
  channelCount: Count,
  /** With most readers first, at most 20. */
  channels: Type.Array(
    Type.Object({ channel: Type.String(), readers: Count, epoch: Type.String(), offset: Type.Number() }),
  ),
  published: Count,
  waiting: Count,
  away: Type.Boolean(),
  gaps: Count,
  closed: Type.Record(Type.String(), Type.Number()),
  refused: Type.Record(Type.String(), Type.Number()),
  /** From the server to the socket. Not cumulative; null: beyond the last bound. */
  lag: Type.Array(Type.Object({ upToMs: Type.Union([Type.Number(), Type.Null()]), messages: Type.Number() })),
  lagMs: Type.Object({ messages: Type.Number(), sum: Type.Number() }),
});
export type BusNode = Static<typeof BusNode>;

export const BusView = Type.Object({ nodes: Type.Array(BusNode), total: Count });
export type BusView = Static<typeof BusView>;

// ---- routes

export const Route = Type.Object({
  id: Type.String(),
  handler: Type.String(),
  /** command, hear, fallback, http, job, event, cron, every; absent of one that no living worker describes. */
  kind: Type.Optional(Type.String()),
  help: Type.Optional(Type.String()),
  /** What makes it run: a pattern, a method and path, a job's or event's name, times. */
  on: Type.Optional(Type.String()),
  /** Groups; absent: everybody may. */
  restrictTo: Type.Optional(Type.Array(Type.String())),
  builtin: Type.Optional(Type.Boolean()),
  attempts: Type.Optional(Type.Number()),
  timeoutMs: Type.Optional(Type.Number()),
  /** Queues in which it is held back. */
  pausedIn: Type.Array(Type.Object({ queue: Type.String(), since: Time })),
  /** In every queue that there is. */
  disabled: Type.Boolean(),
});
export type Route = Static<typeof Route>;

// ---- who is logged in; the audit log

export const Session = Type.Object({
  name: Type.String(),
  role: Type.Enum(["viewer", "operator", "admin"]),
  /** By a token, a login with one, a proxy that logs people in, or as whoever develops at this machine. */
  way: Type.Enum(["token", "login", "proxy", "dev"]),
  /** To be sent as `x-csrf-token` with every change, where the cookie says who asks. "" where it need not be. */
  csrf: Type.String(),
  /** Where a browser goes to be signed out: of whoever a proxy logged in, if the settings say it. */
  signOutUrl: Type.Optional(Type.String()),
});
export type Session = Static<typeof Session>;

export const AuditEntry = Type.Object({
  id: Type.String(),
  at: Time,
  who: Type.String(),
  role: Type.String(),
  /** Such as `queue.pause`. */
  action: Type.String(),
  /** What was acted on, and a masked summary of what was sent. */
  target: Type.String(),
  /** How `who` said who he is. */
  way: Type.Enum(["token", "login", "proxy", "dev", "cli"]),
  /** `unknown`: whoever made the change has not told what came of it, as when its process died. */
  outcome: Type.Enum(["done", "refused", "failed", "unknown"]),
  /** Of the answer; 0 where there was none, as of a command. */
  status: Type.Number(),
  /** The address. */
  from: Type.String(),
});
export type AuditEntry = Static<typeof AuditEntry>;
