// One connection to a chat service: what is open and spoken through it, and when, by ingress class.
//
//   takeover, exclusive   connected while this process leads the unit
//   overlap, shared       connected as long as the process runs; speaks only while it leads

import type { AdapterKind } from "../adapters/index.ts";
import { readBody } from "../broker/bodies.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { OutboxClaims } from "../broker/outbox.ts";
import type { QueueLimits } from "../broker/producer.ts";
import { messageIdOf } from "../broker/refs.ts";
import type { Duty, Tenure } from "../leader/leader.ts";
import { readResume, writeResume } from "../leader/resume.ts";
import type { RedisClient } from "../redis/connect.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Adapter, ConnState, ResumeState } from "../sdk/adapter.ts";
import type { Emit } from "../telemetry/events.ts";
import { Executor } from "./executor.ts";
import { fieldsOf, resumeOf, UnitHost } from "./host.ts";
import { Pacing } from "./pacing.ts";
import { Sender } from "./sender.ts";

export interface UnitOptions {
  readonly unit: string;
  readonly create: NonNullable<AdapterKind["create"]>;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly broker: BrokerContext;
  readonly limits: QueueLimits;
  readonly subscriber: RedisClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

/** How long Actions in flight may still take when the unit is handed over. */
const IN_FLIGHT_MS = 2_000;
const READ_AGAIN = { firstMs: 50, maxMs: 1_000 };

export class Unit implements Duty {
  readonly #options: UnitOptions;
  readonly #ended = new AbortController();
  #host: UnitHost | undefined;
  #adapter: Adapter | undefined;
  #sender: Sender | undefined;
  #state: ConnState = "idle";

  constructor(options: UnitOptions) {
    this.#options = options;
  }

  /** Connects now if the class allows it without a Lease. Does not wait until it is ready. */
  warm(): void {
    const { unit, emit } = this.#options;
    const adapter = this.#create();
    if (isLeadersAlone(adapter)) return;
    this.#adapter = adapter;
    this.#host = this.#makeHost(adapter);
    const options = { unit, role: "warm", epoch: 0, signal: this.#ended.signal } as const;
    adapter.start(this.#host, options).catch((error: unknown) => emit("part.failed", { part: unit, error }));
  }

  async begin(tenure: Tenure): Promise<void> {
    const { unit } = this.#options;
    const adapter = this.#adapter ?? this.#create();
    const host = this.#host ?? this.#makeHost(adapter);
    this.#adapter = adapter;
    this.#host = host;
    host.tenure = tenure;
    const sender = this.#makeSender(adapter, tenure);
    this.#sender = sender;
    await sender.start();
    if (!isLeadersAlone(adapter)) return adapter.promote?.(Number(tenure.epoch));
    const resume = await this.#resumeState(tenure);
    if (tenure.signal.aborted || this.#sender !== sender) return;
    const options = { unit, role: "leader", epoch: Number(tenure.epoch), signal: tenure.signal } as const;
    await adapter.start(host, resume ? { ...options, resume } : options);
  }

  async end(how: "handover" | "fenced", deadlineMs: number): Promise<void> {
    const [sender, adapter, host] = [this.#sender, this.#adapter, this.#host];
    this.#sender = undefined;
    if (how === "handover") await sender?.drain(Math.min(IN_FLIGHT_MS, deadlineMs / 2));
    else await sender?.stop();
    if (adapter && isLeadersAlone(adapter)) {
      this.#adapter = undefined;
      this.#host = undefined;
      const resume = await adapter.stop(how, deadlineMs / 2);
      if (how === "handover" && resume && host?.tenure) await this.#keep(resume, host.tenure);
    }
    if (host) host.tenure = undefined;
  }

  /** Ends what is open beside any Lease. */
  async close(deadlineMs: number): Promise<void> {
    this.#ended.abort();
    await this.#adapter?.stop("shutdown", deadlineMs);
    this.#adapter = undefined;
  }

  #create(): Adapter {
    const { create, settings, clock, random } = this.#options;
    return create({ settings, clock, random });
  }

  #makeHost(adapter: Adapter): UnitHost {
    const { unit, broker, limits, settings, clock, emit } = this.#options;
    const order = settings["order"] === "room" ? "room" : "user";
    const onState = (state: ConnState): void => {
      this.#state = state;
      if (state === "ready") this.#sender?.wake();
    };
    this.#state = "idle";
    return new UnitHost({ unit, ingress: adapter.ingress, broker, limits, order, clock, emit, onState });
  }

  #makeSender(adapter: Adapter, tenure: Tenure): Sender {
    const { unit, broker, subscriber, settings, clock, random, emit } = this.#options;
    const ready = (): boolean => adapter.outbound === "rest" || this.#state === "ready";
    const executor = new Executor({
      unit,
      adapter,
      tenure,
      pacing: new Pacing(clock),
      ready,
      messageIdOf: (actionId) => messageIdOf(broker, actionId),
      inDoubt: settings["inDoubt"] === "drop" ? "drop" : "retry",
      clock,
      random,
      emit,
    });
    const outbox = new OutboxClaims({ ...broker, unit, epoch: tenure.epoch });
    const body = (queue: string, token: string): Promise<Buffer | null> => readBody(broker, queue, token);
    return new Sender({ outbox, executor, tenure, readBody: body, subscriber, ready, clock, random, emit });
  }

  /** Connecting without it could skip what was said; so it waits for Redis. */
  async #resumeState(tenure: Tenure): Promise<ResumeState | undefined> {
    const { broker, unit, clock, random } = this.#options;
    for (let failures = 0; !tenure.signal.aborted; failures++) {
      try {
        const fields = await readResume(broker.client, broker.keys, unit);
        return fields && resumeOf(fields);
      } catch {
        await clock.sleep(backoffMs(failures, READ_AGAIN, random), tenure.signal);
      }
    }
    return undefined;
  }

  async #keep(resume: ResumeState, tenure: Tenure): Promise<void> {
    const { broker, unit, emit } = this.#options;
    const write = { unit, epoch: tenure.epoch, fields: fieldsOf(resume) };
    await writeResume(broker.client, broker.keys, write).catch((error: unknown) =>
      emit("part.failed", { part: unit, error }),
    );
  }
}

/** Whether only the leader may be connected. */
function isLeadersAlone(adapter: Adapter): boolean {
  return adapter.ingress === "takeover" || adapter.ingress === "exclusive";
}
