// One run of one route: its signal, its attempt, the ids of its effects, its buffered writes. What ctx is made of.

import type { Effect } from "../broker/effects.ts";
import type { LoadedRoute } from "../handlers/manifest.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { type Action, effectId, Occurrences, type Operation } from "../sdk/action.ts";
import type { AnyRoute } from "../sdk/routes.ts";
import { carried } from "../telemetry/carrier.ts";
import type { Level } from "../telemetry/events.ts";
import { during, type Span } from "../telemetry/tracing.ts";
import type { RunStore } from "../store/store.ts";
import { Progress } from "./progress.ts";
import type { ThreadParts } from "./thread-parts.ts";
import { startSay, tellSay } from "./traced-effects.ts";
import type { Underway } from "./underway.ts";
import { Promised } from "./watched.ts";

/** What is done, to what, with what. The author's `id` replaces the content in the effect's id. */
export interface What {
  readonly operation: Operation;
  readonly target: string;
  readonly content: string;
  readonly id?: string | undefined;
}

export class RouteRun {
  readonly underway: Underway;
  readonly route: LoadedRoute;
  readonly attempt: number;
  #store: RunStore | undefined;
  #promised: Promised | undefined;
  #occurrences: Occurrences | undefined;
  #controller: AbortController | undefined;
  #abortedBy: AntiphonError | undefined;
  #stray: { readonly error: unknown } | undefined;
  #steps: Set<string> | undefined;
  #progress: Progress | undefined;
  #isOver = false;

  constructor(underway: Underway, route: LoadedRoute, attempt: number) {
    this.underway = underway;
    this.route = route;
    this.attempt = attempt;
  }

  get parts(): ThreadParts {
    return this.underway.parts;
  }

  get store(): RunStore {
    this.#store ??= this.underway.store.open(this.route.handler.shape.name);
    return this.#store;
  }

  /** Names of steps that this run has made. */
  get steps(): Set<string> {
    this.#steps ??= new Set();
    return this.#steps;
  }

  get progress(): Progress {
    const write = (value: string): Promise<string> => this.write({ kind: "note", id: "", field: "progress", value });
    this.#progress ??= new Progress({ clock: this.parts.clock, write });
    return this.#progress;
  }

  /** Its writes are settled with the delivery. */
  keepStore(): void {
    if (this.#store !== undefined) this.underway.store.keep(this.route.handler.shape.name, this.#store);
  }

  get promised(): Promised {
    this.#promised ??= new Promised();
    return this.#promised;
  }

  get shape(): AnyRoute {
    return this.route.shape;
  }

  /** Made on demand: most handlers never look at it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#abortedBy !== undefined) this.#controller.abort(this.#abortedBy);
    return this.#controller.signal;
  }

  get abortedBy(): AntiphonError | undefined {
    return this.#abortedBy;
  }

  abort(reason: AntiphonError): void {
    this.#abortedBy ??= reason;
    this.#controller?.abort(this.#abortedBy);
  }

  /** A rejection that nobody handled came out of this run: it fails, whatever its handler returns. */
  fail(error: unknown): void {
    this.#stray ??= { error };
  }

  /** Waits for all effects; gives the first failure that the handler did not look at. */
  async finished(): Promise<{ readonly error: unknown } | undefined> {
    const failure = await this.#promised?.all();
    await this.#progress?.end();
    return failure ?? this.#stray;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The run has ended: whatever its handler left running can write nothing more. */
  end(): void {
    this.#isOver = true;
  }

  effectId(what: What): string {
    const { operation, target, content, id } = what;
    const source = { origin: this.underway.origin, route: this.shape.id, operation, target, content };
    const full = id === undefined ? source : { ...source, id };
    // An edit is a repeat only if it equals the last edit of its ref, so its occurrence does not matter.
    if (operation === "edit") return effectId(full);
    this.#occurrences ??= new Occurrences();
    return this.#occurrences.next(full);
  }

  /** To be written with the settle. */
  effectOf(action: Action): Effect {
    return this.#effectOf(action, tellSay(this.parts, action));
  }

  /** Resolves when it is durable. */
  act(action: Action): Promise<string> {
    const span = startSay(this.parts, action);
    const effect = this.#effectOf(action, span);
    return span === undefined ? this.write(effect) : during(span, () => this.write(effect));
  }

  #effectOf(action: Action, span: Span | undefined): Effect {
    const { bot, clock, rooms } = this.parts;
    const answers = this.underway.header?.kind === "message";
    const voice = { from: bot.name, nowMs: clock.now(), answers };
    return rooms.effectOf(action, span === undefined ? voice : { ...voice, trace: carried(span) });
  }

  write(effect: Effect): Promise<string> {
    if (this.#isOver) return Promise.reject(new AntiphonError("CLAIM_LOST", "The run has ended."));
    return this.underway.writer.write(effect);
  }

  log(level: Level, text: string, fields?: Readonly<Record<string, unknown>>): void {
    const from = { route: this.shape.id, origin: this.underway.origin };
    this.parts.emit("log", { level, text: String(text), ...from, ...(fields === undefined ? {} : { fields }) });
  }
}
