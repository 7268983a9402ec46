// What the benchmark and its load generator say to each other.

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly bytes: number;
  readonly connections: number;
  /** Begins every delivery's number, so that no two loads share one. */
  readonly label: string;
  /** What is answered before is not counted. */
  readonly warmupMs: number;
  /** After the warm-up. */
  readonly durationMs: number;
  /** Ends earlier when so many were sent. */
  readonly requestsMax: number;
  /** Senders that begin a body and do not end it, half of them silent, half sending a byte now and then. */
  readonly stalled: number;
}

export interface LoadResult {
  readonly type: "done";
  readonly sent: number;
  /** Deliveries answered with 202, by number; of all that was sent. */
  readonly accepted: readonly string[];
  /** Accepted between warm-up and end. */
  readonly acceptedInTime: number;
  readonly ms: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Connections that broke with a request under way. */
  readonly broken: number;
  /** Between warm-up and end, ms. */
  readonly latency: { readonly p50: number; readonly p99: number };
}

export type FromLoad = { readonly type: "measuring" } | { readonly type: "over" } | LoadResult;
