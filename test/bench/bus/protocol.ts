// What the benchmark `bus`, its subjects' processes and the process with the streams say to each other.

export interface Burst {
  readonly type: "burst";
  readonly messages: number;
  /** 0 = as fast as it goes. */
  readonly perSecond: number;
}

/** Publishes until all of it is stored, with nobody who reads. */
export interface Store {
  readonly type: "store";
  readonly messages: number;
}

export type ToSubject = { readonly type: "open"; readonly url: string } | Burst | Store | { readonly type: "memory" };

export type FromSubject =
  | { readonly type: "opened"; readonly port: number }
  | { readonly type: "sent" }
  | { readonly type: "stored"; readonly ms: number }
  /** Resident, after the garbage was collected, in bytes. */
  | { readonly type: "memory"; readonly bytes: number };

/** A server with streams, in a process of its own. */
export interface BusSubject {
  /** Resolves with its port. `url` is Redis. */
  open(url: string): Promise<number>;
  /** To every stream. */
  publish(data: object): unknown;
  /** Resolves when so many messages are stored; undefined where nothing is. */
  store?(messages: number): Promise<void>;
}

/** How a stream is asked for. */
export type Speech = "poll" | "sse" | "websocket" | "held";

export type ToLoad =
  | { readonly type: "open"; readonly port: number; readonly speech: Speech; readonly streams: number }
  /** One of the streams reads no more. */
  | { readonly type: "stall" }
  | { readonly type: "count"; readonly deliveries: number };

export type FromLoad =
  | { readonly type: "opened" }
  | {
      readonly type: "counted";
      readonly deliveries: number;
      readonly ms: number;
      readonly latenciesMs: readonly number[];
    };

export const CHANNEL = "/bench";
/** Of the data as JSON. */
export const BODY_BYTES = 256;
/** Before the time at which a message was published, in microseconds of 16 digits. */
export const NEEDLE = '"t":';
export const STAMP_DIGITS = 16;

export function stampNow(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1_000);
}

export function dataNow(): object {
  const frame = { t: stampNow(), x: "" };
  return { ...frame, x: "x".repeat(BODY_BYTES - JSON.stringify(frame).length) };
}
