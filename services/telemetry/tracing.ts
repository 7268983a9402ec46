// Traces, as parts see them. Where nobody asked for any there is no Tracing, and nothing of OpenTelemetry is loaded: parts hold a
// `Tracing | undefined`, and `tracing?.start(…)` costs a comparison then.

import type { Clock, Random } from "../runtime/clock.ts";
import type { Carrier } from "./carrier.ts";
import type { Emit } from "./events.ts";

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Span {
  /** What is given to whatever follows from it elsewhere. */
  readonly carrier: Carrier;
  /** Whether it will be exported. */
  readonly isSampled: boolean;
  set(attributes: Attributes): void;
  fail(error: unknown): void;
  end(): void;
}

export interface SpanOptions {
  readonly kind?: "internal" | "client" | "server" | "producer" | "consumer";
  readonly attributes?: Attributes;
  /** Left out: the active span, if there is one. Null: it begins a trace. */
  readonly parent?: Span | Carrier | null | undefined;
  readonly links?: readonly Carrier[];
}

export interface Tracing {
  /** Whether a delivery's run belongs to the trace of its enqueue, or is only linked to it. */
  readonly queueRelation: "parent" | "link";
  /** What becomes of the trace that a webhook's sender names. */
  readonly webhooks: "parent" | "link" | "ignore";
  /** Never throws. Of one trace only so many are made in this thread; what begins beyond it stands for its parent. */
  start(name: string, options?: SpanOptions): Span;
  /** Calls `work` with this span as the active one, also across its awaits. */
  within<T>(span: Span, work: () => T): T;
  active(): Span | undefined;
  /** Lets what waits be sent, for a moment. */
  close(): Promise<void>;
}

/** Plain data: it crosses threads. */
export interface TracingOptions {
  /** Where OTLP is posted to. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly sampler: {
    readonly name:
      | "always_on"
      | "always_off"
      | "traceidratio"
      | "parentbased_always_on"
      | "parentbased_always_off"
      | "parentbased_traceidratio";
    readonly ratio: number;
  };
  /** Of the resource; `service.name` among them. */
  readonly resource: Readonly<Record<string, string>>;
  readonly queueRelation: Tracing["queueRelation"];
  readonly webhooks: Tracing["webhooks"];
  /** Texts that are taken out of the messages of errors. */
  readonly secrets: readonly string[];
}

export interface TracingAround {
  readonly mode: string;
  readonly thread?: string;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
  /** The name of a Lua script, by its digest. */
  readonly scriptName?: (sha: string) => string | undefined;
  /** Whether what handlers ask of HTTP servers and of Redis in this thread is traced. */
  readonly tracesCalls?: boolean;
}

/** Does the work and ends the span with what comes of it. */
export async function during<T>(span: Span | undefined, work: () => Promise<T>): Promise<T> {
  if (span === undefined) return work();
  try {
    return await work();
  } catch (error) {
    span.fail(error);
    throw error;
  } finally {
    span.end();
  }
}

/** Undefined where nobody asked for traces: then nothing is loaded. */
export async function openTracing(
  options: TracingOptions | undefined,
  around: TracingAround,
): Promise<Tracing | undefined> {
  if (options === undefined) return undefined;
  const { OtelTracing } = await import("./otel-tracing.ts");
  return new OtelTracing(options, around);
}
