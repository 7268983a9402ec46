// Everything that the loaded handlers offer, with tables to look it up by. Static: no author's code runs here.

import type { BusDefinition } from "../sdk/bus.ts";
import type { Job } from "../sdk/context.ts";
import type { CronRoute, EventRoute, EveryRoute, HandlerShape, HttpRoute, JobRoute, AnyRoute } from "../sdk/routes.ts";
import { type ChatTable, chatTable } from "../sdk/match.ts";
import { inOrder } from "../sdk/enqueue-layers.ts";
import type { Middleware } from "../sdk/middleware.ts";
import type { Problem } from "./problem.ts";

export interface LoadedHandler {
  readonly file: string;
  readonly shape: HandlerShape;
  /** It came with Antiphon. */
  readonly builtin: boolean;
  /** Its settings as its schema gives them back. */
  readonly config: unknown;
}

export interface LoadedRoute<S extends AnyRoute = AnyRoute> {
  readonly handler: LoadedHandler;
  readonly shape: S;
}

export class Manifest {
  readonly handlers: readonly LoadedHandler[];
  /** From the outermost to the innermost. */
  readonly middleware: readonly Middleware[];
  /** Who reads which channels; undefined: nobody any. */
  readonly bus: BusDefinition | undefined;
  readonly routes: readonly LoadedRoute[];
  readonly chat: ChatTable;
  readonly http: readonly LoadedRoute<HttpRoute>[];
  readonly timed: readonly LoadedRoute<CronRoute | EveryRoute>[];
  /** What does not stop the start, e.g. a webhook that anybody may call. */
  readonly warnings: readonly Problem[];
  readonly #byId: ReadonlyMap<string, LoadedRoute>;
  readonly #jobs = new Map<string, LoadedRoute<JobRoute>>();
  readonly #subscribers = new Map<string, LoadedRoute<EventRoute>[]>();

  constructor(
    handlers: readonly LoadedHandler[],
    {
      warnings = [],
      middleware = [],
      bus,
    }: {
      readonly warnings?: readonly Problem[];
      readonly middleware?: readonly Middleware[];
      readonly bus?: BusDefinition | undefined;
    } = {},
  ) {
    this.bus = bus;
    this.handlers = handlers;
    this.middleware = inOrder(middleware);
    this.warnings = warnings;
    this.routes = handlers.flatMap((handler) =>
      Object.values(handler.shape.routes).map((shape) => ({ handler, shape })),
    );
    this.chat = chatTable(routesOf(handlers, false), routesOf(handlers, true));
    this.http = this.routes.filter((route) => isKind(route, "http"));
    this.timed = this.routes.filter((route) => isKind(route, "cron") || isKind(route, "every"));
    this.#byId = new Map(this.routes.map((route) => [route.shape.id, route]));
    for (const route of this.routes) {
      if (isKind(route, "job")) this.#jobs.set(route.shape.job.name, route);
      if (!isKind(route, "event")) continue;
      const { name } = route.shape.event;
      this.#subscribers.set(name, [...(this.#subscribers.get(name) ?? []), route]);
    }
  }

  get routeIds(): string[] {
    return this.routes.map((route) => route.shape.id);
  }

  route(id: string): LoadedRoute | undefined {
    return this.#byId.get(id);
  }

  job(name: string): LoadedRoute<JobRoute> | undefined {
    return this.#jobs.get(name);
  }

  /** Job name -> id of the route that does it. */
  get jobRoutes(): ReadonlyMap<string, string> {
    return new Map([...this.#jobs].map(([name, { shape }]) => [name, shape.id]));
  }

  /** Job name -> its contract, which says where its deliveries wait. */
  get jobContracts(): ReadonlyMap<string, Job> {
    return new Map([...this.#jobs].map(([name, { shape }]) => [name, shape.job]));
  }

  subscribers(event: string): readonly LoadedRoute<EventRoute>[] {
    return this.#subscribers.get(event) ?? [];
  }
}

export function isKind<K extends AnyRoute["kind"]>(
  route: LoadedRoute,
  kind: K,
): route is LoadedRoute<Extract<AnyRoute, { kind: K }>> {
  return route.shape.kind === kind;
}

function routesOf(handlers: readonly LoadedHandler[], builtin: boolean): AnyRoute[] {
  return handlers
    .filter((handler) => handler.builtin === builtin)
    .flatMap((handler) => Object.values(handler.shape.routes));
}
