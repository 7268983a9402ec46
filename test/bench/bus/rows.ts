// From what the rounds of `bus` measured to rows beside the peers' and the figures to reach.

import type { Row } from "../report.ts";
import { median } from "../statistics.ts";

/** By scenario, value and subject. */
export type Samples = Map<string, readonly number[]>;

const RECORDED = "message_bus (Ruby), recorded";

interface What {
  readonly name: string;
  readonly key: string;
  readonly unit: string;
  readonly peer?: string;
  /** Where the peer's is among the samples, or a recorded figure. */
  readonly of?: string | number;
  readonly reach?: string;
  readonly holds?: (value: number, peer: number) => boolean;
}

const RATE = "deliveries to 1,000 streams";
const HALF = "at half of the maximum";
const STALLED = "a reader that does not drain, beside 999 that do: their p99";

const WHATS: readonly What[] = [
  {
    name: RATE,
    key: "streams deliveries",
    unit: "/s",
    peer: "Socket.IO",
    of: "socketio",
    reach: "≥ 2 × Socket.IO's",
    holds: (value, peer) => value >= 2 * peer,
  },
  {
    name: RATE,
    key: "streams deliveries",
    unit: "/s",
    peer: "plain SSE",
    of: "sse",
    reach: "≥ 0.8 of plain SSE's",
    holds: (value, peer) => value >= 0.8 * peer,
  },
  { name: RATE, key: "streams deliveries", unit: "/s", peer: RECORDED, of: 48_000 },
  { name: `${RATE}, ${HALF}, p50`, key: "streams half p50", unit: "ms", peer: "Socket.IO at its half", of: "socketio" },
  {
    name: `${RATE}, ${HALF}, p99`,
    key: "streams half p99",
    unit: "ms",
    peer: "Socket.IO at its half",
    of: "socketio",
    reach: "< 100 ms",
    holds: (value) => value < 100,
  },
  { name: `${RATE}, ${HALF}, p99`, key: "streams half p99", unit: "ms", peer: "plain SSE at its half", of: "sse" },
  {
    name: "publish, Redis with backlog",
    key: "publish rate",
    unit: "/s",
    peer: "Socket.IO's Redis Streams adapter",
    of: "socketio",
    reach: "≥ 3 ×",
    holds: (value, peer) => value >= 3 * peer,
  },
  { name: "publish, Redis with backlog", key: "publish rate", unit: "/s", peer: RECORDED, of: 7_950 },
  {
    name: "memory per idle stream",
    key: "idle KB",
    unit: "KB",
    peer: "plain Node http",
    of: "held",
    reach: "< 10 KB",
    holds: (value) => value < 10,
  },
  { name: "memory per idle stream", key: "idle KB", unit: "KB", peer: "plain SSE", of: "sse" },
  { name: "memory per idle stream", key: "idle KB", unit: "KB", peer: "Socket.IO", of: "socketio" },
  { name: "memory per idle stream", key: "idle KB", unit: "KB", peer: `${RECORDED}, Puma`, of: 4.4 },
];

export function rowsOf(samples: Samples): Row[] {
  const valueOf = (key: string, subject: string): number => median(samples.get(`${key} ${subject}`) ?? []);
  const rows = WHATS.map(({ name, key, unit, peer, of, reach, holds }): Row => {
    const value = valueOf(key, "antiphon");
    const peerValue = typeof of === "string" ? valueOf(key, of) : of;
    return {
      name,
      value,
      unit,
      ...(peer !== undefined && peerValue !== undefined && { peer, peerValue }),
      ...(reach !== undefined && holds && { reach, holds: holds(value, peerValue ?? Number.NaN) }),
    };
  });
  const [without, beside] = [valueOf("stalled without", "antiphon"), valueOf("stalled beside", "antiphon")];
  const stalled: Row = {
    name: STALLED,
    value: beside,
    unit: "ms",
    peer: "without it",
    peerValue: without,
    reach: "changes by < 10 %",
    holds: beside < without * 1.1,
  };
  return [...rows, stalled].filter(({ value }) => !Number.isNaN(value));
}
