// What people and programs see of a delivery: plain data; all times are by the clock of Redis.

import { DEFAULT_CLASS, enqueuedAtMs, type EnvelopeHeader, type Kind, type PriorityClass } from "../broker/delivery.ts";
import type { Found } from "../broker/jobs.ts";
import type { DeliveryState, FoundDelivery } from "../broker/search.ts";

export type State = DeliveryState;

export interface Listed {
  /** The id that the 202 or `enqueue` returned. */
  readonly id: string;
  readonly queue: string;
  /** `claimed`: a worker runs it. `held`: it waits for others. */
  readonly state: State;
  readonly kind?: Kind;
  /** Absent in a Message that is not matched yet. */
  readonly route?: string;
  /** Ordering key. */
  readonly key?: string;
  readonly class: PriorityClass;
  /** Failures so far. */
  readonly attempts: number;
  readonly tags: readonly string[];
  readonly enqueuedAt: Date;
  /** Of a delayed one. */
  readonly due?: Date;
  /** Of a claimed one. */
  readonly worker?: string;
  /** Of a dead one. */
  readonly reason?: string;
}

/** One of many. */
export interface ListedOne extends Listed {
  /** Claimed: since when it runs; dead: since when; else when it was enqueued. */
  readonly since: Date;
  /** Its body as text, at most 64 KiB of it. */
  readonly body: string;
}

/** One that was asked for. */
export interface Shown extends Listed {
  readonly body: string;
  /** What `ctx.progress` said last. */
  readonly progress?: unknown;
  /** Of the last ten attempts that failed, the oldest first. */
  readonly errors: readonly { readonly attempt: number; readonly error: string }[];
  /** Names of the steps that are done. */
  readonly steps: readonly string[];
  /** Of its enqueue, as W3C writes it, where traces are made. */
  readonly traceparent?: string;
}

export function listedOf(found: FoundDelivery): ListedOne {
  const { id, number, queue, state, element, key, header, payload, sinceMs, dueMs, wid, reason } = found;
  return {
    id,
    queue,
    state,
    ...headerOf(header),
    ...(key !== "" && { key }),
    class: element.class,
    attempts: element.attempts,
    enqueuedAt: new Date(enqueuedAtMs(number)),
    since: new Date(sinceMs),
    ...(dueMs !== undefined && { due: new Date(dueMs) }),
    ...(wid !== undefined && { worker: wid }),
    ...(reason !== undefined && { reason }),
    body: payload.toString("utf8"),
  };
}

const ERROR_NOTE = /^error:(\d+)$/;
const STEP_NOTE = /^step:[^:]*:(.*)$/s;
const PROGRESS_NOTE = "progress";

/** `reason`: of a dead letter. */
export function shownOf(found: Found, letter?: { readonly reason: string; readonly attempts: number }): Shown {
  const { id, number, queue, place, worker, dueMs, header, payload, notes } = found;
  const errors = Object.entries(notes)
    .flatMap(([field, error]) => (ERROR_NOTE.test(field) ? [{ attempt: Number(field.slice(6)), error }] : []))
    .sort((a, b) => a.attempt - b.attempt);
  const progress = notes[PROGRESS_NOTE];
  return {
    id,
    queue,
    state: place,
    ...headerOf(header),
    ...(header.key !== undefined && { key: header.key }),
    class: header.class ?? DEFAULT_CLASS,
    attempts: letter?.attempts ?? Math.max(0, ...errors.map(({ attempt }) => attempt)),
    enqueuedAt: new Date(enqueuedAtMs(number)),
    ...(dueMs !== undefined && { due: new Date(dueMs) }),
    ...(worker !== undefined && { worker }),
    ...(letter !== undefined && { reason: letter.reason }),
    body: payload.toString("utf8"),
    ...(progress !== undefined && { progress: valueOf(progress) }),
    errors,
    steps: Object.keys(notes).flatMap((field) => STEP_NOTE.exec(field)?.[1] ?? []),
    ...(header.traceparent !== undefined && { traceparent: header.traceparent }),
  };
}

function headerOf(header: EnvelopeHeader | undefined): Pick<Listed, "kind" | "route" | "tags"> {
  return {
    ...(header !== undefined && { kind: header.kind }),
    ...(header?.route !== undefined && { route: header.route }),
    tags: header?.tags ?? [],
  };
}

function valueOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
