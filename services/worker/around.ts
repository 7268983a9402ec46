// The middleware around runs and enqueues, as the thread calls it; and what its ctx says of the route and the delivery.
// Without any, nothing stands between.

import { AntiphonError } from "../runtime/errors.ts";
import { type Layer, throughLayers } from "../runtime/layers.ts";
import type { DeliveryInfo, RouteInfo } from "../sdk/context.ts";
import { enqueueLayers, type EnqueueLayer, NO_META, prepareMeta } from "../sdk/enqueue-layers.ts";
import type { EnqueueCall, EnqueuedIds, Meta, Middleware, RunningCtx } from "../sdk/middleware.ts";
import { isOutcome } from "../sdk/outcome.ts";
import type { RouteRun } from "./route-run.ts";

/** Calls the author's function, through every middleware that is around runs. */
export function callRoute(run: RouteRun, ctx: object): unknown {
  const core = run.shape.run as (ctx: object) => unknown;
  const layers = runLayers(run.parts.manifest.middleware);
  if (layers.length === 0) return core(ctx);
  return throughLayers({ layers, core, passes: isOutcome }, ctx as RunningCtx);
}

/** What `enqueue` and `emit` were called with. */
export type Asked = Pick<EnqueueCall, "kind" | "name" | "input" | "options">;
/** The same, as the middleware left it. */
export type ToEnqueue = Pick<EnqueueCall, "input" | "options"> & { readonly meta: Meta | undefined };

/** Gives the ids of what was enqueued in the end. */
export async function aroundEnqueue(
  run: RouteRun,
  asked: Asked,
  enqueue: (call: ToEnqueue) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const layers = layersAround(run.parts.manifest.middleware);
  if (layers.length === 0) return enqueue({ ...asked, meta: undefined });
  let ids: readonly string[] | undefined;
  const core = async (call: EnqueueCall): Promise<EnqueuedIds> => {
    const carried = prepareMeta(call);
    if (!carried.ok) throw new AntiphonError(carried.code, carried.detail);
    ids = await enqueue({ ...call, meta: carried.value });
    return { ids };
  };
  const { id, key, meta } = deliveryInfo(run);
  const from = { route: run.shape.id, id, ...(key === undefined ? {} : { key }), attempt: run.attempt, meta };
  await throughLayers({ layers, core }, { ...asked, meta: NO_META, from });
  if (ids === undefined) {
    const detail = `${asked.kind} ${asked.name}: one of ${layers.map(({ name }) => name).join(", ")} did not call next().`;
    throw new AntiphonError("MIDDLEWARE_FAILED", detail);
  }
  return ids;
}

export function routeInfo({ shape, route }: RouteRun): RouteInfo {
  return { id: shape.id, handler: route.handler.shape.name, kind: shape.kind, meta: shape.meta };
}

export function deliveryInfo(run: RouteRun): DeliveryInfo {
  const { origin, header, place, claim } = run.underway;
  const key = claim.key === "" ? {} : { key: claim.key };
  return { id: origin, kind: header?.kind ?? "job", queue: place.queue, ...key, meta: metaOf(run) };
}

function metaOf({ underway }: RouteRun): Meta {
  return underway.header?.meta ?? NO_META;
}

type RunLayer = Layer<RunningCtx, unknown>;

// The list of middleware never changes, and there are very many runs.
const runLayersOf = new WeakMap<readonly Middleware[], readonly RunLayer[]>();
const enqueueLayersOf = new WeakMap<readonly Middleware[], readonly EnqueueLayer[]>();

function runLayers(list: readonly Middleware[]): readonly RunLayer[] {
  const known = runLayersOf.get(list);
  if (known !== undefined) return known;
  const layers = list.flatMap(({ name, run }): RunLayer[] =>
    run === undefined ? [] : [{ name, around: (ctx, next) => run(ctx, () => next()) }],
  );
  runLayersOf.set(list, layers);
  return layers;
}

function layersAround(list: readonly Middleware[]): readonly EnqueueLayer[] {
  const known = enqueueLayersOf.get(list);
  if (known !== undefined) return known;
  const layers = enqueueLayers(list);
  enqueueLayersOf.set(list, layers);
  return layers;
}
