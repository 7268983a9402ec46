// What an adapter is given: the way of its events into the broker, under the fence of its ingress class.
//
// Promised: "ok" only after everything of the batch is in Redis, resume state with it; and in the order received.

import { type BrokerContext, proven } from "../broker/connection.ts";
import { intakeAll, type IntakeAllCall } from "../broker/intake.ts";
import type { QueueLimits } from "../broker/producer.ts";
import type { Tenure } from "../leader/duty.ts";
import { writeResume } from "../leader/resume.ts";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError, hasCode } from "../runtime/errors.ts";
import type { ConnState, Host, Inbound, Ingress, NackReason, ResumeState } from "../sdk/adapter.ts";
import type { Emit, Level } from "../telemetry/events.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { type Batch, batchOf, EVENTS_MAX } from "./batch.ts";

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
  readonly tracing?: Tracing | undefined;
}

/** In Redis, and not acknowledged yet. */
interface Taken {
  readonly inbound: Inbound;
  readonly stored: "stored" | "duplicate";
}

type Fence = NonNullable<IntakeAllCall["fence"]>;

const QUEUE = "chat";
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
    let most = EVENTS_MAX;
    for (let at = 0; at < batch.length;) {
      const next = batchOf(batch.slice(at), most, this.#options);
      const taken = await this.#store(next);
      if (taken === "queueFull" && next.deliveries.length > 1) {
        most = 1; // whatever still has room is taken
        continue;
      }
      if (typeof taken === "string") {
        await this.#acknowledge(unproven);
        return refuse(batch.slice(at), taken);
      }
      at += taken.length;
      const refused = this.#isProvenAtOnce ? await this.#acknowledge(taken) : undefined;
      if (refused !== undefined) return refuse(batch.slice(at), refused);
      if (!this.#isProvenAtOnce) unproven.push(...taken);
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

  async #store(batch: Batch): Promise<readonly Taken[] | NackReason> {
    const taken = await this.#storeAll(batch);
    for (const span of batch.spans) {
      if (typeof taken === "string") span.fail(new Error(taken));
      span.end();
    }
    return taken;
  }

  /** All of it in one script, or nothing of it. Nothing is acknowledged yet. */
  async #storeAll(batch: Batch): Promise<readonly Taken[] | NackReason> {
    const { broker, limits } = this.#options;
    const { inbounds, deliveries, resume } = batch;
    if (deliveries.length === 0) return this.#pass(batch);
    const fence = this.#fence();
    if (fence === "fenced") return fence;
    try {
      const stored = await intakeAll(broker, {
        queue: QUEUE,
        deliveries,
        limits,
        ...(fence && { fence }),
        ...(fence && resume && { resume: fieldsOf(resume) }),
      });
      if (stored === "fenced") this.#options.emit("write.fenced", { unit: this.#options.unit });
      if (stored === "fenced") return stored;
      this.#progress = undefined;
      this.#tellGaps(inbounds);
      return inbounds.map((inbound, index) => {
        const place = batch.places[index];
        return { inbound, stored: (place === undefined ? undefined : stored[place]?.kind) ?? "stored" };
      });
    } catch (error) {
      return this.#nack(error);
    }
  }

  /** Nothing for handlers in it; only how far we have come is worth keeping. */
  #pass({ inbounds, resume }: Batch): readonly Taken[] {
    const events = (this.#progress?.events ?? 0) + inbounds.length;
    if (resume) this.#progress = { resume, events };
    this.#tellGaps(inbounds);
    return inbounds.map((inbound) => ({ inbound, stored: "stored" }));
  }

  #tellGaps(inbounds: readonly Inbound[]): void {
    const { emit, unit } = this.#options;
    for (const { event } of inbounds) {
      if (event.type !== "gap") continue;
      const { reason, from, to, repaired } = event;
      emit("adapter.gap", { unit, reason, ...(from === undefined ? {} : { fromMs: from }), toMs: to, repaired });
    }
  }

  get #isProvenAtOnce(): boolean {
    return (this.#options.broker.durability ?? "default") === "default";
  }

  /** One proof for all of them: each may take as long as a disk. */
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
    if (hasCode(error, "FENCED")) {
      this.#options.emit("write.fenced", { unit: this.#options.unit });
      return "fenced";
    }
    if (hasCode(error, "QUEUE_FULL")) return "queueFull";
    const isAway = hasCode(error, "REDIS_UNAVAILABLE") || hasCode(error, "DURABILITY_UNMET");
    if (!isAway) this.#options.emit("part.failed", { part: this.#options.unit, error });
    return "redisDown";
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

function refuse(inbounds: readonly Inbound[], reason: NackReason): NackReason {
  for (const { nack } of inbounds) nack?.(reason);
  return reason;
}
