// The contract of a chat service (`antiphon/adapter`): what it can do, what it takes in, what it executes.
//
// An adapter owns its connection and nothing else: it gets no Redis client and never decides who leads.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Action } from "./action.ts";
import type { Or, Schema } from "./infer.ts";

export type { Action } from "./action.ts";

/**
 * Who may hold a connection: `shared` any master at once; `overlap` the next leader connects before the last one leaves;
 * `takeover` the service drops the older connection when a newer one comes; `exclusive` it refuses the newer one.
 */
export type Ingress = "shared" | "overlap" | "takeover" | "exclusive";
/** How the service gives again what was said while nobody was connected. */
export type Replay = "ack" | "session" | "cursor" | "history" | "none";
/** How saying a thing twice is avoided: the service knows our id, or we can look whether it is there, or neither. */
export type Idempotency = "key" | "reconcile" | "none";
/** `rest`: any master could send; `socket`: only the connection's owner; `settle`: the run's settle writes it (web chat). */
export type Outbound = "rest" | "socket" | "settle";

/** What a route may need. */
export type Capability = "thread" | "edit" | "react" | "topic" | "join" | "buttons" | "modal" | "file";

export interface Caps {
  readonly threads: boolean;
  readonly edit: boolean;
  readonly delete: boolean;
  readonly react: boolean;
  readonly upload: boolean;
  readonly typing: boolean;
  readonly topic: boolean;
  readonly join: boolean;
  readonly ephemeral: "anytime" | "interaction" | false;
  readonly buttons: boolean;
  readonly modals: boolean;
  readonly history: boolean;
  readonly lookup: boolean;
  readonly maxText: number;
  readonly maxTextUnit: "chars" | "bytes";
  readonly markup: "mrkdwn" | "markdown" | "html" | "entities" | "plain";
}

/** Which capabilities of routes these are. */
export function capabilitiesOf(caps: Caps): ReadonlySet<Capability> {
  const has: Readonly<Record<Capability, boolean>> = {
    thread: caps.threads,
    edit: caps.edit,
    react: caps.react,
    topic: caps.topic,
    join: caps.join,
    buttons: caps.buttons,
    modal: caps.modals,
    file: caps.upload,
  };
  return new Set((Object.keys(has) as Capability[]).filter((name) => has[name]));
}

/**
 * `degraded`: not usable now, it tries again by itself. `evicted`: another connection with our credentials took our place.
 * `failed`: the service refuses us (wrong credentials); the adapter stops trying, and is stopped.
 */
export type ConnState =
  | "idle"
  | "connecting"
  | "catchingUp"
  | "ready"
  | "degraded"
  | "evicted"
  | "draining"
  | "closed"
  | "failed";

/** Where to go on reading; written in the same script as the event it follows. */
export interface ResumeState {
  readonly v: 1;
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly at: number;
}

/** Ids are the service's own, without the adapter's name. */
export interface ChatRoom {
  readonly id: string;
  readonly name?: string;
  readonly kind: "channel" | "dm" | "group";
}

export interface ChatUser {
  readonly id: string;
  readonly name?: string;
  readonly isBot: boolean;
  /** The bot itself, recognised by id and never by name. */
  readonly isSelf: boolean;
}

export interface ChatMessage {
  readonly id: string;
  readonly room: ChatRoom;
  readonly user: ChatUser;
  readonly thread?: string;
  readonly text: string;
  readonly mentionsBot: boolean;
  readonly sentAt: number;
  /** Of our own echo: the Action that said it. */
  readonly actionId?: string;
}

export type EventBody =
  | { readonly type: "message"; readonly message: ChatMessage }
  | {
      readonly type: "gap";
      readonly from?: number;
      readonly to: number;
      readonly repaired: boolean;
      readonly reason: string;
    }
  | { readonly type: "other"; readonly name: string };

/** What the service told us, as JSON. Events that we do not know pass through as `other`. */
export type ChatEvent = {
  readonly id: string;
  readonly adapter: string;
  readonly unit: string;
  readonly at: number;
  readonly replayed: boolean;
  /** As it came from the service; capped in size. */
  readonly raw?: unknown;
} & EventBody;

export type NackReason = "fenced" | "redisDown" | "queueFull";

export interface Inbound {
  readonly event: ChatEvent;
  /** Ids under which the service may tell the same event again. */
  readonly dedupe: readonly string[];
  readonly resume?: ResumeState;
  /** Called only after the event is stored: now the service may forget it. */
  ack?(result: "stored" | "duplicate"): void | Promise<void>;
  nack?(why: NackReason): void;
}

