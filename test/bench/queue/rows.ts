// From what the rounds of `queue` measured to rows beside the peers' and the figures to reach.

import type { Row } from "../report.ts";
import type { Samples } from "./samples.ts";

const NAMES = { bullmq: "BullMQ", groupmq: "GroupMQ", streams: "raw Streams" } as const;
type Peer = keyof typeof NAMES;

export interface Scale {
  readonly takeSmall: number;
  readonly takeLarge: number;
  readonly promoteSmall: number;
  readonly promoteLarge: number;
}

interface Goal {
  readonly reach: string;
  readonly holds: (value: number, peer: number) => boolean;
}

interface What {
  readonly name: string;
  readonly unit: string;
  readonly scenario: string;
  readonly what: string;
  readonly peer?: Peer;
  /** Where the peer did the same, if not in the scenario of that name. */
  readonly peerScenario?: string;
  readonly goal?: Goal;
}

const times = (factor: number, peer: string): Goal => ({
  reach: `≥ ${factor} × ${peer}`,
  holds: (value, other) => value >= factor * other,
});
const part = (divisor: number, peer: string): Goal => ({
  reach: `≤ 1/${divisor} of ${peer}`,
  holds: (value, other) => value <= other / divisor,
});
const atMost = (limit: number, unit: string): Goal => ({
  reach: `≤ ${limit} ${unit}`,
  holds: (value) => value <= limit,
});

const twice: Goal = { reach: "in a thread: ≤ 2 × GroupMQ's", holds: (value, peer) => value <= 2 * peer };

const bulk = (name: string, scenario: string, what: string, unit: string) => ({ name, scenario, what, unit });
const RATE = "/s";
const CPU = "µs";
const BYTES = "B";

const WHATS: readonly What[] = [
  { ...bulk("enqueue, unkeyed", "unkeyed", "enqueue", RATE), peer: "bullmq", goal: times(10, "BullMQ") },
  { ...bulk("enqueue, unkeyed", "unkeyed", "enqueue", RATE), peer: "streams" },
  {
    ...bulk("enqueue, 1,000 keys", "keyed", "enqueue", RATE),
    peer: "bullmq",
    peerScenario: "unkeyed",
    goal: times(8, "BullMQ"),
  },
  { ...bulk("enqueue, 1,000 keys", "keyed", "enqueue", RATE), peer: "groupmq" },
  { ...bulk("process, unkeyed", "unkeyed", "process", RATE), peer: "bullmq", goal: times(6, "BullMQ") },
  { ...bulk("process, unkeyed", "unkeyed", "process", RATE), peer: "streams", goal: times(0.6, "raw Streams") },
  { ...bulk("process, 1,000 keys in order", "keyed", "process", RATE), peer: "groupmq", goal: times(5, "GroupMQ") },
  { ...bulk("Redis user CPU per job, enqueueing, unkeyed", "unkeyed", "enqueue CPU", CPU), peer: "bullmq" },
  {
    ...bulk("Redis user CPU per job, processing, unkeyed", "unkeyed", "process CPU", CPU),
    peer: "bullmq",
    goal: part(8, "BullMQ's"),
  },
  { ...bulk("Redis user CPU per job, processing, unkeyed", "unkeyed", "process CPU", CPU), peer: "streams" },
  {
    ...bulk("Redis user CPU per job, processing, 1,000 keys", "keyed", "process CPU", CPU),
    peer: "groupmq",
    goal: part(5, "GroupMQ's"),
  },
  { ...bulk("Redis memory per waiting job", "unkeyed", "bytes", BYTES), peer: "bullmq", goal: atMost(330, "B") },
  {
    ...bulk("Redis memory per waiting job, 1,000 keys", "keyed", "bytes", BYTES),
    peer: "groupmq",
    goal: atMost(330, "B"),
  },
  { ...bulk("Redis memory per waiting job, each with its own key", "own key", "bytes", BYTES), goal: atMost(550, "B") },
  ...(["groupmq", "bullmq"] as const).map((peer): What => {
    const what = { ...bulk("enqueue to handler, idle worker, p50", "idle", "p50", "ms"), peer };
    return peer === "groupmq" ? { ...what, goal: twice } : what;
  }),
  ...(["groupmq", "bullmq"] as const).map((peer): What => {
    const what = { ...bulk("enqueue to handler, idle worker, p99", "idle", "p99", "ms"), peer };
    return peer === "groupmq" ? { ...what, goal: atMost(2, "ms") } : what;
  }),
  { ...bulk("one at a time, two loops", "one at a time", "process", RATE), peer: "bullmq", goal: times(1, "BullMQ") },
];

/** Without what was not measured. */
export function rowsOf(samples: Samples, scale: Scale | undefined): Row[] {
  const rows = [...WHATS.map((what) => rowOf(samples, what)), ...hotRows(samples), ...(scale ? scaleRows(scale) : [])];
  return rows.filter(({ value }) => !Number.isNaN(value));
}

function rowOf(samples: Samples, { name, unit, scenario, what, peer, peerScenario = scenario, goal }: What): Row {
  const value = samples.middle(`${scenario} antiphon`, what);
  const peerValue = peer === undefined ? undefined : samples.middle(`${peerScenario} ${peer}`, what);
  const row: Row = { name, value, unit, ...(peer && peerValue !== undefined && { peer: NAMES[peer], peerValue }) };
  return goal ? { ...row, reach: goal.reach, holds: goal.holds(value, peerValue ?? Number.NaN) } : row;
}

function hotRows(samples: Samples): Row[] {
  return ["p50", "p99"].map((what) => {
    const value = samples.middle("cold beside a hot key antiphon", what);
    const peerValue = samples.middle("cold alone antiphon", what);
    const row: Row = {
      name: `cold keys beside one with 90 % of the work, ${what}`,
      value,
      unit: "ms",
      peer: "without it",
      peerValue,
    };
    return what === "p99" ? { ...row, reach: "≤ 2 × without it", holds: value <= 2 * peerValue } : row;
  });
}

function scaleRows({ takeSmall, takeLarge, promoteSmall, promoteLarge }: Scale): Row[] {
  const row = (name: string, value: number, peerValue: number): Row => ({
    name,
    value,
    unit: CPU,
    peer: "1k",
    peerValue,
    reach: "± 20 %",
    holds: value <= 1.2 * peerValue,
  });
  return [
    row("scripts per job, settle and take, 1 M waiting in 100k keys", takeLarge, takeSmall),
    row("scripts per job, promote, settle and take, 1 M delayed", promoteLarge, promoteSmall),
  ];
}
