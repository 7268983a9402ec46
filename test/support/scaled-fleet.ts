// A Deployment of workers on the small API server whose pods are registered in a real Redis, and a scaler's leader beside it.

import { randomUUID } from "node:crypto";
import { Claims, type Claim } from "../../services/broker/claims.ts";
import { type Client, openClient } from "../../services/kubernetes/client.ts";
import type { Tenure } from "../../services/leader/duty.ts";
import { Occurrences } from "../../services/master/occurrences.ts";
import { Rivals } from "../../services/master/rivals.ts";
import { ScaledPool } from "../../services/master/scaled-pool.ts";
import type { RedisClient } from "../../services/redis/connect.ts";
import { AntiphonError } from "../../services/runtime/errors.ts";
import { ApiServer, type Request } from "./api-server.ts";
import { Bench, outcome } from "./broker.ts";
import { ManualClock } from "./manual-clock.ts";

export interface ToldFact {
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const TARGET = { pool: "default", deployment: "worker", min: 2, max: 10 };
export const COST = "controller.kubernetes.io/pod-deletion-cost";
export const MARK = "antiphon.dev/scale-in";

export class Fleet {
  readonly api: ApiServer;
  readonly bench: Bench;
  readonly clock = new ManualClock();
  readonly told: ToldFact[] = [];
  readonly #client: Client;
  readonly #workers = new Map<string, Claims>();
  #registered: Promise<unknown> = Promise.resolve();
  #epoch = 0;

  private constructor(api: ApiServer, client: Client, redis: RedisClient) {
    this.api = api;
    this.#client = client;
    this.bench = new Bench(redis, `scaled-${randomUUID()}`);
    api.onPod = (pod, what) => {
      if (what !== "started") return;
      this.#registered = Promise.all([this.#registered, this.register(pod.name)]);
    };
  }

  static async of(redis: RedisClient, replicas: number): Promise<Fleet> {
    const api = await new ApiServer().start();
    const fleet = new Fleet(api, await openClient({ place: api.place(), now: Date.now }), redis);
    api.deploy("worker", replicas);
    await fleet.#registered;
    return fleet;
  }

  async stop(): Promise<void> {
    await this.#client.close();
    await this.api.stop();
  }

  /** As a new process of that pod. */
  async register(pod: string): Promise<void> {
    const claims = new Claims({ ...this.bench.context, queue: "default", wid: `${pod}.${randomUUID()}` });
    this.#workers.set(pod, claims);
    await claims.register({ clientId: "1", pod });
  }

  /** The scaler of the next leader; that of the one before is fenced. */
  async lead(): Promise<ScaledPool> {
    const { clock, bench } = this;
    const epoch = String(++this.#epoch);
    await bench.context.client.set(bench.context.keys.epoch("control"), epoch);
    const held = (): boolean => epoch === String(this.#epoch);
    const tenure: Tenure = {
      unit: "control",
      epoch,
      signal: new AbortController().signal,
      held,
      confirmed: async () => held(),
      assert: () => {
        if (!held()) throw new AntiphonError("FENCED", "");
      },
    };
    const emit = (name: string, fields: object): void => void this.told.push({ name, fields: { ...fields } });
    const cluster = this.#client;
    const occurrences = new Occurrences({ cluster, clock, emit });
    const rivals = new Rivals({ cluster, clock, failed: (error) => occurrences.failed(error) });
    const pace = { calmMs: 5_000, stepMs: 2_000 };
    const around = { cluster, broker: bench.context, tenure, clock, random: Math.random, emit };
    return new ScaledPool({ ...around, target: TARGET, rivals, occurrences, pace });
  }

  /** Seconds pass, in each of which the pool looks at its figures. */
  async pass(pool: ScaledPool, seconds: number, required: number | undefined): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await pool.step(required);
      await this.clock.advance(1_000);
    }
    await this.#registered;
  }

  /** A pod takes deliveries and does not finish them. */
  async hold(pod: string, deliveries: number): Promise<Claim[]> {
    for (let delivery = 0; delivery < deliveries; delivery++) await this.bench.add("x");
    const { runs } = await this.#worker(pod).take({ slots: deliveries, run: 1, order: "0123" });
    return runs.flat();
  }

  async finish(pod: string, claims: readonly Claim[]): Promise<void> {
    await this.#worker(pod).settle(claims.map((claim) => outcome(claim, "done")));
  }

  /** What a worker hears with its next beat. */
  async order(pod: string): Promise<string> {
    return (await this.#worker(pod).beat()).order;
  }

  /** Of the pods that are there. */
  async quieted(): Promise<string[]> {
    const pods = this.api.podsOf("worker").map(({ name }) => name);
    const orders = await Promise.all(pods.map((pod) => this.order(pod)));
    return pods.filter((_pod, index) => orders[index] === "quiet");
  }

  marked(): string[] {
    const pods = this.api.podsOf("worker");
    return pods.filter(({ annotations }) => annotations[MARK] ?? annotations[COST]).map(({ name }) => name);
  }

  get replicas(): number {
    return this.api.deployments.get("worker")?.replicas ?? 0;
  }

  asked(method: string, path: RegExp): Request[] {
    return this.api.requests.filter((request) => request.method === method && path.test(request.path));
  }

  of(name: string): Readonly<Record<string, unknown>>[] {
    return this.told.filter((fact) => fact.name === name).map(({ fields }) => fields);
  }

  #worker(pod: string): Claims {
    const claims = this.#workers.get(pod);
    if (claims === undefined) throw new Error(`no worker ${pod}`);
    return claims;
  }
}
