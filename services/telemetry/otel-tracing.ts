// The only file that loads OpenTelemetry's SDK, and only `openTracing` loads this file. Registers it for the whole thread, so that
// spans which a handler or its libraries make through OpenTelemetry's API belong to the run they are made in.

import { type Context, context, createContextKey, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { type Link, type Span as OtelSpan, type SpanContext, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { parseTraceParent, TraceState, W3CTraceContextPropagator } from "@opentelemetry/core";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { VERSION } from "../runtime/version.ts";
import type { Carrier } from "./carrier.ts";
import { OtlpSender } from "./otlp.ts";
import { maskOf } from "./report.ts";
import { SpanQueue } from "./span-queue.ts";
import { traceCalls } from "./traced-calls.ts";
import type { Attributes, Span, SpanOptions, Tracing, TracingAround, TracingOptions } from "./tracing.ts";

/** Of one trace in one thread, or below one delivery's run: a loop of a million commands makes no million spans. */
export const SPANS_MAX = 500;
const NAME_CHARS_MAX = 256;
const LIMITS = {
  attributeCountLimit: 64,
  attributeValueLengthLimit: 2_048,
  eventCountLimit: 32,
  linkCountLimit: 32,
};
const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;
const PRESENT = createContextKey("antiphon span");

/** How many more spans may begin, and how many were left out. */
interface Budget {
  left: number;
  omitted: number;
}

export class OtelTracing implements Tracing {
  readonly queueRelation: Tracing["queueRelation"];
  readonly webhooks: Tracing["webhooks"];
  readonly #provider: TracerProvider;
  readonly #mask: (text: string) => string;
  readonly #thread: Attributes;
  readonly #untrace: (() => void) | undefined;

  constructor(options: TracingOptions, around: TracingAround) {
    const { clock, random, emit, mode, thread, tracesCalls = false } = around;
    this.queueRelation = options.queueRelation;
    this.webhooks = options.webhooks;
    this.#mask = maskOf(options.secrets);
    this.#thread = thread === undefined ? {} : { "thread.name": thread };
    const queue = new SpanQueue({
      sender: new OtlpSender({ url: options.url, headers: options.headers, clock, random }),
      serialize: (spans) => ProtobufTraceSerializer.serializeRequest(spans),
      emit,
      clock,
    });
    this.#provider = new TracerProvider({
      resource: defaultResource().merge(resourceFromAttributes({ ...options.resource, "antiphon.mode": mode })),
      sampler: samplerOf(options.sampler),
      spanLimits: LIMITS,
      spanProcessors: [queue],
    });
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(this.#provider);
    this.#untrace = tracesCalls ? traceCalls(this, around.scriptName) : undefined;
  }

  start(name: string, { kind = "internal", attributes, parent, links = [] }: SpanOptions = {}): Span {
    const around = parent === undefined ? context.active() : contextOf(parent);
    const above = around.getValue(PRESENT);
    const budget: Budget = above instanceof LiveSpan ? above.budget : { left: SPANS_MAX, omitted: 0 };
    if (above instanceof LiveSpan && budget.left <= 0) {
      budget.omitted++;
      return new StandIn(above);
    }
    budget.left--;
    const span = this.#provider.getTracer("antiphon", VERSION).startSpan(
      name.slice(0, NAME_CHARS_MAX),
      {
        kind: KINDS[kind],
        attributes: { ...known(attributes), ...(above === undefined ? this.#thread : {}) },
        links: links.flatMap(linkOf),
      },
      around,
    );
    return new LiveSpan(span, { around, budget, mask: this.#mask, isFirst: above === undefined });
  }

  within<T>(span: Span, work: () => T): T {
    const live = span instanceof StandIn ? span.above : span;
    return live instanceof LiveSpan ? context.with(live.context, work) : work();
  }

  active(): Span | undefined {
    const present = context.active().getValue(PRESENT);
    if (!(present instanceof LiveSpan)) return undefined;
    const now = trace.getSpan(context.active());
    // A library's own span may have begun within ours.
    return now === undefined || now === present.otel ? present : present.beside(now);
  }

  async close(): Promise<void> {
    this.#untrace?.();
    await this.#provider.shutdown().catch(() => {});
    context.disable();
    propagation.disable();
    trace.disable();
  }
}

interface Surroundings {
  readonly around: Context;
  readonly budget: Budget;
  readonly mask: (text: string) => string;
  readonly isFirst: boolean;
}

class LiveSpan implements Span {
  readonly otel: OtelSpan;
  readonly budget: Budget;
  readonly #surroundings: Surroundings;
  #context: Context | undefined;

  constructor(otel: OtelSpan, surroundings: Surroundings) {
    this.otel = otel;
    this.budget = surroundings.budget;
    this.#surroundings = surroundings;
  }

  /** With this span as the active one. */
  get context(): Context {
    this.#context ??= trace.setSpan(this.#surroundings.around, this.otel).setValue(PRESENT, this);
    return this.#context;
  }

  get carrier(): Carrier {
    return carrierOfContext(this.otel.spanContext());
  }

  get isSampled(): boolean {
    return (this.otel.spanContext().traceFlags & 1) === 1;
  }

  /** The same for a span that somebody else made below this one. */
  beside(otel: OtelSpan): LiveSpan {
    return new LiveSpan(otel, { ...this.#surroundings, around: context.active(), isFirst: false });
  }

  set(attributes: Attributes): void {
    this.otel.setAttributes(known(attributes));
  }

  fail(error: unknown): void {
    if (!this.otel.isRecording()) return;
    const { mask } = this.#surroundings;
    const message = mask(error instanceof Error ? error.message : String(error));
    const type = typeOf(error);
    this.otel.setStatus({ code: SpanStatusCode.ERROR, message });
    this.otel.setAttribute("error.type", type);
    const stack = error instanceof Error && error.stack !== undefined ? mask(error.stack) : "";
    this.otel.addEvent("exception", {
      "exception.type": type,
      "exception.message": message,
      ...(stack === "" ? {} : { "exception.stacktrace": stack }),
    });
  }

  end(): void {
    if (!this.otel.isRecording()) return;
    const { omitted } = this.budget;
    if (this.#surroundings.isFirst && omitted > 0) this.otel.setAttribute("antiphon.spans_omitted", omitted);
    this.otel.end();
  }
}

/** For a span that is left out because there are too many: what would be below it is below the one above. */
class StandIn implements Span {
  readonly above: LiveSpan;

  constructor(above: LiveSpan) {
    this.above = above;
  }

  get carrier(): Carrier {
    return this.above.carrier;
  }

  get isSampled(): boolean {
    return this.above.isSampled;
  }

  set(): void {}
  fail(): void {}
  end(): void {}
}

function contextOf(parent: Span | Carrier | null): Context {
  if (parent === null) return ROOT_CONTEXT;
  if (parent instanceof StandIn) return parent.above.context;
  if (parent instanceof LiveSpan) return parent.context;
  const remote = remoteOf("carrier" in parent ? parent.carrier : parent);
  return remote === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);
}

function linkOf(carrier: Carrier): Link[] {
  const remote = remoteOf(carrier);
  return remote === undefined ? [] : [{ context: remote }];
}

function remoteOf({ traceparent, tracestate }: Carrier): SpanContext | undefined {
  const parsed = parseTraceParent(traceparent);
  if (parsed === null) return undefined;
  return { ...parsed, isRemote: true, ...(tracestate === undefined ? {} : { traceState: new TraceState(tracestate) }) };
}

function carrierOfContext({ traceId, spanId, traceFlags, traceState }: SpanContext): Carrier {
  const traceparent = `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, "0")}`;
  const tracestate = traceState?.serialize() ?? "";
  return tracestate === "" ? { traceparent } : { traceparent, tracestate };
}

function known(attributes: Attributes = {}): Record<string, string | number | boolean> {
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Record<string, string | number | boolean>;
}

function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return "_OTHER";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

function samplerOf({ name, ratio }: TracingOptions["sampler"]): Sampler {
  switch (name) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(ratio);
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}
