// What routes and handlers are at run time: frozen data with every default filled in. Authors never see these types.

import type { Capability } from "./adapter.ts";
import type { ChatCtx, Ctx, Event, Job } from "./context.ts";
import type { Schema } from "./infer.ts";
import type { PatternPart } from "./pattern.ts";
import type { ChatKey, RequestInfo, Run, SignatureFormat } from "./options.ts";
import type { PriorityClass } from "./place.ts";
import type { RetryPlan } from "./retry.ts";
import type { TimedCtx, TimedOptions } from "./timed.ts";

export interface Base {
  /** `<handler>.<key>`: the unit of permission, metric, retry and compatibility. */
  readonly id: string;
  readonly help?: string;
  /** Absent: everybody may. */
  readonly restrictTo?: readonly string[];
  /** Infinite where `retry` says itself when to end. */
  readonly attempts: number;
  /** Absent: exponential. */
  readonly retry?: RetryPlan;
  readonly noRetry?: (error: unknown) => boolean;
  readonly timeoutMs: number;
  /** Of the thread it runs in. */
  readonly maxHeapMb?: number;
  readonly needs: readonly Capability[];
  /** For middleware. */
  readonly meta: Readonly<Record<string, unknown>>;
}

export interface RateLimit {
  readonly limit: number;
  readonly perMs: number;
  readonly burst?: number;
  /** Of all runs of the route, or of each ordering key's. */
  readonly by: "route" | "key";
}

/** What nobody said. */
export interface Work extends Base {
  readonly rate?: RateLimit;
  /** Runs at a time over all workers. */
  readonly concurrency?: number;
}

/** Work that no author enqueues: the route says where it waits. */
export interface Placed extends Work {
  /** The broker's name, with the tag. Absent in handlers of an older library: `default`. */
  readonly queue?: string;
  readonly class?: PriorityClass;
}

interface Chat extends Base {
  /** Absent: the Message's own key. */
  readonly key?: ChatKey;
}

export interface CommandRoute extends Chat {
  readonly kind: "command";
  readonly pattern: string;
  readonly parts: readonly PatternPart[];
  readonly args?: Schema;
  readonly run: Run<ChatCtx & { readonly args: unknown }>;
}

export interface HearRoute extends Chat {
  readonly kind: "hear";
  /** Without the flags g and y, so it has no state. */
  readonly pattern: RegExp;
  readonly args?: Schema;
  readonly run: Run<ChatCtx & { readonly args: unknown; readonly match: RegExpExecArray }>;
}

export interface FallbackRoute extends Chat {
  readonly kind: "fallback";
  readonly run: Run<ChatCtx>;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface HmacCheck {
  /** In lower case, as all names of headers here. */
  readonly header: string;
  readonly secret: (config: unknown) => string;
  readonly format: SignatureFormat;
}

export interface HttpRoute extends Placed {
  readonly kind: "http";
  readonly method: Method;
  readonly path: string;
  readonly body?: Schema;
  readonly query?: Schema;
  readonly params?: Schema;
  readonly headers?: Schema;
  readonly hmac?: HmacCheck;
  readonly dedupe?: { readonly header: string; readonly ttlMs: number };
  /** When body, query, params and headers are parsed: at the door (400) or in the run (dead letter). */
  readonly parse: "before" | "after";
  readonly limitBytes: number;
  readonly key?: (request: RequestInfo) => string;
  readonly contentTypes: readonly string[];
  readonly run: Run<
    Ctx & { readonly body: unknown; readonly query: unknown; readonly params: unknown; readonly headers: unknown }
  >;
}

export interface JobRoute extends Work {
  readonly kind: "job";
  readonly job: Job;
  readonly run: Run<Ctx & { readonly input: unknown }>;
}

export interface EventRoute extends Placed {
  readonly kind: "event";
  readonly event: Event;
  readonly run: Run<Ctx & { readonly payload: unknown }>;
}

export interface CronRoute extends Placed, TimedOptions {
  readonly kind: "cron";
  readonly spec: string;
  readonly tz: string;
  readonly run: Run<Ctx & TimedCtx>;
}

export interface EveryRoute extends Placed, TimedOptions {
  readonly kind: "every";
  readonly periodMs: number;
  readonly run: Run<Ctx & TimedCtx>;
}

export type ChatRoute = CommandRoute | HearRoute | FallbackRoute;
export type AnyRoute = ChatRoute | HttpRoute | JobRoute | EventRoute | CronRoute | EveryRoute;

export interface HandlerShape {
  readonly format: 1;
  readonly name: string;
  readonly routes: Readonly<Record<string, AnyRoute>>;
  readonly config?: Schema;
  readonly setup?: (given: { readonly config: unknown; readonly signal: AbortSignal }) => unknown;
  readonly teardown?: () => unknown;
}
