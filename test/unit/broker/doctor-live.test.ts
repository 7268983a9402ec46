// The doctor beside work that goes on: it finds nothing in a sound namespace, however fast things move, and a repair of what is
// broken there disturbs nothing.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Claim, Claims } from "../../../services/broker/claims.ts";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { type ExamineOptions, type Examination, examine } from "../../../services/broker/doctor.ts";
import { cancelDelivery, editDelivery } from "../../../services/broker/jobs.ts";
import { setRouteLimits } from "../../../services/broker/limits.ts";
import { pause, resume } from "../../../services/broker/pauses.ts";
import { registerRoutes } from "../../../services/broker/routes.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { publicId } from "../../../services/runtime/ids.ts";
import { Bench, outcome, payloadOf } from "../../support/broker.ts";
import { BrokerModel } from "../../support/broker-model.ts";
import { seeded } from "../../support/seeded.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

/** Little is done; a machine that does other things needs long for it. */
const SLOW = { timeout: 60_000 };
const KEYS = ["a", "b", "c", "d", "e"];

/** Workers and producers that do everything there is to do, until told to stop. */
class Load {
  readonly bench: Bench;
  readonly done = new Map<string, number>();
  /** Payload -> key. */
  readonly sent = new Map<string, string>();
  readonly #random = seeded(7);
  readonly #ids: string[] = [];
  readonly #gone = new Set<string>();
  readonly #order = new Map<string, number>();
  #route = 0;
  #stopping = false;
  #work: Promise<unknown> = Promise.resolve();

  constructor(bench: Bench) {
    this.bench = bench;
  }

  async start(): Promise<void> {
    this.#route = (await registerRoutes(this.bench.context, ["h.route"])).get("h.route") ?? 0;
    const workers = await Promise.all(["pod.1", "pod.2", "pod.3"].map((wid) => this.bench.worker(wid)));
    this.#work = Promise.all([...workers.map((worker) => this.#runs(worker)), this.#produces(), this.#operates()]);
  }

  /** Everything that was sent has run by then. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#work;
  }

  async #produces(): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      await Promise.all(Array.from({ length: 20 }, (_, index) => this.add(`${n}.${index}`)));
      while (!this.#stopping && (await this.#stored()) > 200) await this.bench.context.client.ping();
    }
  }

  async add(text: string): Promise<string> {
    const random = this.#random;
    const key = random() < 0.6 ? KEYS[Math.floor(random() * KEYS.length)] : undefined;
    const header = { v: 1, kind: "job", route: "h.route", ...(key !== undefined && { key }) } as const;
    const after = random() < 0.1 ? this.#ids.at(-1) : undefined;
    this.sent.set(text, key ?? "");
    const { id } = await this.bench.producer.enqueue("default", {
      route: this.#route,
      envelope: encodeEnvelope(header, random() < 0.1 ? `${text} ${"x".repeat(3000)}` : text),
      ...(key !== undefined && { key }),
      ...(random() < 0.1 && { delayMs: 1 + Math.floor(random() * 50) }),
      ...(after !== undefined && { after: [after] }),
      ...(random() < 0.1 && { uid: { id: text, ttlMs: 60_000 } }),
    });
    this.#ids.push(id);
    if (this.#ids.length > 100) this.#ids.shift();
    return id;
  }

  async #operates(): Promise<void> {
    const { context } = this.bench;
    for (let n = 0; !this.#stopping; n++) {
      const id = this.#ids[Math.floor(this.#random() * this.#ids.length)];
      if (id !== undefined && n % 3 === 0 && (await cancelDelivery(context, id)) === "cancelled") this.#gone.add(id);
      if (id !== undefined && n % 3 === 1) await editDelivery(context, id, { class: 2, delayMs: n % 2 });
      const limits = n % 2 === 0 ? { rate: { limit: 500, perMs: 1000, by: "key" as const }, concurrency: 20 } : null;
      if (n % 5 === 0) await setRouteLimits(context, new Map([[this.#route, limits]]));
      if (n % 7 === 0) await pause(context, "default", { kind: "key", key: "a" });
      if (n % 7 === 3) await resume(context, "default", { kind: "key", key: "a" });
    }
    await setRouteLimits(context, new Map([[this.#route, null]]));
    await resume(context, "default", { kind: "key", key: "a" });
  }

  async #runs(worker: Claims): Promise<void> {
    for (let idle = 0; !this.#stopping || (await this.#stored()) > 0;) {
      const { runs } = await worker.take({ slots: 10, run: 4, order: "0123" });
      for (const run of runs) await this.#settle(worker, run);
      if (runs.length > 0 || ++idle % 20 > 0) continue;
      const { held } = await worker.beat();
      if (held > 0) for (const claim of await worker.held()) await this.#settle(worker, [claim]); // it lost count of them
    }
  }

  #stored(): Promise<number> {
    const { client, keys } = this.bench.context;
    return client.hlen(`${keys.queue("default")}:j`);
  }

  async #settle(worker: Claims, run: readonly Claim[]): Promise<void> {
    for (const claim of run) {
      const body = claim.bodyToken === "" ? claim.body : await this.#large(claim);
      const fails = body !== null && claim.element.attempts === 0 && this.#random() < 0.1;
      const kind = body === null ? "gone" : fails ? (this.#random() < 0.5 ? "block" : "skip") : "done";
      const origin = await this.#originOf(claim, body);
      const { settled } = await worker.settle([
        outcome(claim, kind, { origin, delayMs: 20, error: "no", history: kind === "done" ? "a line" : "" }),
      ]);
      if (settled[0] !== true || fails) return void (await this.#drop(worker, run, claim));
      if (body !== null) this.#ran(payloadOf({ ...claim, body }));
    }
  }

  /** What follows a failure in its run is no more this worker's, or goes back. */
  async #drop(worker: Claims, run: readonly Claim[], failed: Claim): Promise<void> {
    await worker.release(run.slice(run.indexOf(failed) + 1));
  }

  #ran(payload: string): void {
    const text = payload.split(" ")[0] ?? "";
    this.done.set(text, (this.done.get(text) ?? 0) + 1);
    this.#order.set(text, this.#order.size);
  }

  #large(claim: Claim): Promise<Buffer | null> {
    const { client, keys } = this.bench.context;
    return client.getBuffer(keys.body(keys.queue("default"), claim.bodyToken));
  }

  async #originOf(claim: Claim, body: Buffer | null): Promise<string> {
    return /"origin":"(\w+)"/.exec(body?.toString() ?? "")?.[1] ?? publicId(claim.id);
  }

  get cancelled(): number {
    return this.#gone.size;
  }
}

