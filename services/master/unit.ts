// One connection to a chat service: what is open and spoken through it, and when, by ingress class.
//
//   takeover, exclusive   connected while this process leads the unit; at a handover the old one closes first
//   overlap, shared       connected as long as the process runs; speaks only while it leads; closes after the next is ready

import { readBody } from "../broker/bodies.ts";
import { type BrokerContext, serverNowMs } from "../broker/connection.ts";
import { OutboxClaims } from "../broker/outbox.ts";
import type { QueueLimits } from "../broker/producer.ts";
import { messageIdOf } from "../broker/refs.ts";
import type { Duty, Tenure } from "../leader/duty.ts";
import { readResume, writeResume } from "../leader/resume.ts";
import type { RedisClient } from "../redis/connect.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Adapter, AdapterSurroundings, ConnState, ResumeState, StartOptions } from "../sdk/adapter.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { Connection } from "./connection.ts";
import { Executor } from "./executor.ts";
import { fieldsOf, resumeOf, UnitHost } from "./host.ts";
import { Pacing } from "./pacing.ts";
import { Sender } from "./sender.ts";
import { sayReady, successorReady } from "./succession.ts";

export interface UnitOptions {
  readonly unit: string;
  readonly create: (around: AdapterSurroundings) => Adapter | Promise<Adapter>;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly broker: BrokerContext;
  readonly limits: QueueLimits;
  /** The only room that may be spoken in, if there is one. */
  readonly only?: string | undefined;
  readonly subscriber: RedisClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  readonly tracing?: Tracing | undefined;
}

/** What became of the connection, for people. */
export interface UnitStatus {
  readonly state: ConnState | "standby";
  readonly detail: string;
}

/** How long Actions in flight may still take when the unit is handed over. */
const IN_FLIGHT_MS = 2_000;
const DETAIL_CHARS_MAX = 300;
const READ_AGAIN = { firstMs: 50, maxMs: 1_000 };

export class Unit implements Duty {
  readonly name: string;
  readonly #options: UnitOptions;
  readonly #ended = new AbortController();
  #connection: Connection | undefined;
  #sender: Sender | undefined;
  #leading: Tenure | undefined;
  /** Prepared for the next tenure. */
  #spare: Adapter | undefined;
  /** The last epoch under which it was led from here. */
  #ledUnder: string | undefined;

  constructor(options: UnitOptions) {
    this.name = options.unit;
    this.#options = options;
  }

  get status(): UnitStatus {
    const connection = this.#connection;
    return connection ? { state: connection.state, detail: connection.detail } : { state: "standby", detail: "" };
  }

