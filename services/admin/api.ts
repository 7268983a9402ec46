// What the admin API asks and answers: the schemas that every request and answer is checked against, and their types. This
// file: what all share, the Now page, queues, jobs. The rest is in api-bot.ts.

import { type Static, type TSchema, Type } from "typebox";

/** Of any list. */
export const LIMIT_MAX = 200;
export const LIMIT = 50;

/** ISO 8601, by the clock of Redis. */
export const Time = Type.String({ format: "date-time" });
const Count = Type.Integer({ minimum: 0 });
const Name = Type.String({ minLength: 1, maxLength: 256 });

export type Role = "viewer" | "operator" | "admin";

export const ApiError = Type.Object({ error: Type.Object({ code: Type.String(), message: Type.String() }) });
export type ApiError = Static<typeof ApiError>;

export const Done = Type.Object({ done: Type.Literal(true) });
export const IdParams = Type.Object({ id: Name });
export const NameParams = Type.Object({ name: Name });

export const PageQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMIT_MAX })),
  cursor: Type.Optional(Type.String({ maxLength: 8192 })),
});
export type PageQuery = Static<typeof PageQuery>;

/** While there is a `cursor` there may be more, also when `items` is empty: each call looks at a bounded amount. */
// oxlint-disable-next-line typescript/explicit-function-return-type -- Its type is what TypeBox makes of the argument.
export const pageOf = <T extends TSchema>(item: T) =>
  Type.Object({ items: Type.Array(item), cursor: Type.Optional(Type.String()) });

// ---- now

export const QueueNow = Type.Object({
  name: Type.String(),
  ready: Count,
  claimed: Count,
  delayed: Count,
  dead: Count,
  /** How long the oldest of those that are next in line has been ready. */
  oldestMs: Type.Number(),
  arrivalsPerSecond: Type.Number(),
  finishedPerSecond: Type.Number(),
  /** Attempts that failed, of those that finished or are tried again. */
  failedPerSecond: Type.Number(),
  /** Null: nothing has run yet. */
  meanRunMs: Type.Union([Type.Number(), Type.Null()]),
  /** Until what waits is done by the workers that there are. Null: never, for there are none. */
  drainSeconds: Type.Union([Type.Number(), Type.Null()]),
  paused: Type.Boolean(),
  /** Living processes that serve it. */
  workers: Count,
});
export type QueueNow = Static<typeof QueueNow>;

export const UnitNow = Type.Object({
  unit: Type.String(),
  /** The pod; null: nobody leads. */
  leader: Type.Union([Type.String(), Type.Null()]),
  epoch: Type.Union([Type.String(), Type.Null()]),
  heldForMs: Type.Union([Type.Number(), Type.Null()]),
});
export type UnitNow = Static<typeof UnitNow>;

export const OrderNow = Type.Enum(["", "quiet", "stop"]);

export const Snapshot = Type.Object({
  at: Time,
  redis: Type.Object({
    ok: Type.Boolean(),
    /** What is the case when it is not ok. */
    detail: Type.String(),
    version: Type.String(),
    usedBytes: Type.Number(),
  }),
  totals: Type.Object({
    ready: Count,
    claimed: Count,
    delayed: Count,
    dead: Count,
    arrivalsPerSecond: Type.Number(),
    finishedPerSecond: Type.Number(),
    failedPerSecond: Type.Number(),
    /** Of all that finished lately. Null: nothing has run yet. */
    meanRunMs: Type.Union([Type.Number(), Type.Null()]),
    oldestMs: Type.Number(),
  }),
  /** Of deliveries, at most 50: where there are more, those with most in them. */
  queues: Type.Array(QueueNow),
  pools: Type.Array(Type.Object({ name: Type.String(), required: Count, workers: Count })),
  units: Type.Array(UnitNow),
  /** At most 100. */
  workers: Type.Array(
    Type.Object({ pod: Type.String(), pool: Type.String(), slots: Count, claimed: Count, order: OrderNow }),
  ),
  /** The newest of each queue, the newest first, at most 20. */
  lastErrors: Type.Array(
    Type.Object({ at: Time, queue: Type.String(), route: Type.String(), id: Type.String(), message: Type.String() }),
  ),
});
export type Snapshot = Static<typeof Snapshot>;

// ---- queues

export const Limits = Type.Object({
  /** At most `limit` runs begin per time; `burst` of them may begin at once after a pause. */
  rate: Type.Optional(
    Type.Object({
      limit: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
      /** A duration such as `1m`. */
      per: Type.String({ maxLength: 32 }),
      burst: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    }),
  ),
  /** Runs at a time. */
  concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
});
export type Limits = Static<typeof Limits>;

export const Pause = Type.Object({
  kind: Type.Enum(["queue", "route", "key"]),
  since: Time,
  route: Type.Optional(Type.String()),
  key: Type.Optional(Type.String()),
});
export type Pause = Static<typeof Pause>;

/** One row of the list of queues, and one queue. Outboxes have no workers, limits and rates. */
export const Queue = Type.Object({
  name: Type.String(),
  ready: Count,
  claimed: Count,
  delayed: Count,
  /** Waits for other deliveries. */
  held: Count,
  /** Set aside because its route or key is paused. */
  paused: Count,
  dead: Count,
  stored: Count,
  workers: Type.Array(Type.String()),
  pauses: Type.Array(Pause),
  limits: Limits,
  arrivalsPerSecond: Type.Optional(Type.Number()),
  meanRunMs: Type.Optional(Type.Number()),
  oldestMs: Type.Optional(Type.Number()),
  /** The pools that serve it, each with its weight there. */
  weights: Type.Optional(Type.Array(Type.Object({ pool: Type.String(), weight: Type.Number() }))),
});
export type Queue = Static<typeof Queue>;

