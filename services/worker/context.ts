// ctx, as every handler gets it. Methods are getters that give bound functions, because authors take ctx apart
// (`({ reply, args }) => …`), and what a handler does not use is never made.

import { createHash } from "node:crypto";
import { AntiphonError } from "../runtime/errors.ts";
import type { Action } from "../sdk/action.ts";
import type { Bot, Ctx, DeliveryInfo, Log, Metrics, RouteInfo, SayOptions, Sent, Store } from "../sdk/context.ts";
import { durationMs } from "../sdk/duration.ts";
import type { Message, Room } from "../sdk/message.ts";
import type { Jobs, QueueControls } from "../sdk/operations.ts";
import type { ScheduleControls } from "../sdk/schedules.ts";
import { deliveryInfo, routeInfo } from "./around.ts";
import { batch, emit, enqueue, enqueueAll } from "./enqueuing.ts";
import { jobsOf, queuesOf, schedulesOf } from "./operations.ts";
import { publish } from "./publishing.ts";
import { readRef, refOf } from "./rooms.ts";
import type { RouteRun } from "./route-run.ts";
import { step } from "./steps.ts";
import { storeOf } from "./store-access.ts";
import { spanOf } from "./traced-effects.ts";

/** An Action before its id and its room are known. */
type Deed = Action extends infer A ? (A extends Action ? Omit<A, "id" | "unit" | "room"> : never) : never;

const TEXT_CHARS_MAX = 32_768;

export class RunCtx implements Ctx {
  readonly #run: RouteRun;

  constructor(run: RouteRun) {
    this.#run = run;
  }

  get config(): unknown {
    return this.#run.route.handler.config;
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }

  get attempt(): number {
    return this.#run.attempt;
  }

  get idempotencyKey(): string {
    return createHash("sha256")
      .update(`${this.#run.underway.origin}\n${this.#run.shape.id}`)
      .digest("hex")
      .slice(0, 32);
  }

  get fence(): number {
    return Number(this.#run.underway.claim.fence);
  }

  get route(): RouteInfo {
    return routeInfo(this.#run);
  }

  get delivery(): DeliveryInfo {
    return deliveryInfo(this.#run);
  }

  get bot(): Bot {
    return this.#run.parts.bot;
  }

  get log(): Log {
    const run = this.#run;
    return {
      debug: (text, fields) => run.log("debug", text, fields),
      info: (text, fields) => run.log("info", text, fields),
      warn: (text, fields) => run.log("warn", text, fields),
      error: (text, fields) => run.log("error", text, fields),
    };
  }

  get metrics(): Metrics {
    return this.#run.parts.metrics.of(this.#run.route.handler.shape.name);
  }

  get store(): Store {
    return storeOf(this.#run);
  }

  get send(): Ctx["send"] {
    return (room, text, options = {}) => {
      return this.#tracked(async () => {
        const parts = this.#run.parts.rooms.find(room);
        if (options.thread !== undefined) this.#run.parts.rooms.require(parts, "thread");
        const thread = options.thread === undefined ? {} : { thread: options.thread };
        const deed = { op: "send", text: checkedText(text), ...thread, ...sayOptions(options) } as const;
        return this.act(room, deed, { content: text, id: options.id });
      });
    };
  }

  get edit(): Ctx["edit"] {
    return (ref, text, options = {}) => {
      return this.#tracked(async () => {
        const { id, room } = readRef(ref);
        this.#run.parts.rooms.require(this.#run.parts.rooms.find(room), "edit");
        const deed: Deed = { op: "edit", ref: id, text: checkedText(text), ...sayOptions(options) };
        await this.act(room, deed, { target: ref, content: text, id: options.id });
      });
    };
  }

