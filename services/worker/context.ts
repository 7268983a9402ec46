// ctx, as every handler gets it. Methods are getters that give bound functions, because authors take ctx apart
// (`({ reply, args }) => …`), and what a handler does not use is never made.

import { createHash } from "node:crypto";
import { encodeEnvelope } from "../broker/delivery.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Action } from "../sdk/action.ts";
import type {
  Bot,
  Ctx,
  DeliveryInfo,
  EnqueueOptions,
  Event,
  Id,
  Job,
  Log,
  RouteInfo,
  Sent,
  Store,
} from "../sdk/context.ts";
import { durationMs } from "../sdk/duration.ts";
import type { In, Schema } from "../sdk/infer.ts";
import type { Message, Room } from "../sdk/message.ts";
import type { Meta } from "../sdk/middleware.ts";
import { runSchema } from "../sdk/schema.ts";
import { aroundEnqueue, deliveryInfo, routeInfo } from "./around.ts";
import { readRef, refOf } from "./rooms.ts";
import type { RouteRun, What } from "./route-run.ts";
import { step } from "./steps.ts";
import { storeOf } from "./store-access.ts";

/** An Action without what follows from where and how often it is said. */
type Deed = Action extends infer A ? (A extends Action ? Omit<A, "id" | "unit" | "room"> : never) : never;

const TEXT_CHARS_MAX = 32_768;
const PAYLOAD_BYTES_MAX = 512 * 1024;
const UID_MS = 86_400_000;
/** Where everything goes that nobody said. */
const WORK_QUEUE = "default";

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

  get store(): Store {
    return storeOf(this.#run);
  }

  get send(): Ctx["send"] {
    return (room, text, options = {}) => {
      return this.#tracked(async () => {
        const parts = this.#run.parts.rooms.find(room);
        if (options.thread !== undefined) this.#run.parts.rooms.require(parts, "thread");
        const thread = options.thread === undefined ? {} : { thread: options.thread };
        return this.act(room, { op: "send", text: checkedText(text), ...thread }, { content: text, id: options.id });
      });
    };
  }

  get edit(): Ctx["edit"] {
    return (ref, text, options = {}) => {
      return this.#tracked(async () => {
        const { id, room } = readRef(ref);
        this.#run.parts.rooms.require(this.#run.parts.rooms.find(room), "edit");
        const deed: Deed = { op: "edit", ref: id, text: checkedText(text) };
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

  get enqueue(): Ctx["enqueue"] {
    return (job, input, options = {}) => {
      return this.#tracked(async () => {
        const call = { kind: "job", name: job.name, input, options } as const;
        const [id = ""] = await aroundEnqueue(this.#run, call, ({ input, options, meta }) =>
          this.#enqueue(job, input as typeof call.input, { ...options, meta }),
        );
        return { id };
      });
    };
  }

  get emit(): Ctx["emit"] {
    return (event, payload, options = {}) => {
      return this.#tracked(async () => {
        const call = { kind: "event", name: event.name, input: payload, options } as const;
        await aroundEnqueue(this.#run, call, ({ input, options, meta }) =>
          this.#emit(event, input as typeof payload, { ...options, meta }),
        );
      });
    };
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
    await run.write(run.effectOf({ ...deed, id, unit, room: roomId }));
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

  async #enqueue<S extends Schema>(job: Job<S>, input: In<S>, options: EnqueueOptions & Given): Promise<string[]> {
    const run = this.#run;
    const route = run.parts.manifest.job(job.name);
    if (route === undefined) throw new AntiphonError("ROUTE_UNKNOWN", `job ${job.name}`);
    const delayMs = options.delay === undefined ? 0 : durationMs(options.delay);
    if (delayMs === undefined) throw new AntiphonError("INPUT_INVALID", `delay "${options.delay}" is no duration.`);
    const payload = await checkedPayload(`job ${job.name}`, job.input, input);
    const content = `${payload}\n${options.key ?? ""}\n${delayMs}`;
    const id = run.effectId({ operation: "enqueue", target: job.name, content, id: options.id });
    const { key, uid } = options;
    const extras = {
      ...(key === undefined ? {} : { key }),
      ...(uid === undefined ? {} : { uid: { id: `job:${job.name}\n${uid}`, ttlMs: UID_MS } }),
      ...(delayMs === 0 ? {} : { delayMs }),
    };
    const { meta } = options;
    return [await this.#child({ id, route: route.shape.id, kind: "job", payload, extras, meta })];
  }

  async #emit<S extends Schema>(event: Event<S>, payload: In<S>, options: Id & Given): Promise<string[]> {
    const run = this.#run;
    const content = await checkedPayload(`event ${event.name}`, event.payload, payload);
    const what: What = { operation: "emit", target: event.name, content, id: options.id };
    const ids = run.parts.manifest.subscribers(event.name).map(({ shape }) => ({
      route: shape.id,
      id: run.effectId({ ...what, target: `${event.name}\n${shape.id}` }),
    }));
    const { meta } = options;
    return Promise.all(ids.map(({ id, route }) => this.#child({ id, route, kind: "event", payload: content, meta })));
  }

  #child(child: Child): Promise<string> {
    const { parts, underway } = this.#run;
    const number = parts.numbers.get(child.route);
    if (number === undefined)
      return Promise.reject(new AntiphonError("ROUTE_UNKNOWN", `${child.route} has no number.`));
    const meta = child.meta === undefined ? {} : { meta: child.meta };
    const { kind, route } = child;
    const header = { v: 1, kind, at: parts.clock.now(), route, ...meta, ...underway.causedBy } as const;
    const delivery = { route: number, envelope: encodeEnvelope(header, child.payload), ...child.extras };
    return this.#run.write({ kind: "child", id: child.id, queue: WORK_QUEUE, delivery });
  }

  #tracked<T>(work: () => Promise<T>): Promise<T> {
    return this.#run.promised.track(work());
  }

  /** For the ctx of chat. */
  protected tracked<T>(work: () => Promise<T>): Promise<T> {
    return this.#tracked(work);
  }
}

/** What middleware gave it. */
interface Given {
  readonly meta: Meta | undefined;
}

interface Child extends Given {
  readonly id: string;
  readonly route: string;
  readonly kind: "job" | "event";
  readonly payload: string;
  readonly extras?: { readonly key?: string; readonly uid?: { id: string; ttlMs: number }; readonly delayMs?: number };
}

/** Throws INPUT_INVALID or VALUE_TOO_LARGE. Given on is what the author wrote, so that the schema reads it once more on the other side. */
async function checkedPayload(what: string, schema: Schema, value: unknown): Promise<string> {
  const checked = await runSchema(schema, value);
  if (!checked.ok) throw new AntiphonError("INPUT_INVALID", `${what}: ${checked.issues.join("; ")}`);
  const payload = JSON.stringify(value) ?? "";
  if (Buffer.byteLength(payload) <= PAYLOAD_BYTES_MAX) return payload;
  throw new AntiphonError("VALUE_TOO_LARGE", `${what}: more than ${PAYLOAD_BYTES_MAX} bytes.`);
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
