// Where in a run its worker is to die, and which runs go on. For this handlers are watched, and otherwise left as they are.

import { type LoadedHandler, Manifest } from "../handlers/manifest.ts";
import type { AnyRoute, HandlerShape } from "../sdk/routes.ts";
import { never } from "./mortal.ts";

/** What ctx can do, when it is durable. */
const DEEDS = ["reply", "send", "edit", "react", "topic", "join", "leave", "enqueue", "emit"] as const;
type Deed = (typeof DEEDS)[number];
const STEP = "step:";

export interface CrashPoint {
  /** The id of a route, e.g. `deploy.ship`. */
  readonly during: string;
  /**
   * `begin` (the default): before the handler's first line. `reply`, `edit` …: when the first of them is durable and the
   * handler does not know it yet; `step:push` likewise: the step's record. `run`: the handler has returned, and nobody has
   * been told.
   */
  readonly after?: "begin" | Deed | `step:${string}` | "run";
}

/** Who dies: a worker; of a delivery in quarantine only its child. */
export interface Victim {
  readonly isDead: boolean;
  kill(): void;
}

interface Going {
  readonly route: string;
  readonly in: Victim;
}

type Ctx = Record<string, unknown>;
type Run = (ctx: Ctx) => unknown;

/** Each point is good for one crash. */
export class CrashPoints {
  readonly #armed: CrashPoint[] = [];
  readonly #going = new Set<Going>();

  /** Points that no run has come to yet. */
  get armed(): readonly CrashPoint[] {
    return this.#armed;
  }

  /** Routes of the runs that go on; those of the dead do not count. */
  get running(): string[] {
    return [...this.#going].filter((going) => !going.in.isDead).map(({ route }) => route);
  }

  add(point: CrashPoint): void {
    const { after = "begin" } = point;
    if (
      after !== "begin" &&
      after !== "run" &&
      !after.startsWith(STEP) &&
      !(DEEDS as readonly string[]).includes(after)
    )
      throw new TypeError(`crashWorker: after must be begin, run, step:<name> or one of ${DEEDS.join(", ")}`);
    this.#armed.push(point);
  }

  /** What one thread runs. */
  watch({ handlers, warnings, middleware, bus }: Manifest, victim: Victim): Manifest {
    const watched = handlers.map((handler): LoadedHandler => {
      const routes = Object.entries(handler.shape.routes).map(([key, route]) => {
        return [key, { ...route, run: (ctx: Ctx): unknown => this.#run(route, ctx, victim) }] as const;
      });
      const shape = { ...handler.shape, routes: Object.fromEntries(routes) as unknown as HandlerShape["routes"] };
      return { ...handler, shape };
    });
    return new Manifest(watched, { warnings, middleware, bus });
  }

  #run(route: AnyRoute, ctx: Ctx, victim: Victim): unknown {
    const going = { route: route.id, in: victim };
    const over = (): boolean => this.#going.delete(going);
    this.#going.add(going);
    try {
      const value = this.#armedRun(route, victim)(ctx);
      if (value instanceof Promise) value.then(over, over);
      else over();
      return value;
    } catch (error) {
      over();
      throw error;
    }
  }

  /** From its point on the run stands still for ever. */
  #armedRun(route: AnyRoute, victim: Victim): Run {
    const run = route.run as unknown as Run;
    const point = this.#armed.find(({ during }) => during === route.id);
    if (point === undefined) return run;
    const die = (): Promise<never> => {
      const index = this.#armed.indexOf(point);
      if (index >= 0) this.#armed.splice(index, 1);
      victim.kill();
      return never();
    };
    const { after = "begin" } = point;
    if (after === "begin") return die;
    if (after === "run") return (ctx) => Promise.resolve(run(ctx)).then(die);
    const [name, step] = after.startsWith(STEP) ? ["step", after.slice(STEP.length)] : [after, undefined];
    return (ctx) => {
      const deed = ctx[name] as (...given: unknown[]) => Promise<unknown>;
      const value = (...given: unknown[]): Promise<unknown> =>
        step === undefined || given[0] === step ? deed(...given).then(die) : deed(...given);
      Object.defineProperty(ctx, name, { value });
      return run(ctx);
    };
  }
}
