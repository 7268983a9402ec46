// What runs in a handler thread, driven by hand: deliveries go in through the producer, are taken, run and settled by the
// real scripts, one tick of the worker's main thread at a time.

import { randomUUID } from "node:crypto";
import { onTestFinished } from "vitest";
import { Claims, type Settlement } from "../../../services/broker/claims.ts";
import type { BrokerContext } from "../../../services/broker/connection.ts";
import type { Effect } from "../../../services/broker/effects.ts";
import { type EnvelopeHeader, encodeEnvelope, type Kind } from "../../../services/broker/delivery.ts";
import { type DeadLetter, deadLetters } from "../../../services/broker/dead.ts";
import { queueDepth } from "../../../services/broker/inspect.ts";
import { type NewDelivery, Producer } from "../../../services/broker/producer.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { manifestOf } from "../../../services/handlers/loader.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import type { Handler } from "../../../services/sdk/handler.ts";
import type { Middleware } from "../../../services/sdk/middleware.ts";
import type { EventFields, EventName } from "../../../services/telemetry/events.ts";
import { type OutgoingRun, packRuns, unpackRuns } from "../../../services/worker/packing.ts";
import { type AdapterFacts, endsRun, type Failure, type Settled } from "../../../services/worker/protocol.ts";
import { Runner } from "../../../services/worker/runner.ts";
import type { Started } from "../../../services/worker/slots.ts";
import { threadParts } from "../../../services/worker/thread-life.ts";
import { waitFor } from "../../support/wait-for.ts";

export interface BenchOptions {
  readonly url: string;
  /** And middleware. */
  readonly handlers: readonly (Handler | Middleware)[];
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  readonly admins?: readonly string[];
  readonly adapters?: readonly AdapterFacts[];
  readonly redirect?: string;
  /** Another bench's, whose bot this is, too. */
  readonly keys?: Keys;
}

export interface Line {
  readonly id: string;
  readonly ref: string;
  readonly from: string;
  readonly text: string;
  readonly edited?: true;
}

const WEB: AdapterFacts = { name: "web", can: ["edit"] };
const IRC: AdapterFacts = { name: "irc", can: ["topic", "join"] };
const SLACK: AdapterFacts = { name: "slack", can: ["thread", "edit", "react", "topic", "join"] };
const TAKE = { slots: 8, run: 4, order: "0123" };

interface Emitted {
  readonly name: EventName;
  readonly fields: Record<string, unknown>;
}

export class ThreadBench {
  readonly client: RedisClient;
  readonly context: BrokerContext;
  readonly events: Emitted[] = [];
  readonly begun: Started[] = [];
  readonly numbers: ReadonlyMap<string, number>;
  readonly runner: Runner;
  /** ms added to the clock of the scripts. */
  offsetMs = 0;
  /** What main's gate says. */
  isOpen = true;
  readonly #producer: Producer;
  readonly #claims = new Map<string, Claims>();
  #serial = 0;
  #answers: Settled[] = [];

  static async open(options: BenchOptions): Promise<ThreadBench> {
    const { url, handlers, settings = {}, groups = {}, admins = [], adapters = [WEB, IRC, SLACK], redirect } = options;
    const client = openRedis({ url, name: "bench", purpose: "commands", onState: () => {} });
    const found = handlers.map((value, index) => ({ file: `/handlers/${index}.ts`, value }));
    const around = { builtins: [], settings, environment: {}, groups: Object.keys(groups), adapters };
    const manifest = await manifestOf(found, around);
    const context = { client, keys: options.keys ?? new Keys(`t${randomUUID()}`, 0) };
    const numbers = await registerRoutes(context, manifest.routeIds);
    const config = { name: "antiphon", alias: "!", adapters, ...(redirect && { redirect }), groups, admins };
    return new ThreadBench(context, (broker, emit) => threadParts({ config, manifest, numbers, broker, emit }));
  }

  private constructor(
    { client, keys }: BrokerContext,
    parts: (broker: BrokerContext, emit: ThreadBench["emit"]) => ReturnType<typeof threadParts>,
  ) {
    this.client = client;
    this.context = { client, keys, clockOffsetMs: () => this.offsetMs };
    const made = parts(this.context, this.emit);
    this.numbers = made.numbers;
    this.runner = new Runner(made, {
      post: (message) => {
        if (message.type !== "settled") return;
        this.#answers.push(...message.list);
        // Nothing is written before the test says so, but all of a run is to be answered.
        for (const { serial } of message.list) this.runner.go(serial + 1);
      },
      begin: (_slot, started) => {
        if (this.isOpen) this.begun.push(started);
        return this.isOpen;
      },
      end: () => {},
    });
    const limits = { deliveries: 1_000_000, bytes: 1 << 30 };
    this.#producer = new Producer({ ...this.context, limits, random: Math.random });
  }

  readonly emit = <N extends EventName>(name: N, fields: EventFields[N]): void => {
    this.events.push({ name, fields: fields as Record<string, unknown> });
  };

  async close(): Promise<void> {
    await closeRedis(this.client);
  }

  /** A Message, as the web chat or another service brings it in. Answers its public id. */
  async say(
    text: string,
    as: { user?: string; room?: string; admin?: true; addressed?: boolean } = {},
  ): Promise<string> {
    const { user = "web:ann", room = "web:lobby", admin, addressed = false } = as;
    const person = { id: user, name: user.slice(user.indexOf(":") + 1), ...(admin ? { admin } : {}) };
    const message = { id: randomUUID(), text, room, user: person, addressed };
    return this.add("chat", { kind: "message" }, { key: `${room}\n${user}`, payload: JSON.stringify(message) });
  }

