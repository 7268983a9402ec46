// The spans of what passes a queue, by OpenTelemetry's conventions for messaging. Those are not stable, so each of their names
// stands here once. https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/

import { type CarriedTrace, type Carrier, carrierOf } from "./carrier.ts";
import type { Attributes, Span, Tracing } from "./tracing.ts";

/** The registry of attributes says `messaging.system.name` by now; the conventions' text and most backends do not. */
const SYSTEM = "messaging.system";
const NAME = "antiphon";
/** What waited longer did not follow at once, and its trace is over. */
const PARENT_MS_MAX = 300_000;

function messaging(name: string, type: string, queue: string): Attributes {
  return {
    [SYSTEM]: NAME,
    "messaging.operation.name": name,
    "messaging.operation.type": type,
    "messaging.destination.name": queue,
  };
}

/** What may be said of a delivery. */
export interface About {
  /** The delivery's own id, and the one that its sender was told. */
  readonly id?: string;
  readonly origin?: string;
  readonly route?: string | undefined;
  readonly kind?: string;
  /** Of several that are written together. */
  readonly count?: number;
  readonly bodyBytes?: number;
  /** Whoever processes it. */
  readonly client?: string;
  readonly attempt?: number;
  readonly waitedMs?: number;
  /** Of an Action. */
  readonly action?: string;
}

function described(about: About): Attributes {
  return {
    "messaging.message.id": about.id,
    "messaging.message.conversation_id": about.origin,
    "messaging.message.body.size": about.bodyBytes,
    "messaging.batch.message_count": about.count,
    "messaging.client.id": about.client,
    "antiphon.route": about.route,
    "antiphon.kind": about.kind,
    "antiphon.attempt": about.attempt,
    "antiphon.waited_ms": about.waitedMs,
    "antiphon.action": about.action,
  };
}

/** What an enqueue answered. */
export function idsOf(id: string): Attributes {
  return { "messaging.message.id": id, "messaging.message.conversation_id": id };
}

export interface Sent extends About {
  readonly parent?: Span | Carrier | null | undefined;
  readonly links?: readonly Carrier[];
}

/** From the wish to enqueue until it is stored. Its carrier goes along. */
export function startSend(tracing: Tracing, queue: string, { parent, links, ...about }: Sent = {}): Span {
  return tracing.start(`send ${queue}`, {
    kind: "producer",
    attributes: { ...messaging("send", "send", queue), ...described(about) },
    ...(parent === undefined ? {} : { parent }),
    ...(links === undefined ? {} : { links }),
  });
}

export interface Received extends About {
  /** What came along with it. */
  readonly trace: CarriedTrace;
  /** Of its attempt before this one. */
  readonly previous?: Carrier | undefined;
  readonly waitedMs: number;
}

/**
 * One attempt: in the trace of its enqueue, and linked to it. Only linked: what waited for long, what was made with many others,
 * what a schedule made, and everything where that is asked for.
 */
export function startProcess(tracing: Tracing, queue: string, { trace, previous, ...about }: Received): Span {
  const creation = carrierOf(trace.traceparent, trace.tracestate);
  const isApart = trace.traceLink === true || about.kind === "cron" || about.waitedMs > PARENT_MS_MAX;
  const isChild = creation !== undefined && !isApart && tracing.queueRelation === "parent";
  return tracing.start(`process ${queue}`, {
    kind: "consumer",
    attributes: { ...messaging("process", "process", queue), ...described(about) },
    parent: isChild ? creation : null,
    links: [creation, previous].filter((link) => link !== undefined),
  });
}

/** From an outcome until it is written, with what rides in it. */
export function startAck(tracing: Tracing, queue: string, { parent, ...about }: Sent): Span {
  return tracing.start(`ack ${queue}`, {
    kind: "client",
    attributes: { ...messaging("ack", "settle", queue), ...described(about) },
    ...(parent === undefined ? {} : { parent }),
  });
}
