// The parts of a master around one unit of the fake chat service, in this process, and a look into Redis beside them.

import { deadLetters } from "../../services/broker/dead.ts";
import { adapterKind } from "../../services/adapters/index.ts";
import type { BrokerContext } from "../../services/broker/connection.ts";
import { decodeEnvelope } from "../../services/broker/delivery.ts";
import { type NewDelivery, Producer } from "../../services/broker/producer.ts";
import { leaseTiming } from "../../services/leader/timing.ts";
import { leaderOf } from "../../services/master/connections.ts";
import { Unit } from "../../services/master/unit.ts";
import { closeRedis, openRedis, type Purpose, type RedisClient } from "../../services/redis/connect.ts";
import { Keys } from "../../services/redis/keys.ts";
import { type Clock, systemClock } from "../../services/runtime/clock.ts";
import { randomId } from "../../services/runtime/ids.ts";
import type { Action } from "../../services/sdk/action.ts";
import type { Message } from "../../services/sdk/message.ts";
import type { EventFields, EventName } from "../../services/telemetry/events.ts";
import { waitFor } from "./wait-for.ts";

const LIMITS = { deliveries: 1_000_000, bytes: 2 ** 30 };

export interface Told {
  readonly name: EventName;
  readonly fields: EventFields[EventName];
}

export interface TestMaster {
  readonly told: Told[];
  readonly unit: Unit;
  readonly leader: ReturnType<typeof leaderOf>;
  /** Texts of the given event, newest last. */
  of<N extends EventName>(name: N): EventFields[N][];
  stop(): Promise<void>;
}

/** Everything it opens is closed by `close`. */
export class UnitKit {
  readonly keys: Keys;
  readonly #url: string;
  readonly #closing: (() => Promise<void>)[] = [];
  #broker: Promise<BrokerContext> | undefined;
  #producer: Promise<Producer> | undefined;
  #actions = 0;

  constructor(url: string, namespace = `unit-${randomId()}`) {
    this.#url = url;
    this.keys = new Keys(namespace, 0);
  }

  async connect(purpose: Purpose = "commands", name = "kit"): Promise<RedisClient> {
    const client = openRedis({ url: this.#url, name, purpose, onState: () => {} });
    this.#closing.push(() => closeRedis(client));
    await waitFor(() => client.status === "ready", { what: "a connection to Redis" });
    return client;
  }

  broker(): Promise<BrokerContext> {
    this.#broker ??= this.connect().then((client) => ({ client, keys: this.keys }));
    return this.#broker;
  }

  /** A master that stands for election in the unit `fake`. */
  async master(
    url: string,
    options: {
      leaseMs?: number;
      settings?: Record<string, unknown>;
      limits?: typeof LIMITS;
      clock?: Clock;
      only?: string;
      /** Added to the server's clock. */
      clockOffsetMs?: () => number;
      /** What the making of an adapter waits for. */
      making?: () => Promise<void> | undefined;
    } = {},
  ): Promise<TestMaster> {
    const told: Told[] = [];
    const common = {
      clock: options.clock ?? systemClock,
      random: Math.random,
      emit: (name: EventName, fields: unknown) => void told.push({ name, fields: fields as EventFields[EventName] }),
    };
    const { clockOffsetMs } = options;
    const broker = { client: await this.connect(), keys: this.keys, ...(clockOffsetMs && { clockOffsetMs }) };
    const subscriber = await this.connect("subscriber");
    const timing = leaseTiming(options.leaseMs ?? 3_000);
    const create = adapterKind("fake").create as NonNullable<ReturnType<typeof adapterKind>["create"]>;
    const settings = { url, ...options.settings };
    const make: typeof create = async (around) => {
      await options.making?.();
      return create(around);
    };
    const unit = new Unit({
      ...common,
      unit: "fake",
      create: make,
      settings,
      broker,
      limits: options.limits ?? LIMITS,
      ...(options.only === undefined ? {} : { only: options.only }),
      subscriber,
    });
    const leases = await this.connect("lease");
    const around = { ...common, leases, subscriber, broker, timing, owner: randomId(), newId: randomId };
    const leader = leaderOf("fake", unit, around);
    await unit.warm();
    await leader.start();
    const stop = async (): Promise<void> => {
      await leader.stop(3_000);
      await unit.close(3_000);
    };
    this.#closing.push(stop);
    const of = <N extends EventName>(name: N) =>
      told.filter((event) => event.name === name).map((event) => event.fields as EventFields[N]);
    return { told, unit, leader, of, stop };
  }

  /** Puts an Action into the outbox of `fake`, as a worker's settle does. Answers its id. */
  async act(action: Partial<Action> & { room: string }, more: Partial<NewDelivery> = {}): Promise<string> {
    this.#producer ??= this.broker().then((broker) => new Producer({ ...broker, limits: LIMITS, random: Math.random }));
    const producer = await this.#producer;
    const id = `a${++this.#actions}`;
    const whole = { id, unit: "fake", op: "send", text: id, ...action };
    const envelope = Buffer.from(JSON.stringify(whole));
    await producer.enqueue("outbox/fake", { route: 0, envelope, key: action.room, ...more });
    return whole.id;
  }

  /** Every Message that waits in the chat queue, in the order stored. */
  async stored(): Promise<Message[]> {
    const { client, keys } = await this.broker();
    const bodies = (await client.hgetallBuffer(`${keys.queue("chat")}:j`)) as Record<string, Buffer>;
    const ids = Object.keys(bodies).sort((a, b) => Number(a) - Number(b));
    return ids.map((id) => JSON.parse(decodeEnvelope(bodies[id] as Buffer).payload.toString()) as Message);
  }

  async outboxDepth(): Promise<number> {
    const { client, keys } = await this.broker();
    return client.hlen(`${keys.outbox("fake")}:j`);
  }

  async dead(): Promise<string[]> {
    const letters = await deadLetters(await this.broker(), "outbox/fake", { limit: 100 });
    return letters.map((letter) => letter.reason);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).toReversed()) await close().catch(() => {});
  }
}