  /** Connects now if the class allows it without a Lease. Does not wait until it is ready. */
  async warm(): Promise<void> {
    const { unit, emit } = this.#options;
    const adapter = await this.#create();
    if (this.#ended.signal.aborted) return;
    if (isLeadersAlone(adapter)) return this.#prepare(adapter);
    const connection = this.#connect(adapter);
    const start: StartOptions = { unit, role: "warm", epoch: 0, signal: this.#ended.signal };
    connection
      .open({ options: async () => start, again: () => this.#promote(), isPatient: true })
      .catch((error: unknown) => emit("part.failed", { part: unit, error }));
  }

  async begin(tenure: Tenure): Promise<void> {
    this.#leading = tenure;
    const adapter = this.#connection?.adapter ?? this.#takeSpare() ?? (await this.#create());
    // It may have ended while the adapter was made.
    if (tenure.signal.aborted || this.#leading !== tenure) return;
    const connection = this.#connection ?? this.#connect(adapter);
    connection.host.tenure = tenure;
    this.#showState(connection);
    this.#ledUnder = tenure.epoch;
    const sender = this.#makeSender(connection, tenure);
    this.#sender = sender;
    await sender.start();
    if (!isLeadersAlone(connection.adapter)) {
      this.#tellReady();
      return this.#promote();
    }
    const options = async (): Promise<StartOptions | undefined> => {
      const resume = await this.#resumeState(tenure);
      if (tenure.signal.aborted || this.#sender !== sender) return undefined;
      const { unit } = this.#options;
      const start = { unit, role: "leader", epoch: Number(tenure.epoch), signal: tenure.signal } as const;
      return resume ? { ...start, resume } : start;
    };
    await connection.open({ options, isPatient: false });
  }

  async end(how: "handover" | "fenced", deadlineMs: number): Promise<void> {
    const [sender, connection] = [this.#sender, this.#connection];
    this.#leading = undefined;
    this.#sender = undefined;
    if (how === "handover") await sender?.drain(Math.min(IN_FLIGHT_MS, deadlineMs / 2));
    else await sender?.stop();
    if (connection === undefined) return;
    const { host } = connection;
    if (isLeadersAlone(connection.adapter)) {
      this.#connection = undefined;
      const resume = await connection.close(how, deadlineMs / 2);
      if (how === "handover" && resume && host.tenure) await this.#keep(resume, host.tenure);
    }
    host.tenure = undefined;
    if (isLeadersAlone(connection.adapter)) await this.#prepare();
  }

  /** Ends what is open beside any Lease; where it was led from here, after the next leader's connection is ready. */
  async close(deadlineMs: number): Promise<void> {
    const connection = this.#connection;
    const { broker, unit, clock } = this.#options;
    const epoch = this.#ledUnder;
    const isFollowed =
      connection !== undefined &&
      epoch !== undefined &&
      (await successorReady(broker, { unit, epoch, deadlineMs: deadlineMs / 2, clock }).catch(() => false));
    this.#ended.abort();
    this.#connection = undefined;
    await connection?.close(isFollowed ? "handover" : "shutdown", deadlineMs / 2);
  }

  /** For people: nothing is decided by it, and one that is not heard is followed by another. */
  #showState({ state, detail }: Connection): void {
    const { broker, unit } = this.#options;
    const shown = { state, detail: detail.slice(0, DETAIL_CHARS_MAX) };
    serverNowMs(broker)
      .then((stateAt) => broker.client.hset(broker.keys.seat(unit), { ...shown, stateAt }))
      .catch(() => {});
  }

  /** So that the next start here is quick. */
  async #prepare(adapter?: Adapter): Promise<void> {
    if (this.#ended.signal.aborted) return;
    const spare = adapter ?? (await this.#create());
    const { unit, emit } = this.#options;
    this.#spare = spare;
    spare
      .prepare?.({ unit, signal: this.#ended.signal })
      .catch((error: unknown) => emit("part.failed", { part: unit, error }));
  }

  #takeSpare(): Adapter | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare;
  }

  async #create(): Promise<Adapter> {
    const { create, settings, clock, random } = this.#options;
    return create({ settings, clock, random });
  }

  #connect(adapter: Adapter): Connection {
    const { unit, broker, limits, settings, clock, random, emit, tracing } = this.#options;
    const order = settings["order"] === "room" ? "room" : "user";
    const connection = new Connection({
      unit,
      adapter,
      create: () => this.#create(),
      host: ({ ingress }, heard) => {
        const onState = (state: ConnState, detail?: string): void => {
          heard(state, detail);
          if (connection.host.tenure) this.#showState(connection);
        };
        return new UnitHost({ unit, ingress, broker, limits, order, clock, emit, tracing, onState });
      },
      onReady: () => {
        this.#sender?.wake();
        this.#tellReady();
      },
      clock,
      random,
      emit,
    });
    this.#connection = connection;
    return connection;
  }

  async #promote(): Promise<void> {
    const tenure = this.#connection?.host.tenure;
    if (tenure?.held()) await this.#connection?.adapter.promote?.(Number(tenure.epoch));
  }

  /** Whoever led before may close its connection now. */
  #tellReady(): void {
    const { broker, unit } = this.#options;
    const connection = this.#connection;
    const tenure = connection?.host.tenure;
    if (connection?.state !== "ready" || !tenure?.held()) return;
    // The one who waits for it waits for a short time only.
    sayReady(broker, unit, tenure.epoch).catch(() => {});
  }

  #makeSender(connection: Connection, tenure: Tenure): Sender {
    const { unit, broker, subscriber, settings, only, clock, random, emit, tracing } = this.#options;
    const ready = (): boolean => {
      const { state, adapter } = connection;
      return state === "ready" || (adapter.outbound === "rest" && state !== "failed");
    };
    const executor = new Executor({
      unit,
      adapter: () => connection.adapter,
      tenure,
      pacing: new Pacing(clock),
      ready,
      onAuth: (error) => connection.fail(error),
      messageIdOf: (actionId) => messageIdOf(broker, actionId),
      inDoubt: settings["inDoubt"] === "drop" ? "drop" : "retry",
      clock,
      random,
      emit,
    });
    const outbox = new OutboxClaims({ ...broker, unit, epoch: tenure.epoch });
    const body = (queue: string, token: string): Promise<Buffer | null> => readBody(broker, queue, token);
    return new Sender({
      outbox,
      executor,
      tenure,
      readBody: body,
      only,
      subscriber,
      ready,
      clock,
      random,
      emit,
      tracing,
    });
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