  get react(): Ctx["react"] {
    return (to, emoji, options = {}) => {
      return this.#tracked(async () => {
        const { room, ...target } = reactionTarget(to);
        this.#run.parts.rooms.require(this.#run.parts.rooms.find(room), "react");
        const deed: Deed = { op: "react", ...target, emoji: checkedText(emoji) };
        const name = target.ref ?? target.messageId ?? "";
        await this.act(room, deed, { target: `${room}\n${name}`, content: emoji, id: options.id });
      });
    };
  }

  get topic(): Ctx["topic"] {
    return (room, text, options = {}) =>
      this.#change(room, { op: "topic", text: checkedText(text) }, { content: text, id: options.id });
  }

  get join(): Ctx["join"] {
    return (room, options = {}) => this.#change(room, { op: "join" }, { content: "", id: options.id });
  }

  get leave(): Ctx["leave"] {
    return (room, options = {}) => this.#change(room, { op: "leave" }, { content: "", id: options.id });
  }

  get step(): Ctx["step"] {
    return (name, fn) => this.#tracked(() => step(this.#run, name, fn));
  }

  get span(): Ctx["span"] {
    return (name, fn, attributes = {}) => spanOf(this.#run, { name, attributes }, fn);
  }

  get enqueue(): Ctx["enqueue"] {
    return (job, input, options = {}) =>
      this.#tracked(async () => ({ id: await enqueue(this.#run, job, { input, options }) }));
  }

  get enqueueAll(): Ctx["enqueueAll"] {
    return (job, inputs, options = {}) =>
      this.#tracked(async () => {
        const members = inputs.map((input) => ({ job, input, options }));
        return (await enqueueAll(this.#run, members)).map((id) => ({ id }));
      });
  }

  get batch(): Ctx["batch"] {
    return (members, last) => this.#tracked(() => batch(this.#run, members, last));
  }

  get emit(): Ctx["emit"] {
    return (event, payload, options = {}) => this.#tracked(() => emit(this.#run, event, { payload, options }));
  }

  get publish(): Ctx["publish"] {
    return (channel, data, options = {}) => this.#tracked(() => publish(this.#run, channel, { data, options }));
  }

  get jobs(): Jobs {
    return jobsOf(this.#run, (work) => this.#tracked(work));
  }

  get queues(): QueueControls {
    return queuesOf(this.#run, (work) => this.#tracked(work));
  }

  get schedules(): ScheduleControls {
    return schedulesOf(this.#run, (work) => this.#tracked(work));
  }

  get progress(): Ctx["progress"] {
    return (value) => this.#run.progress.tell(value);
  }

  /** Writes one Action; `target` is the room unless said otherwise. */
  protected async act(
    room: string,
    deed: Deed,
    what: { target?: string; content: string; id?: string | undefined },
  ): Promise<Sent> {
    const run = this.#run;
    const { unit, id: roomId } = run.parts.rooms.find(room);
    const id = run.effectId({ operation: deed.op, target: room, ...what });
    await run.act({ ...deed, id, unit, room: roomId });
    return { ref: refOf({ id, unit, room: roomId }) };
  }

  #change(
    room: Room,
    deed: Deed & { op: "topic" | "join" | "leave" },
    what: { content: string; id: string | undefined },
  ): Promise<void> {
    return this.#tracked(async () => {
      const { rooms } = this.#run.parts;
      rooms.require(rooms.find(room), deed.op === "topic" ? "topic" : "join");
      await this.act(room, deed, what);
    });
  }

  #tracked<T>(work: () => Promise<T>): Promise<T> {
    return this.#run.promised.track(work());
  }

  /** For the ctx of chat. */
  protected tracked<T>(work: () => Promise<T>): Promise<T> {
    return this.#tracked(work);
  }
}

/** Throws INPUT_INVALID. */
export function sayOptions({ expires, inDoubt }: SayOptions): Pick<Action, "ttl" | "notAfter" | "inDoubt"> {
  if (inDoubt !== undefined && inDoubt !== "retry" && inDoubt !== "drop")
    throw new AntiphonError("INPUT_INVALID", 'inDoubt must be "retry" or "drop".');
  const doubt = inDoubt === undefined ? {} : { inDoubt };
  if (expires === undefined) return doubt;
  if (expires instanceof Date && !Number.isNaN(expires.getTime())) return { ...doubt, notAfter: expires.getTime() };
  const ttl = durationMs(expires);
  if (ttl) return { ...doubt, ttl };
  throw new AntiphonError("INPUT_INVALID", 'expires must be a Date, or a duration such as "10m".');
}

export function checkedText(text: string): string {
  if (typeof text !== "string")
    throw new AntiphonError("INPUT_INVALID", `What is said must be a text, not ${typeof text}.`);
  if (text.length <= TEXT_CHARS_MAX) return text;
  throw new AntiphonError("VALUE_TOO_LARGE", `A text may have ${TEXT_CHARS_MAX} characters.`);
}

function reactionTarget(to: string | Message): { room: string; ref?: string; messageId?: string } {
  if (typeof to !== "string") return { room: to.room, messageId: to.id };
  const { id, room } = readRef(to);
  return { room, ref: id };
}
