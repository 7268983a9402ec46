// What the benchmark and the process that pings say to each other.

export type ToPings =
  /** Where the subject's web chat is; open sessions there and wait for the client of the chat service. */
  | { readonly type: "open"; readonly port: number }
  /** What was measured so far does not count. */
  | { readonly type: "measure" }
  /** Send no more, wait a moment for what is under way, answer `result`. */
  | { readonly type: "stop" };

export interface Pinged {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly count: number;
  readonly unanswered: number;
}

export interface PingResult {
  readonly type: "result";
  readonly web: Pinged;
  readonly chat: Pinged;
}

export type FromPings =
  | { readonly type: "listening"; readonly chatPort: number }
  | { readonly type: "open" }
  | PingResult;
