// Routes as authors write them: `r.command(…)`, `r.post(…)` and their options. Types only.

import type { Capability } from "./adapter.ts";
import type { ChatCtx, Ctx, Event, Job } from "./context.ts";
import type { Duration } from "./duration.ts";
import type { Args, Fields, OnlyKnown, Or, Out, PathParams, Schema } from "./infer.ts";
import type { Message } from "./message.ts";
import type { PlaceOptions } from "./place.ts";
import type { NoRetry, RetryPolicy } from "./retry.ts";
import type { TimedCtx, TimedOptions } from "./timed.ts";

export type Run<X> = (ctx: X) => unknown;

export interface CommonOptions {
  readonly help?: string;
  /** Groups; a member of any of them may. Unknown groups stop the start. */
  readonly restrictTo?: readonly string[];
  /** Runs before it is a dead letter. Default: 1 in chat, 10 elsewhere; without end where `retry` is a list or function. */
  readonly attempts?: number;
  /** When it is tried again. Default: after 1 s, doubled each time up to 5 min, each shortened at random by up to a half. */
  readonly retry?: RetryPolicy;
  /** Errors that make a dead letter at once. */
  readonly noRetry?: NoRetry;
  /** Default: 60 s in chat, 10 min elsewhere. */
  readonly timeout?: Duration;
  /** MB of heap of the thread it runs in: over it the run fails, and the thread is replaced. */
  readonly maxHeap?: number;
  /** What an adapter must be able to do; the start fails when none can. */
  readonly needs?: readonly Capability[];
  /** For middleware, which finds it in `ctx.route.meta`. */
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** At most `limit` runs begin `per` time, evenly spread: of the route, or of each ordering key. */
export interface RateOptions {
  readonly limit: number;
  readonly per: Duration;
  /** So many may begin at once after a pause. Default: 1. */
  readonly burst?: number;
  readonly by?: "route" | "key";
}

/** Routes of work. Limits count over all workers; what is over one waits and holds no slot. */
export interface WorkOptions extends CommonOptions {
  readonly rate?: RateOptions;
  /** Runs at a time. */
  readonly concurrency?: number;
}

export interface ChatOptions extends CommonOptions {
  /** Ordering key. Default: room and user, so nobody waits for another person's slow command. */
  readonly key?: ChatKey;
}

export type ChatKey = "room" | "thread" | "user" | ((message: Message) => string);

/** How a signature is written: `github` is `sha256=<hex>`, `slack` is v0 with a timestamp of at most 5 minutes ago. */
export type SignatureFormat = "github" | "slack" | "hex" | "base64";

/** What is known of a request before its body is read. */
export interface RequestInfo {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Fields;
  readonly headers: Fields;
}

export interface HttpOptions<C, P extends string, B, Q, U, H> extends WorkOptions, PlaceOptions {
  readonly body?: B;
  readonly query?: Q;
  readonly params?: U;
  /** Names of headers are in lower case. */
  readonly headers?: H;
  /** Checked over the raw bytes before anything is stored. Default format: by the header's name, else `hex`. */
  readonly hmac?: {
    readonly header: string;
    readonly secret: (config: C) => string;
    readonly format?: SignatureFormat;
  };
  /** A repeat is answered with the first one's id. Keyed by route; default ttl 1 h. */
  readonly dedupe?: { readonly header: string; readonly ttl?: Duration };
  /** Parse and check before the answer (400), not after it (dead letter). */
  readonly parse?: "before";
  /** Bytes of the body. Default 1 MiB. */
  readonly limit?: number;
  /** Ordering key, from what is known before the body is read. Default: none, all run side by side. */
  readonly key?: (request: RequestInfo) => string;
  /** Others are answered 415. Default: JSON, forms and text. */
  readonly contentTypes?: readonly string[];
  readonly run: Run<
    Ctx<C> & {
      readonly body: Or<B, unknown>;
      readonly query: Or<Q, Fields>;
      readonly params: Or<U, PathParams<P>>;
      readonly headers: Or<H, Fields>;
    }
  >;
}

export type HttpVerb<C> = <
  const P extends string,
  B extends Schema | undefined = undefined,
  Q extends Schema | undefined = undefined,
  U extends Schema | undefined = undefined,
  H extends Schema | undefined = undefined,
>(
  path: P,
  options: HttpOptions<C, P, B, Q, U, H>,
) => Route;

/** Plain frozen data. What is in it is for Antiphon alone: see `AnyRoute`. */
export interface Route {
  readonly kind: string;
}

/** `r` in `routes: (r) => ({ … })`. */
export interface Routes<C> {
  /** Addressed to the bot: `deploy <app> [env]`; `<text...>` takes the rest of the line. */
  command<const P extends string, S extends Schema | undefined = undefined>(
    pattern: P,
    options: ChatOptions & {
      readonly args?: S & OnlyKnown<P, S>;
      readonly run: Run<ChatCtx<C> & { readonly args: Args<P, S> }>;
    },
  ): Route;
  /** Anything said where the bot listens. Named groups are `args`. */
  hear<S extends Schema>(
    pattern: RegExp,
    options: ChatOptions & {
      readonly args?: S;
      readonly run: Run<ChatCtx<C> & { readonly args: Out<S>; readonly match: RegExpExecArray }>;
    },
  ): Route;
  /** Addressed to the bot, and nothing else matched. */
  fallback(options: ChatOptions & { readonly run: Run<ChatCtx<C>> }): Route;
  on<S extends Schema>(
    event: Event<S>,
    options: WorkOptions & PlaceOptions & { readonly run: Run<Ctx<C> & { readonly payload: Out<S> }> },
  ): Route;
  job<S extends Schema>(
    job: Job<S>,
    options: WorkOptions & { readonly run: Run<Ctx<C> & { readonly input: Out<S> }> },
  ): Route;
  readonly get: HttpVerb<C>;
  readonly post: HttpVerb<C>;
  readonly put: HttpVerb<C>;
  readonly patch: HttpVerb<C>;
  readonly delete: HttpVerb<C>;
  /** Once per cluster, at five-field cron times of the time zone. */
  cron(
    spec: string,
    options: WorkOptions & PlaceOptions & TimedOptions & { readonly tz: string; readonly run: Run<Ctx<C> & TimedCtx> },
  ): Route;
  /** Once per cluster and period. */
  every(
    period: Duration,
    options: WorkOptions & PlaceOptions & TimedOptions & { readonly run: Run<Ctx<C> & TimedCtx> },
  ): Route;
}
