// What an adapter is given: the way of its events into the broker, under the fence of its ingress class.
//
// Promised: "ok" only after everything of the batch is in Redis, resume state with it; and in the order received.

import { encodeEnvelope } from "../broker/delivery.ts";
import { type BrokerContext, proven } from "../broker/connection.ts";
import { intake, type IntakeCall } from "../broker/intake.ts";
import type { QueueLimits } from "../broker/producer.ts";
import type { Tenure } from "../leader/leader.ts";
import { writeResume } from "../leader/resume.ts";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError, hasCode } from "../runtime/errors.ts";
import type { ChatMessage, ConnState, Host, Inbound, Ingress, NackReason, ResumeState } from "../sdk/adapter.ts";
import type { Message, Room } from "../sdk/message.ts";
import type { Emit, Level } from "../telemetry/events.ts";

export interface HostOptions {
  /** `<adapter>[/<unit>]`. */
  readonly unit: string;
  readonly ingress: Ingress;
  readonly broker: BrokerContext;
  readonly limits: QueueLimits;
  /** Whose messages stay in order: a person's in a room, or a room's. */
  readonly order: "user" | "room";
  readonly clock: Clock;
  readonly emit: Emit;
  readonly onState: (state: ConnState, detail?: string) => void;
}

/** In Redis, and not acknowledged yet. */
interface Taken {
  readonly inbound: Inbound;
  readonly stored: "stored" | "duplicate";
}

type Fence = NonNullable<IntakeCall["fence"]>;

const QUEUE = "chat";
const DEDUPE_MS = 3_600_000;
/** Progress that makes no delivery is written at most so often. */
const PROGRESS_MS = 250;
const PROGRESS_EVENTS = 50;
/** What of an intake needs the Lease, by class. */
const FENCED: Readonly<Record<Ingress, Fence["part"] | "nothing">> = {
  exclusive: "all",
  takeover: "all",
  overlap: "resume",
  shared: "nothing",
};

export class UnitHost implements Host {
  /** Absent while this process does not lead; a connection of class `overlap` or `shared` may be open then. */
  tenure: Tenure | undefined;
  readonly #options: HostOptions;
  #progress: { resume: ResumeState; events: number } | undefined;
  #progressAt = 0;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  async intake(batch: readonly Inbound[]): Promise<"ok" | NackReason> {
    const unproven: Taken[] = [];
    for (const [index, inbound] of batch.entries()) {
      const refused = await this.#take(inbound, unproven);
      if (refused === undefined) continue;
      await this.#acknowledge(unproven);
      for (const rest of batch.slice(index)) rest.nack?.(refused);
      return refused;
    }
    return (await this.#acknowledge(unproven)) ?? (await this.#writeProgress()) ?? "ok";
  }

  state(state: ConnState, detail?: string): void {
    const { emit, unit, onState } = this.#options;
    emit("adapter.state", { unit, state, ...(detail === undefined ? {} : { detail }) });
    onState(state, detail);
  }

  assert(): void {
    if (FENCED[this.#options.ingress] !== "all") return;
    if (!this.tenure) throw new AntiphonError("FENCED", `${this.#options.unit} is not led from here.`);
    this.tenure.assert();
  }

  log(level: Level, text: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#options.emit("log", { level, text, fields: { unit: this.#options.unit, ...fields } });
  }

  now(): number {
    return this.#options.clock.now();
  }

  /** Undefined when it is stored, and acknowledged unless that waits for a proof. */
  async #take(inbound: Inbound, unproven: Taken[]): Promise<NackReason | undefined> {
    const { event } = inbound;
    if (event.type === "gap") this.#tellGap(event);
    try {
      const isMessage = event.type === "message" && !event.message.user.isSelf;
      const stored = isMessage ? await this.#store(inbound, event.message) : this.#pass(inbound);
      if (stored === "fenced") return stored;
      if (this.#isProvenAtOnce) await inbound.ack?.(stored);
      else unproven.push({ inbound, stored });
      return undefined;
    } catch (error) {
      return this.#nack(error);
    }
  }

  #tellGap({ reason, from, to, repaired }: Extract<Inbound["event"], { type: "gap" }>): void {
    const { emit, unit } = this.#options;
    emit("adapter.gap", { unit, reason, ...(from === undefined ? {} : { fromMs: from }), toMs: to, repaired });
  }

  get #isProvenAtOnce(): boolean {
    return (this.#options.broker.durability ?? "default") === "default";
  }

  /** One proof for all of a batch: each may take as long as a disk. */
  async #acknowledge(taken: readonly Taken[]): Promise<NackReason | undefined> {
    if (taken.length === 0) return undefined;
    let acknowledged = 0;
    try {
      await proven(this.#options.broker);
      for (const { inbound, stored } of taken) {
        await inbound.ack?.(stored);
        acknowledged++;
      }
      return undefined;
    } catch (error) {
      const reason = this.#nack(error);
      for (const { inbound } of taken.slice(acknowledged)) inbound.nack?.(reason);
      return reason;
    }
  }

  #nack(error: unknown): NackReason {
    if (hasCode(error, "FENCED")) return "fenced";
    if (hasCode(error, "QUEUE_FULL")) return "queueFull";
    const isAway = hasCode(error, "REDIS_UNAVAILABLE") || hasCode(error, "DURABILITY_UNMET");
    if (!isAway) this.#options.emit("part.failed", { part: this.#options.unit, error });
    return "redisDown";
  }

