// The handler side of a real worker in this process, without HTTP: real threads, real Redis, the handlers of test/fixtures.

import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrokerContext } from "../../services/broker/connection.ts";
import { encodeEnvelope, type EnvelopeHeader } from "../../services/broker/delivery.ts";
import { type NewDelivery, Producer } from "../../services/broker/producer.ts";
import { registerRoutes } from "../../services/broker/routes.ts";
import type { Config } from "../../services/config/config.ts";
import { readConfig } from "../../services/config/read.ts";
import { closeRedis, openRedis } from "../../services/redis/connect.ts";
import { Keys } from "../../services/redis/keys.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { startAll, stopAll } from "../../services/runtime/part.ts";
import { Connections } from "../../services/worker/connections.ts";
import { handlingParts } from "../../services/worker/handling.ts";
import { Pulse } from "../../services/worker/pulse.ts";

export interface Told {
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface HandlingWorker {
  readonly told: Told[];
  readonly pulse: Pulse;
  stop(): Promise<void>;
}

export interface LabPlace {
  readonly namespace: string;
  readonly folder: string;
}

export interface LabOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly handlers?: string;
  /** Where its workers find Redis, if not where the Lab does. */
  readonly url?: string;
  /** Stops it before it has started. */
  readonly stop?: AbortSignal;
  readonly pod?: string;
  /** An operator wants it to stop. */
  readonly toStop?: () => void;
}

export interface LabDelivery extends Partial<NewDelivery> {
  readonly ms?: number;
  readonly queue?: string;
  readonly header?: Partial<EnvelopeHeader>;
}

function newFolder(): string {
  return mkdtempSync(join(tmpdir(), "antiphon-lab-"));
}

/** One bot: a namespace, a journal that its handlers write, and workers. */
export class Lab {
  readonly namespace: string;
  readonly broker: BrokerContext;
  readonly #url: string;
  readonly #folder: string;
  readonly #producer: Producer;
  readonly #workers = new Set<HandlingWorker>();

  /** `of`: another Lab whose bot this is, too. */
  constructor(url: string, of: LabPlace = { namespace: `lab-${randomId()}`, folder: newFolder() }) {
    this.#url = url;
    this.namespace = of.namespace;
    this.#folder = of.folder;
    const client = openRedis({ url, name: "lab", purpose: "commands", onState: () => {} });
    this.broker = { client, keys: new Keys(this.namespace, 0) };
    const limits = { deliveries: 1e6, bytes: 1e9 };
    this.#producer = new Producer({ ...this.broker, limits, random: Math.random });
    appendFileSync(this.journal, "");
  }

  get place(): LabPlace {
    return { namespace: this.namespace, folder: this.#folder };
  }

  get journal(): string {
    return join(this.#folder, "journal");
  }

  /** What the handlers wrote. */
  get lines(): string[] {
    return readFileSync(this.journal, "utf8").split("\n").slice(0, -1);
  }

  /** Lets the runs of `lab.hold` end. */
  openGate(): void {
    appendFileSync(`${this.journal}.open`, "");
  }

  /** Enqueues the job `lab.<what>`; resolves with its public id. */
  async enqueue(what: string, name: string, options: LabDelivery = {}): Promise<string> {
    const { ms = 0, queue = "default", header: more, ...rest } = options;
    const route = `lab.${what}`;
    const number = (await registerRoutes(this.broker, [route])).get(route) ?? 0;
    const header = { v: 1, kind: "job", route, ...more } as const;
    const envelope = encodeEnvelope(header, JSON.stringify({ name, ms }));
    return (await this.#producer.enqueue(queue, { route: number, envelope, ...rest })).id;
  }

  /** Resolves when it takes deliveries. */
  async work(options: LabOptions = {}): Promise<HandlingWorker> {
    const worker = await startHandling(await this.#config(options), options);
    this.#workers.add(worker);
    return worker;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.stop()));
    await closeRedis(this.broker.client);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #config({
    env = {},
    handlers = "test/fixtures/handlers/lab.ts",
    url = this.#url,
  }: LabOptions): Promise<Config> {
    const variables = {
      REDIS_URL: url,
      ANTIPHON_NAMESPACE: this.namespace,
      ANTIPHON_HANDLERS: handlers,
      ANTIPHON_HANDLER_LAB_JOURNAL: this.journal,
      ANTIPHON_DRAIN_MS: "3000",
      LOG_LEVEL: "error",
      ...env,
    };
    return readConfig("worker", { env: variables, cwd: REPOSITORY, cores: 2, terminal: false, dev: false });
  }
}

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

async function startHandling(config: Config, options: LabOptions): Promise<HandlingWorker> {
  const { stop, pod = "test", toStop = () => {} } = options;
  const told: Told[] = [];
  const pulse = new Pulse();
  const stopping = stop ?? new AbortController().signal;
  const common = {
    pulse,
    pod,
    toStop,
    clock: systemClock,
    random: Math.random,
    emit: (name: string, fields: object) => void told.push({ name, fields: { ...fields } }),
  };
  const connections = new Connections({ ...common, url: config.redisUrl ?? "" });
  const broker = { client: connections.commands, keys: new Keys(config.namespace, 0) };
  const parts = [
    connections,
    ...handlingParts({
      ...common,
      config,
      connections,
      broker,
      cwd: REPOSITORY,
      database: 0,
      clockOffset: new Float64Array(new SharedArrayBuffer(8)),
      memory: { oldMb: 64, youngMb: 8 },
      beside: [],
      draining: () => {},
      stopping,
    }),
  ];
  await startAll(parts);
  let stopped: Promise<void> | undefined;
  return { told, pulse, stop: () => (stopped ??= stopAll(parts, config.drainMs + 5000)) };
}