  async add(
    queue: string,
    header: Partial<EnvelopeHeader> & { kind: Kind },
    { payload = "", route, ...more }: Partial<Omit<NewDelivery, "envelope">> & { payload?: string } = {},
  ): Promise<string> {
    const envelope = encodeEnvelope({ v: 1, ...header }, payload);
    const number = route ?? this.numbers.get(header.route ?? "") ?? 0;
    return (await this.#producer.enqueue(queue, { route: number, envelope, ...more })).id;
  }

  /** Takes, runs and settles until nothing is ready in any of the queues. Answers what the thread answered. */
  async drive(queues: readonly string[] = ["chat", "default"]): Promise<Settled[]> {
    const all: Settled[] = [];
    for (let found = true; found;) {
      found = false;
      for (const queue of queues) {
        const answered = await this.tick(queue);
        if (answered.length > 0) found = true;
        all.push(...answered);
        // What is handed back would only be taken again.
        if (answered.some(({ kind }) => kind === "interrupted")) return all;
      }
    }
    return all;
  }

  async tick(queue: string, failed?: Failure): Promise<Settled[]> {
    const runs = await this.take(queue, failed);
    const answered = await this.run(runs);
    await this.settle(queue, runs, answered);
    return answered;
  }

  async take(queue: string, failed?: Failure): Promise<OutgoingRun[]> {
    const claims = await this.claims(queue);
    const { runs } = await claims.take(TAKE);
    return runs.map((run, slot) => ({
      queue,
      wid: claims.wid,
      slot,
      claims: run.map((claim) => ({ serial: ++this.#serial, claim })),
      ...(failed === undefined ? {} : { failed }),
    }));
  }

  /** Hands runs to the thread, without waiting. */
  start(runs: readonly OutgoingRun[]): void {
    this.runner.take(unpackRuns(structuredClone(packRuns(runs))));
  }

  async run(runs: readonly OutgoingRun[]): Promise<Settled[]> {
    this.#answers = [];
    this.start(runs);
    return this.answers(runs);
  }

  async answers(runs: readonly OutgoingRun[]): Promise<Settled[]> {
    const isOver = (run: OutgoingRun): boolean => {
      const answered = this.#answers.filter(({ serial }) => run.claims.some((claim) => claim.serial === serial));
      return answered.length === run.claims.length || answered.some(({ kind }) => endsRun(kind));
    };
    await waitFor(() => runs.every(isOver), { what: "every run is answered" });
    return this.#answers.map((settled) => {
      const clone = structuredClone(settled);
      return { ...clone, effects: clone.effects.map(withBuffers) };
    });
  }

  async settle(queue: string, runs: readonly OutgoingRun[], answered: readonly Settled[]): Promise<readonly boolean[]> {
    const claims = await this.claims(queue);
    const bySerial = new Map(runs.flatMap((run) => run.claims).map(({ serial, claim }) => [serial, claim]));
    const settlements = answered.flatMap(({ serial, kind, ...rest }): Settlement[] => {
      const claim = bySerial.get(serial);
      return claim === undefined || kind === "lost" || kind === "interrupted" ? [] : [{ claim, kind, ...rest }];
    });
    return (await claims.settle(settlements)).settled;
  }

  async claims(queue: string, wid = `w-${queue}`): Promise<Claims> {
    const known = this.#claims.get(`${queue} ${wid}`);
    if (known !== undefined) return known;
    const claims = new Claims({ ...this.context, queue, wid });
    await claims.register({ clientId: "1", pod: "p" });
    this.#claims.set(`${queue} ${wid}`, claims);
    return claims;
  }

  /** What a web chat session shows. */
  async lines(session = "lobby"): Promise<Line[]> {
    const entries = await this.client.xrange(`${this.context.keys.bus()}:s:/chat/${session}`, "-", "+");
    return entries.map(([, fields]) => JSON.parse(fields[fields.indexOf("d") + 1] ?? "null") as Line);
  }

  async texts(session = "lobby"): Promise<string[]> {
    return (await this.lines(session)).map(({ text }) => text);
  }

  /** The bodies that wait in a queue, e.g. the Actions of an outbox. */
  async waiting(queue: string): Promise<unknown[]> {
    const bodies = await this.client.hgetall(`${this.context.keys.queue(queue)}:j`);
    const ids = Object.keys(bodies).sort((a, b) => Number(a) - Number(b));
    return ids.map((id) => JSON.parse((bodies[id] ?? "").split("\n").at(-1) ?? "null"));
  }

  depth(queue: string) {
    return queueDepth(this.context, queue);
  }

  dead(queue: string): Promise<DeadLetter[]> {
    return deadLetters(this.context, queue, { limit: 100 });
  }

  named(name: EventName): Record<string, unknown>[] {
    return this.events.filter((event) => event.name === name).map(({ fields }) => fields);
  }
}

/** As main does: structured clone turns Buffers into plain Uint8Arrays. */
function withBuffers(effect: Effect): Effect {
  if (effect.kind !== "child") return effect;
  return { ...effect, delivery: { ...effect.delivery, envelope: Buffer.from(effect.delivery.envelope) } };
}

/** Closed when the test ends. */
export async function openBench(options: BenchOptions): Promise<ThreadBench> {
  const bench = await ThreadBench.open(options);
  onTestFinished(() => bench.close());
  return bench;
}
