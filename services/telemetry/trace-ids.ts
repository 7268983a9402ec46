// Logs and error reports say which span they belong to.

import { spanIdOf, traceIdOf } from "./carrier.ts";
import type { Emit, EventName } from "./events.ts";
import type { Tracing } from "./tracing.ts";

const NAMED: ReadonlySet<EventName> = new Set<EventName>([
  "log",
  "run.failed",
  "run.refused",
  "run.dead",
  "run.interrupted",
  "run.expired",
  "run.cancelled",
]);

/** An `Emit` that names the active span in what a run tells. */
export function withTraceIds(emit: Emit, tracing: () => Tracing | undefined): Emit {
  return (name, fields) => {
    const carrier = NAMED.has(name) ? tracing()?.active()?.carrier : undefined;
    emit(
      name,
      carrier === undefined ? fields : { ...fields, trace_id: traceIdOf(carrier), span_id: spanIdOf(carrier) },
    );
  };
}
