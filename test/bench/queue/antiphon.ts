// Antiphon as a subject: the producer, or the handler side of a worker as the mode composes it, without HTTP.

import { fileURLToPath } from "node:url";
import { setEnvironmentData } from "node:worker_threads";
import { Claims, type Settlement } from "../../../services/broker/claims.ts";
import { decodeEnvelope, encodeEnvelope } from "../../../services/broker/delivery.ts";
import { Producer } from "../../../services/broker/producer.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { readConfig } from "../../../services/config/read.ts";
import { openRedis } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { publicId, randomId } from "../../../services/runtime/ids.ts";
import { startAll } from "../../../services/runtime/part.ts";
import { Connections } from "../../../services/worker/connections.ts";
import { handlingParts } from "../../../services/worker/handling.ts";
import { Pulse } from "../../../services/worker/pulse.ts";
import type { Body } from "./body.ts";
import type { Item, Loops, Work } from "./protocol.ts";
import { serve } from "./serve.ts";
import { Tally } from "./tally.ts";

const NAMESPACE = "bench";
const QUEUE = "default";
const ROUTE = "bench.count";
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const HANDLERS = fileURLToPath(new URL("./handlers/bench.ts", import.meta.url));
const LIMITS = { deliveries: 10_000_000, bytes: 2 ** 34 };

let url = "";
let route = 0;
let producer: Producer | undefined;

async function open(server: string): Promise<void> {
  url = server;
  const client = openRedis({ url, name: "bench", purpose: "commands", onState: () => {} });
  const broker = { client, keys: new Keys(NAMESPACE, 0) };
  route = (await registerRoutes(broker, [ROUTE])).get(ROUTE) ?? 0;
  producer = new Producer({ ...broker, limits: LIMITS, random: Math.random });
}

async function enqueue(batch: readonly Item[]): Promise<unknown> {
  const deliveries = batch.map(({ body, key, delayMs }) => {
    const header = { v: 1, kind: "job", route: ROUTE } as const;
    return { route, envelope: encodeEnvelope(header, JSON.stringify(body)), key, delayMs };
  });
  return producer?.enqueueAll(QUEUE, deliveries);
}

/** A quarter of the slots is for chat. */
async function work({ slots }: Work, memory: SharedArrayBuffer): Promise<void> {
  setEnvironmentData("tally", memory);
  const env = {
    REDIS_URL: url,
    ANTIPHON_NAMESPACE: NAMESPACE,
    ANTIPHON_HANDLERS: HANDLERS,
    ANTIPHON_WORKER_CONCURRENCY: String(slots + Math.max(4, Math.ceil(slots / 3))),
    LOG_LEVEL: "error",
  };
  const config = await readConfig("worker", { env, cwd: ROOT, cores: 2, terminal: false, dev: false });
  const pulse = new Pulse();
  const common = { pulse, pod: "bench", clock: systemClock, random: Math.random, emit: () => {} };
  const connections = new Connections({ ...common, url });
  const broker = { client: connections.commands, keys: new Keys(NAMESPACE, 0) };
  const handling = handlingParts({
    ...common,
    config,
    connections,
    broker,
    cwd: ROOT,
    database: 0,
    clockOffset: new Float64Array(new SharedArrayBuffer(8)),
    beside: [],
    draining: () => {},
    stopping: new AbortController().signal,
  });
  await startAll([connections, ...handling]);
}

/** What a worker does, without threads: settles what it has and takes the next in one round trip. */
async function loops(order: Loops, memory: SharedArrayBuffer): Promise<void> {
  const tally = new Tally(memory);
  const client = openRedis({ url, name: "bench-loops", purpose: "commands", onState: () => {} });
  const broker = { client, keys: new Keys(NAMESPACE, 0) };
  for (let index = 0; index < order.loops; index++) {
    const claims = new Claims({ ...broker, queue: QUEUE, wid: `bench.${randomId()}` });
    await claims.register({ clientId: "0", pod: "bench" });
    void loop(claims, tally, order.batch);
  }
}

async function loop(claims: Claims, tally: Tally, slots: number): Promise<void> {
  const order = { slots, run: 4, order: "1023" };
  let { runs } = await claims.take(order);
  while (runs.length > 0 && !tally.isOver) {
    const settlements = runs.flat().map((claim): Settlement => {
      const { header, payload } = decodeEnvelope(claim.body as Buffer);
      tally.handled((JSON.parse(payload.toString()) as Body).stamp);
      const id = publicId(claim.id);
      const history = JSON.stringify({
        id,
        kind: header.kind,
        routes: [ROUTE],
        outcome: "done",
        at: Date.now(),
        ms: 0,
      });
      return { claim, kind: "done", origin: id, effects: [], history };
    });
    const { taken } = await claims.settle(settlements, order);
    runs = taken?.runs ?? [];
  }
}

serve({ open, enqueue, work, loops });
