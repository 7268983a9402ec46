// One master around an adapter under test, with the points at which it can be made to die or be refused.

import type { BrokerContext } from "../broker/connection.ts";
import type { QueueLimits } from "../broker/producer.ts";
import type { Tenure } from "../leader/duty.ts";
import { Unit } from "../master/unit.ts";
import type { RedisClient } from "../redis/connect.ts";
import { systemClock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Action } from "../sdk/action.ts";
import type { ActionOutcome, Adapter, AdapterModule, ConnState, Host, Inbound, NackReason } from "../sdk/adapter.ts";
import type { Settings, StartOptions } from "../sdk/adapter.ts";
import type { EventFields, EventName } from "../telemetry/events.ts";

export interface RigMasterOptions {
  readonly unit: string;
  readonly adapter: AdapterModule;
  readonly settings: Settings;
  readonly broker: BrokerContext;
  readonly subscriber: RedisClient;
  readonly limits: QueueLimits;
}

/** Where it dies: before what it heard is stored, before that is acknowledged, before it knows what became of its words. */
export type DeathPoint = "stored" | "acknowledged" | "known";

const NEVER = new Promise<never>(() => {});
const STOP_MS = 3_000;

export class RigMaster {
  /** All states that the adapter told, in order. */
  readonly states: ConnState[] = [];
  /** Everything that it handed over. */
  readonly heard: Inbound["event"][] = [];
  readonly gaps: string[] = [];
  readonly failed: EventFields["action.failed"][] = [];
  readonly doubts: string[] = [];
  /** Refuses so many batches before it takes any. */
  refusals: { reason: NackReason; left: number } = { reason: "queueFull", left: 0 };
  /** Where it dies next. */
  dieBefore: DeathPoint | undefined;
  readonly #unit: Unit;
  #tenure: { readonly ended: AbortController; readonly epoch: string } | undefined;
  #isDead = false;
  /** While it stands still; what wants to pass waits for it. */
  #still: PromiseWithResolvers<void> | undefined;
  #hasStoodStill = false;

  constructor(options: RigMasterOptions) {
    const { unit, adapter, settings, broker, subscriber, limits } = options;
    this.#unit = new Unit({
      unit,
      create: async (around) => this.#watched(await adapter.create(around)),
      settings,
      broker,
      limits,
      subscriber,
      clock: systemClock,
      random: Math.random,
      emit: (name, fields) => this.#hear(name, fields),
    });
  }

  get state(): ConnState | "standby" {
    return this.#unit.status.state;
  }

  get detail(): string {
    return this.#unit.status.detail;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  warm(): Promise<void> {
    return this.#unit.warm();
  }

  /** Begins to lead. Resolves when `start` or `promote` of the adapter does. */
  lead(epoch: string): Promise<void> {
    const ended = new AbortController();
    this.#tenure = { ended, epoch };
    // Whoever stood still finds by its clocks that the Lease has run out.
    const held = (): boolean => !ended.signal.aborted && !this.#hasStoodStill;
    const assert = (): void => {
      if (!held()) throw new AntiphonError("FENCED", "The tenure is over.");
    };
    const confirmed = async (): Promise<boolean> => held();
    const tenure: Tenure = { unit: this.#unit.name, epoch, signal: ended.signal, held, assert, confirmed };
    return this.#unit.begin(tenure);
  }

  /** As at SIGTERM, until the Lease is free. */
  async handOver(): Promise<void> {
    await this.#unit.end("handover", STOP_MS);
    this.#tenure?.ended.abort();
    this.#tenure = undefined;
  }

  /** The Lease is lost, and it knows. */
  async lose(): Promise<void> {
    this.#tenure?.ended.abort();
    this.#tenure = undefined;
    await this.#unit.end("fenced", STOP_MS);
  }

  /** As by SIGSTOP, for longer than a Lease lasts: nothing passes between the adapter and Antiphon until `goOn`. */
  standStill(): void {
    this.#hasStoodStill = true;
    this.#still = Promise.withResolvers();
  }

  /** As by SIGCONT: what was under way goes on, before anybody has told it that another leads. */
  goOn(): void {
    this.#still?.resolve();
    this.#still = undefined;
  }

  /** As by SIGKILL: nothing that it has begun goes on, and its sockets are gone. */
  die(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    void this.lose().catch(() => {});
    void this.#unit.close(0).catch(() => {});
  }

  async stop(): Promise<void> {
    if (this.#isDead) return;
    await this.handOver();
    await this.#unit.close(STOP_MS);
  }

  #hear(name: EventName, fields: object): void {
    if (name === "adapter.state") this.states.push((fields as EventFields["adapter.state"]).state as ConnState);
    if (name === "adapter.gap") this.gaps.push((fields as EventFields["adapter.gap"]).reason);
    if (name === "action.failed") this.failed.push(fields as EventFields["action.failed"]);
    if (name === "action.in-doubt") this.doubts.push((fields as EventFields["action.in-doubt"]).result);
  }

  #watched(adapter: Adapter): Adapter {
    const start = (host: Host, options: StartOptions): Promise<void> => adapter.start(this.#hostOf(host), options);
    const execute = async (action: Action, attempt: number, signal: AbortSignal): Promise<ActionOutcome> => {
      const outcome = await adapter.execute(action, attempt, signal);
      await this.#still?.promise;
      return this.#diesAt("known") ? NEVER : outcome;
    };
    const instead: Readonly<Record<PropertyKey, unknown>> = { start, execute };
    return new Proxy(adapter, {
      get: (target, key) => {
        if (Object.hasOwn(instead, key)) return instead[key];
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  }

  #hostOf(host: Host): Host {
    return {
      intake: (batch) => this.#intake(host, batch),
      state: (state, detail) => (this.#isDead ? undefined : host.state(state, detail)),
      assert: () => host.assert(),
      log: () => {},
      now: () => host.now(),
    };
  }

  async #intake(host: Host, batch: readonly Inbound[]): Promise<"ok" | NackReason> {
    this.heard.push(...batch.map(({ event }) => event));
    await this.#still?.promise;
    if (this.#isDead || this.#diesAt("stored")) return NEVER;
    if (this.refusals.left > 0) {
      this.refusals.left--;
      for (const { nack } of batch) nack?.(this.refusals.reason);
      return this.refusals.reason;
    }
    if (this.dieBefore !== "acknowledged") return host.intake(batch);
    await host.intake(batch.map(({ ack: _ack, nack: _nack, ...rest }) => rest));
    this.#diesAt("acknowledged");
    return NEVER;
  }

  #diesAt(point: DeathPoint): boolean {
    if (this.dieBefore !== point) return this.#isDead;
    this.dieBefore = undefined;
    this.die();
    return true;
  }
}