  async #store(inbound: Inbound, said: ChatMessage): Promise<"stored" | "duplicate" | "fenced"> {
    const { broker, limits, unit, order } = this.#options;
    const fence = this.#fence();
    if (fence === "fenced") return fence;
    const message = messageOf(said, unit);
    const key = order === "room" ? message.room : `${message.room}\n${message.user.id}`;
    const header = { v: 1, kind: "message", by: message.user.id, key } as const;
    const [first = inbound.event.id] = inbound.dedupe;
    const { kind } = await intake(broker, {
      queue: QUEUE,
      delivery: {
        route: 0,
        envelope: encodeEnvelope(header, JSON.stringify(message)),
        key,
        uid: { id: `${unit} ${first}`, ttlMs: DEDUPE_MS },
        durability: "default",
      },
      limits,
      ...(fence ? { fence } : {}),
      ...(fence && inbound.resume ? { resume: fieldsOf(inbound.resume) } : {}),
    });
    if (kind !== "fenced") this.#progress = undefined;
    return kind;
  }

  /** Nothing for handlers in it; only how far we have come is worth keeping. */
  #pass(inbound: Inbound): "stored" {
    if (inbound.resume) this.#progress = { resume: inbound.resume, events: (this.#progress?.events ?? 0) + 1 };
    return "stored";
  }

  async #writeProgress(): Promise<NackReason | undefined> {
    const { clock, unit, broker } = this.#options;
    if (!this.#progress || !this.tenure) return undefined;
    const due = this.#progress.events >= PROGRESS_EVENTS || clock.monotonic() - this.#progressAt >= PROGRESS_MS;
    if (!due) return undefined;
    const fields = fieldsOf(this.#progress.resume);
    try {
      await writeResume(broker.client, broker.keys, { unit, epoch: this.tenure.epoch, fields });
      this.#progress = undefined;
      this.#progressAt = clock.monotonic();
      return undefined;
    } catch (error) {
      // The events are worth nothing to a handler, so they are not asked for again because of this.
      return hasCode(error, "FENCED") && FENCED[this.#options.ingress] === "all" ? "fenced" : undefined;
    }
  }

  #fence(): Fence | "fenced" | undefined {
    const { ingress, unit } = this.#options;
    const part = FENCED[ingress];
    if (part === "nothing") return undefined;
    if (part === "all" && !this.tenure?.held()) return "fenced";
    return this.tenure && { unit, epoch: this.tenure.epoch, part };
  }
}

export function fieldsOf(resume: ResumeState): Record<string, string> {
  return { v: String(resume.v), kind: resume.kind, data: JSON.stringify(resume.data), at: String(resume.at) };
}

/** The reverse; undefined for what another version wrote. */
export function resumeOf(fields: Readonly<Record<string, string>>): ResumeState | undefined {
  if (fields["v"] !== "1" || !fields["kind"] || !fields["data"]) return undefined;
  return {
    v: 1,
    kind: fields["kind"],
    data: JSON.parse(fields["data"]) as ResumeState["data"],
    at: Number(fields["at"]),
  };
}

/** Ids carry the unit, because two networks may each have an `ann`. */
function messageOf(said: ChatMessage, unit: string): Message {
  return {
    id: said.id,
    text: said.text,
    room: `${unit}:${said.room.id}` as Room,
    ...(said.thread === undefined ? {} : { thread: said.thread }),
    user: { id: `${unit}:${said.user.id}`, name: said.user.name ?? said.user.id },
    addressed: said.mentionsBot || said.room.kind === "dm",
  };
}