/** What an adapter is given. */
export interface Host {
  intake(batch: readonly Inbound[]): Promise<"ok" | NackReason>;
  state(state: ConnState, detail?: string): void;
  /** Throws when this process no longer leads the unit. Goes before every connect and every poll, after any wait. */
  assert(): void;
  log(level: "debug" | "info" | "warn" | "error", text: string, fields?: Readonly<Record<string, unknown>>): void;
  now(): number;
}

export type ActionOutcome =
  | { readonly ok: true; readonly messageId?: string }
  | {
      readonly ok: false;
      /** `ambiguous`: it may have been done. `auth`: nothing will work until somebody changes the credentials. */
      readonly kind: "rateLimited" | "transient" | "ambiguous" | "permanent" | "auth";
      readonly retryAfterMs?: number;
      /** The bucket that is blocked. */
      readonly scope?: string;
      readonly error: string;
    };

export interface Bucket {
  readonly key: string;
  readonly capacity: number;
  readonly refillPerSec: number;
  readonly cost?: number;
}

export interface StartOptions {
  readonly unit: string;
  /** `warm` only where the class is `shared` or `overlap`. */
  readonly role: "leader" | "warm";
  readonly epoch: number;
  readonly resume?: ResumeState;
  readonly signal: AbortSignal;
}

/** What is known of an adapter without connecting. */
export interface AdapterManifest {
  readonly name: string;
  readonly caps: Caps;
  readonly ingress: Ingress;
  readonly replay: Replay;
  readonly idempotency: Idempotency;
  readonly outbound: Outbound;
}

/** One object per unit; `units()` is asked of the first. */
export interface Adapter extends AdapterManifest {
  /** One Lease each: IRC networks, Discord shards. Default: one without a name. */
  units?(): Promise<readonly string[]>;
  /** Resolves at `ready`. Never reconnects for ever in silence: `degraded` after failures, `failed` on wrong credentials. */
  start(host: Host, options: StartOptions): Promise<void>;
  promote?(epoch: number): Promise<void>;
  /**
   * For `takeover` and `exclusive`, while another leads: may open what makes a later `start` of this object quicker, as long
   * as it hears and says nothing. Over when `signal` aborts. Does not wait until that is open; `stop` ends it too.
   */
  prepare?(options: Pick<StartOptions, "unit" | "signal">): Promise<void>;
  stop(mode: "handover" | "shutdown" | "fenced", deadlineMs: number): Promise<ResumeState | undefined>;
  buckets(action: Action): readonly Bucket[];
  /** Exactly one attempt: no retry, no sleeping on a 429. Refs are resolved to `messageId` before. */
  execute(action: Action, attempt: number, signal: AbortSignal): Promise<ActionOutcome>;
  /** Was an Action in doubt done? */
  reconcile?(action: Action, startedAt: number): Promise<ActionOutcome | "absent" | "unknown">;
}

/** Time as a value, so that a test can drive it. */
export interface AdapterClock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Monotonic clock, ms from an arbitrary start. For durations. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A Standard Schema that gives a `T`; written by hand, or of any package that makes them. */
export type StandardSchema<T> = StandardSchemaV1<unknown, T>;

export type Settings = Readonly<Record<string, unknown>>;

/** What an adapter is made with. */
export interface AdapterSurroundings<S = Settings> {
  /** Checked by the module's own schema. */
  readonly settings: S;
  readonly clock: AdapterClock;
  /** A number in [0, 1), as Math.random. */
  readonly random: () => number;
}

/** What the module of an adapter exports by default. */
export interface AdapterModule {
  readonly format: 1;
  readonly manifest: AdapterManifest;
  /** Any Standard Schema. Left out: the settings are given as they are written. */
  readonly settings?: Schema;
  /** Makes the client of one unit, not yet connected. Called in masters only: import what is heavy in here. */
  create(around: AdapterSurroundings): Adapter | Promise<Adapter>;
}

export interface AdapterDefinition<S extends Schema | undefined> {
  readonly manifest: AdapterManifest;
  readonly settings?: S;
  create(around: AdapterSurroundings<Or<S, Settings>>): Adapter | Promise<Adapter>;
}

/** For the default export of an adapter's module. */
export function defineAdapter<const S extends Schema | undefined = undefined>(
  definition: AdapterDefinition<S>,
): AdapterModule {
  return Object.freeze({ format: 1, ...definition }) as AdapterModule;
}
