// What a run says and enqueues, as spans: from the wish until it is written. What rides in the settle is a moment only; when it
// was written the span `ack` tells.

import type { Action } from "../sdk/action.ts";
import type { SpanAttributes } from "../sdk/context.ts";
import { type About, startSend } from "../telemetry/queue-spans.ts";
import { during, type Span } from "../telemetry/tracing.ts";
import type { RouteRun } from "./route-run.ts";
import type { ThreadParts } from "./thread-parts.ts";

const WEB = "web";

/** The web chat has no outbox: what is said there goes to its readers at once. */
export function startSay({ tracing, rooms }: ThreadParts, action: Action): Span | undefined {
  if (tracing === undefined) return undefined;
  const unit = rooms.unitOf(action);
  return startSend(tracing, unit === WEB ? WEB : `outbox/${unit}`, { action: action.op, id: action.id });
}

/** The same, ended: it is written later. */
export function tellSay(parts: ThreadParts, action: Action): Span | undefined {
  const span = startSay(parts, action);
  span?.end();
  return span;
}

export function startEnqueue({ parts }: RouteRun, queue: string, about: About): Span | undefined {
  return parts.tracing && startSend(parts.tracing, queue, about);
}

const ATTRIBUTES_MAX = 32;

/** ctx.span */
export async function spanOf<T>(
  { parts: { tracing } }: RouteRun,
  { name, attributes }: { readonly name: string; readonly attributes: SpanAttributes },
  fn: () => T | Promise<T>,
): Promise<T> {
  if (tracing === undefined) return fn();
  const some = Object.fromEntries(Object.entries(attributes).slice(0, ATTRIBUTES_MAX));
  const span = tracing.start(String(name), { attributes: some });
  return during(span, async () => tracing.within(span, fn));
}