eachServer((_name, url) => {
  let client: RedisClient;
  let bench: Bench;
  let load: Load;
  let p: string;

  beforeAll(() => {
    client = openRedis({ url: url(), name: "doctor", purpose: "commands", onState: () => {} });
  });
  afterAll(() => closeRedis(client));
  beforeEach(async () => {
    bench = new Bench(client);
    p = bench.context.keys.queue("default");
    load = new Load(bench);
    await load.start();
  });

  afterEach(() => load.stop());

  /** Limits that come and go leave what is harmless. */
  const problemsOf = ({ findings }: Examination): string[] =>
    findings.flatMap(({ harmless, sentence }) => (harmless ? [] : [sentence]));
  const look = (options?: ExamineOptions): Promise<Examination> => examine(bench.context, options);

  test("a sound namespace is found sound under load", SLOW, async () => {
    for (let n = 0; n < 5; n++) expect(problemsOf(await look())).toEqual([]);
    for (let n = 0; n < 3; n++) expect(problemsOf(await look({ repair: true }))).toEqual([]);
    await load.stop();
    const doubles = [...load.done].filter(([, times]) => times > 1);
    expect(doubles).toEqual([]);
    expect(load.done.size + load.cancelled).toBe(load.sent.size);
    expect(load.done.size).toBeGreaterThan(500);
    expect(problemsOf(await look())).toEqual([]);
  });

  test("what breaks under load is mended under load, and everything runs once", SLOW, async () => {
    await waitFor(() => load.done.size > 100);
    const id = await load.add("astray"); // may be anywhere by now
    await client
      .multi()
      .rpush(`${p}:r1`, "nothing", "b", "c")
      .zadd(`${p}:d`, 5, "Kd")
      .zadd(`${p}:d`, "NX", 9e15, "Ke")
      .hincrby(`${p}:m`, "bodyBytes", 5)
      .exec();
    expect(id).toMatch(/^\w+$/);
    const work = { goesOn: true };
    const stopped = waitFor(async () => (await look({ repair: true })).isSound, { timeoutMs: 20_000 })
      .then(() => load.stop())
      .finally(() => (work.goesOn = false));
    while (work.goesOn) await look({ repair: true });
    await stopped;
    expect((await look({ repair: true })).isSound).toBe(true);
    expect([...load.done].filter(([, times]) => times > 1)).toEqual([]);
    const bytes = await client.hget(`${p}:m`, "bodyBytes");
    expect(Number(bytes)).toBe(0);
    expect(load.done.size + load.cancelled).toBe(load.sent.size);
  });

  test("beside crashes, zombies and lost replies it finds nothing", SLOW, async () => {
    await load.stop();
    const seen = new Set<string>();
    for (let seed = 1; seed <= 6; seed++) {
      const context = new Bench(client).context;
      const work = { goesOn: true };
      const model = new BrokerModel(context, seed).run(150).finally(() => (work.goesOn = false));
      while (work.goesOn)
        for (const { code, harmless } of (await examine(context)).findings) if (!harmless) seen.add(code);
      await model;
      for (const { code, harmless } of (await examine(context)).findings) if (!harmless) seen.add(code);
    }
    for (const code of ["worker-immortal", "grace-for-ever"]) seen.delete(code); // the model's clock is ahead of this one
    expect([...seen]).toEqual([]);
  });
});
