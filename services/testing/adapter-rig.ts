// A bot with masters around one adapter under test: each can lead, hand over, lose its Lease and die at any point. Who leads
// is decided here and not by an election; the fence, the intake and the outbox are the real ones.

import { settledSettings } from "../adapters/load.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { decodeEnvelope } from "../broker/delivery.ts";
import { Producer } from "../broker/producer.ts";
import { closeRedis, openRedis, type RedisClient } from "../redis/connect.ts";
import { Keys } from "../redis/keys.ts";
import { systemClock } from "../runtime/clock.ts";
import { randomId } from "../runtime/ids.ts";
import { type Action, effectId } from "../sdk/action.ts";
import type { AdapterModule, Settings } from "../sdk/adapter.ts";
import type { Message } from "../sdk/message.ts";
import type { ContractService } from "./adapter-contract.ts";
import { RigMaster } from "./adapter-master.ts";
import { sharedServer } from "./server.ts";
import { pause } from "./test-clock.ts";

export interface RigOptions {
  readonly adapter: AdapterModule;
  readonly service: ContractService;
  readonly rooms: readonly [string, string];
}

const WITHIN_MS = 20_000;
const LOOK_MS = 10;
const LIMITS = { deliveries: 1_000_000, bytes: 2 ** 30 };

export class Rig {
  readonly service: ContractService;
  readonly rooms: readonly [string, string];
  readonly unit: string;
  readonly broker: BrokerContext;
  readonly #adapter: AdapterModule;
  readonly #url: string;
  readonly #clients: RedisClient[] = [];
  readonly #masters: RigMaster[] = [];
  readonly #producer: Producer;
  #epoch = 1_000;
  #actions = 0;

  static async open(options: RigOptions): Promise<Rig> {
    const { url } = await sharedServer();
    const { adapter, service } = options;
    const settings = await settingsOf(adapter, service.settings);
    const first = await adapter.create({ settings, clock: systemClock, random: Math.random });
    const [part = ""] = (await first.units?.()) ?? [];
    const { name } = adapter.manifest;
    return new Rig(options, url, part === "" ? name : `${name}/${part}`);
  }

  private constructor({ adapter, service, rooms }: RigOptions, url: string, unit: string) {
    this.service = service;
    this.rooms = rooms;
    this.unit = unit;
    this.#adapter = adapter;
    this.#url = url;
    this.broker = { client: this.#connect("commands"), keys: new Keys(`contract-${randomId()}`, 0) };
    this.#producer = new Producer({ ...this.broker, limits: LIMITS, random: Math.random });
  }

  get adapter(): AdapterModule {
    return this.#adapter;
  }

  /** A master that does not lead yet; connected already where the class allows it. */
  async master(written: Settings = this.service.settings): Promise<RigMaster> {
    const broker = { ...this.broker, client: this.#connect("commands") };
    const subscriber = this.#connect("subscriber");
    const { unit } = this;
    const settings = await settingsOf(this.#adapter, written);
    const master = new RigMaster({ unit, adapter: this.#adapter, settings, broker, subscriber, limits: LIMITS });
    this.#masters.push(master);
    await master.warm();
    return master;
  }

  /** A master that leads and is ready. */
  async leader(): Promise<RigMaster> {
    const master = await this.master();
    await this.lead(master);
    return master;
  }

  /** From now on this one leads, whoever did before; resolves when it is ready. */
  async lead(master: RigMaster): Promise<void> {
    await master.lead(await this.newEpoch());
    await this.until(() => master.state === "ready", `the adapter is ready (it is ${master.state})`);
  }

  /** Redis refuses what was led before; a leader that knows nothing of it goes on. */
  async newEpoch(): Promise<string> {
    const epoch = String(++this.#epoch);
    await this.broker.client.set(this.broker.keys.epoch(this.unit), epoch);
    return epoch;
  }

  /** Puts an Action into the outbox, as a worker's settle does. Answers its id. */
  async act(action: Partial<Action> & { readonly room: string }): Promise<string> {
    const count = String(++this.#actions);
    const id = effectId({ origin: count, route: "contract", operation: "send", target: "", content: "" });
    const envelope = Buffer.from(JSON.stringify({ id, unit: this.unit, op: "send", text: count, ...action }));
    await this.#producer.enqueue(`outbox/${this.unit}`, { route: 0, envelope, key: action.room });
    return id;
  }

  say(text: string, room = this.rooms[0]): Promise<void> {
    return Promise.resolve(this.service.say({ room, user: "ann", text }));
  }

  async said(room = this.rooms[0]): Promise<readonly string[]> {
    return this.service.said(room);
  }

  /** The Messages that wait for a worker, in the order stored. */
  async stored(): Promise<Message[]> {
    const { client, keys } = this.broker;
    const bodies = (await client.hgetallBuffer(`${keys.queue("chat")}:j`)) as Record<string, Buffer>;
    const ids = Object.keys(bodies).sort((a, b) => Number(a) - Number(b));
    return ids.map((id) => JSON.parse(decodeEnvelope(bodies[id] as Buffer).payload.toString()) as Message);
  }

  async texts(): Promise<string[]> {
    return (await this.stored()).map(({ text }) => text);
  }

  /** Rejects, naming what it waited for, when it takes too long. */
  async until(condition: () => boolean | Promise<boolean>, what: string, withinMs = WITHIN_MS): Promise<void> {
    const end = performance.now() + withinMs;
    while (!(await condition())) {
      if (performance.now() > end) throw new Error(`Not within ${withinMs} ms: ${what}`);
      await pause(LOOK_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#masters.map((master) => master.stop()));
    await Promise.all(this.#clients.map((client) => closeRedis(client)));
  }

  #connect(purpose: "commands" | "subscriber"): RedisClient {
    const client = openRedis({ url: this.#url, name: `contract-${purpose}`, purpose, onState: () => {} });
    this.#clients.push(client);
    return client;
  }
}

async function settingsOf(adapter: AdapterModule, written: Settings): Promise<Settings> {
  const { value, issues } = await settledSettings(adapter, written);
  if (issues.length > 0) throw new Error(`The settings of the service do not fit: ${issues.join("; ")}`);
  return value;
}