/** All of the queue unless one of them is named. */
export const PauseBody = Type.Object(
  { route: Type.Optional(Name), key: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })) },
  { additionalProperties: false },
);
export type PauseBody = Static<typeof PauseBody>;

/** Null takes the limits away. */
export const LimitsBody = Type.Union([Limits, Type.Null()]);
export type LimitsBody = Static<typeof LimitsBody>;

export const KeyRow = Type.Object({
  key: Type.String(),
  waiting: Count,
  /** `ready`: its head may be claimed. `running`: a worker has it. `paused`, `delayed`: it waits. */
  state: Type.Enum(["ready", "running", "paused", "delayed"]),
  /** Of a delayed one: when its head is due. */
  until: Type.Optional(Time),
});
export type KeyRow = Static<typeof KeyRow>;

/** Of a bounded sample: `looked` keys of `keys`. */
export const Keys = Type.Object({
  /** Those with most waiting, the most first. */
  hottest: Type.Array(KeyRow),
  /** Those that wait for a time, a limit or a pause, the soonest first. */
  blocked: Type.Array(KeyRow),
  looked: Count,
  keys: Count,
  cursor: Type.Optional(Type.String()),
});
export type Keys = Static<typeof Keys>;

/** What became of one run. */
export const HistoryRow = Type.Object({
  at: Time,
  id: Type.String(),
  kind: Type.String(),
  routes: Type.Array(Type.String()),
  outcome: Type.String(),
  attempt: Type.Number(),
  ms: Type.Number(),
  worker: Type.String(),
  queue: Type.String(),
  effects: Type.Optional(Type.Number()),
  result: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
  /** Of this run, where traces are on. */
  trace: Type.Optional(Type.String()),
});
export type HistoryRow = Static<typeof HistoryRow>;

// ---- jobs

export const STATES = ["waiting", "claimed", "delayed", "held", "dead"] as const;
export type State = (typeof STATES)[number];

const JOB = {
  /** The id that the 202 or `enqueue` returned. */
  id: Type.String(),
  queue: Type.String(),
  /** `claimed`: a worker runs it. `held`: it waits for others. `finished`: known from the history only. */
  state: Type.Enum([...STATES, "finished"]),
  /** message, webhook, event, job, cron. */
  kind: Type.Optional(Type.String()),
  route: Type.Optional(Type.String()),
  key: Type.Optional(Type.String()),
  class: Type.Integer(),
  /** Failures so far. */
  attempts: Count,
  tags: Type.Array(Type.String()),
  enqueuedAt: Time,
  due: Type.Optional(Time),
  /** Of a claimed one. */
  worker: Type.Optional(Type.String()),
  /** Of a dead one. */
  reason: Type.Optional(Type.String()),
};

export const Job = Type.Object({
  ...JOB,
  /** Claimed: since when it runs; dead, finished: since when; else when it was enqueued. */
  since: Time,
  /** The beginning of its body, at most 400 characters; absent in what cannot be read. */
  excerpt: Type.Optional(Type.String()),
  /** Of a finished one. */
  outcome: Type.Optional(Type.String()),
});
export type Job = Static<typeof Job>;

export const JobQuery = Type.Object({
  ...PageQuery.properties,
  /** One or more of waiting, claimed, delayed, held, dead, with commas; or finished. Default: all but finished. */
  state: Type.Optional(Type.String({ maxLength: 100 })),
  queue: Type.Optional(Name),
  /** Id of a route, or name of a handler. */
  route: Type.Optional(Name),
  tag: Type.Optional(Name),
  key: Type.Optional(Type.String({ maxLength: 1024 })),
  /** In its body, of which the first 64 KiB are looked at. */
  text: Type.Optional(Type.String({ maxLength: 1024 })),
  /** A duration such as `5m`. */
  olderThan: Type.Optional(Type.String({ maxLength: 32 })),
});
export type JobQuery = Static<typeof JobQuery>;

/** One delivery's whole story. */
export const JobStory = Type.Object({
  ...JOB,
  /** As text; what is longer than 512 KiB is cut. */
  body: Type.String(),
  /** Of a webhook; secrets among the headers are masked. */
  request: Type.Optional(
    Type.Object({
      method: Type.String(),
      path: Type.String(),
      headers: Type.Record(Type.String(), Type.String()),
    }),
  ),
  /** Who caused it. */
  by: Type.Optional(Type.String()),
  /** What middleware gave it, `traceparent` among it. */
  meta: Type.Record(Type.String(), Type.String()),
  traceparent: Type.Optional(Type.String()),
  /** What `ctx.progress` said last. */
  progress: Type.Optional(Type.Unknown()),
  /** Of the last ten attempts that failed, the oldest first. */
  errors: Type.Array(Type.Object({ attempt: Type.Number(), error: Type.String() })),
  /** Names of the steps that are done. */
  steps: Type.Array(Type.String()),
  /** Its runs as far as the latest history of its queue knows them, the newest first. */
  runs: Type.Array(HistoryRow),
});
export type JobStory = Static<typeof JobStory>;
