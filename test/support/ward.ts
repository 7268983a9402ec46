// A small queue in the middle of its work, for tests of the doctor: what is corrupted in it must be told, without a write, and
// mended, with nothing lost: everything runs once, each key in its order.

import { expect } from "vitest";
import type { Claims } from "../../services/broker/claims.ts";
import { type Examination, examine, type ExamineOptions, type Finding } from "../../services/broker/doctor.ts";
import { encodeEnvelope, type EnvelopeHeader } from "../../services/broker/delivery.ts";
import type { NewDelivery } from "../../services/broker/producer.ts";
import { registerRoutes } from "../../services/broker/routes.ts";
import type { RedisClient } from "../../services/redis/connect.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { deliveryNumber, publicId } from "../../services/runtime/ids.ts";
import { Bench, outcome, payloadOf, TAKE } from "./broker.ts";

export const LARGE = "x".repeat(5000);
const ROUTE = "h.route";
const HASTY = { ...systemClock, sleep: async () => {} };

export interface Expected {
  /** Codes of what is wrong, in any order. */
  readonly codes: readonly string[];
  /** What cannot run any more. */
  readonly lost?: readonly string[];
  /** Keys whose order could not be kept. */
  readonly unordered?: readonly string[];
  readonly harmless?: boolean;
}

export const numberOf = (id: string): string => deliveryNumber(id) ?? "";
export const idOf = (element: string): string => element.split(":")[1] ?? "";

export class Ward {
  readonly client: RedisClient;
  readonly bench: Bench;
  readonly prefix: string;
  readonly tag: string;
  /** Payloads that must run once, those of a key in this order. */
  added: { readonly text: string; readonly key: string }[] = [];
  route = 0;
  #workers: readonly [Claims, Claims] | undefined;

  constructor(client: RedisClient) {
    this.client = client;
    this.bench = new Bench(client);
    this.prefix = this.bench.context.keys.queue("default");
    this.tag = this.bench.context.keys.tag;
  }

  get worker(): Claims {
    return (this.#workers as readonly [Claims, Claims])[0];
  }

  get other(): Claims {
    return (this.#workers as readonly [Claims, Claims])[1];
  }

  /** Claims, keys in line, keys that wait, delays, dead letters, large bodies. */
  async prepare(): Promise<void> {
    this.route = (await registerRoutes(this.bench.context, [ROUTE])).get(ROUTE) ?? 0;
    this.#workers = [await this.bench.worker("pod.1"), await this.bench.worker("pod.2")];
    await this.#addAll([["unkeyed claimed"], ["busy 1", "busy"], ["busy 2", "busy"], ["busy 3", "busy"]]);
    await this.worker.take({ ...TAKE, run: 2 });
    await this.#addAll([
      ["will block", "parked"],
      ["behind it", "parked"],
      ["will die", "mortal"],
    ]);
    const runs = (await this.other.take({ ...TAKE, run: 1 })).runs.flat();
    for (const [text, kind] of [
      ["will block", "block"],
      ["will die", "dead"],
    ] as const) {
      const claim = runs.find((one) => payloadOf(one) === text);
      if (claim === undefined) throw new Error(`${text} was not taken`);
      await this.other.settle([outcome(claim, kind, { delayMs: 60_000, error: "no" })]);
    }
    await this.#addAll([["a1", "a"], ["a2", "a"], [LARGE, "a"], ["a4", "a"], ["u1"], ["u2"], [`${LARGE}u`]]);
    await this.add("low", { key: "low", class: 3 });
    await this.add("later", { delayMs: 60_000 });
    await this.add("later keyed", { delayMs: 60_000, key: "a" });
    expect((await this.examine()).findings).toEqual([]);
  }

  examine(options: ExamineOptions = {}): Promise<Examination> {
    return examine(this.bench.context, { clock: HASTY, ...options });
  }

  async add(text: string, more: Partial<NewDelivery> = {}): Promise<string> {
    const { key, class: priority } = more;
    const header = {
      v: 1,
      kind: "job",
      route: ROUTE,
      ...(key !== undefined && { key }),
      ...(priority !== undefined && { class: priority }),
    } as const satisfies EnvelopeHeader;
    this.added.push({ text, key: key ?? "" });
    const delivery = { route: this.route, envelope: encodeEnvelope(header, text), ...more };
    return (await this.bench.producer.enqueue("default", delivery)).id;
  }

  async #addAll(deliveries: readonly (readonly [text: string, key?: string])[]): Promise<void> {
    await Promise.all(deliveries.map(([text, key]) => this.add(text, key === undefined ? {} : { key })));
  }

  async head(key: string): Promise<string> {
    return (await this.client.lindex(`${this.prefix}:k:${key}`, 0)) ?? "";
  }

  async elementOf(list: string, id: string): Promise<string> {
    return (await this.client.lrange(list, 0, -1)).find((element) => element.includes(numberOf(id))) ?? "";
  }

  /** Told without a write; mended; sound afterwards; everything runs once and in order. */
  async toldAndMended({ codes, lost = [], unordered = [], harmless = false }: Expected): Promise<readonly Finding[]> {
    this.bench.offsetMs += 11_000; // nothing is too young to be told
    const before = await this.dump();
    const told = await this.examine();
    expect(told.findings.map(({ code }) => code).sort()).toEqual([...codes].sort());
    expect(told.isSound).toBe(harmless);
    expect(await this.dump()).toEqual(before);
    const mended = await this.examine({ repair: true });
    expect(mended.isSound).toBe(true);
    expect(mended.findings.length).toBeGreaterThan(0);
    expect((await this.examine()).findings).toEqual([]);
    const dead = await this.client.zcard(`${this.prefix}:x`);
    const done = await this.runEverything();
    const due = this.added.filter(({ text }) => !lost.includes(text) && !(text === "will die" && dead > 0));
    expect([...done].sort()).toEqual(due.map(({ text }) => text).sort());
    for (const key of new Set(due.map((one) => one.key))) {
      if (key === "" || unordered.includes(key)) continue;
      const order = due.filter((one) => one.key === key).map(({ text }) => text);
      expect(done.filter((text) => order.includes(text))).toEqual(order);
    }
    expect((await this.examine()).findings).toEqual([]);
    return mended.findings;
  }

  /** Everything in the namespace, and whether it expires. (DUMP tells hashes in the order of their buckets, which changes.) */
  async dump(): Promise<Map<string, unknown>> {
    const keys = (await this.client.keys(`${this.tag.replace(/[{}]/g, "?")}:*`)).sort();
    const values = await Promise.all(
      keys.map(async (key) => [await this.#contentOf(key), (await this.client.pttl(key)) === -1]),
    );
    return new Map(keys.map((key, index) => [key, values[index]]));
  }

  async #contentOf(key: string): Promise<unknown> {
    const type = await this.client.type(key);
    if (type === "hash") return this.client.hgetall(key);
    if (type === "set") return (await this.client.smembers(key)).sort();
    if (type === "zset") return this.client.zrange(key, "0", "-1", "WITHSCORES");
    return type === "list" ? this.client.lrange(key, 0, -1) : this.client.get(key);
  }

  /** Those who hold claims finish them; then one last worker takes and finishes all the rest. In the order that it ran. */
  async runEverything(): Promise<string[]> {
    const done: string[] = [];
    for (const claims of [this.worker, this.other]) done.push(...(await this.#finish(claims)));
    const last = await this.bench.worker("pod.last");
    for (let idle = 0; idle < 3;) {
      this.bench.offsetMs += 61_000;
      await last.beat();
      const { runs } = await last.take({ ...TAKE, slots: 50 });
      done.push(...(await this.#finish(last)));
      idle = runs.length === 0 ? idle + 1 : 0;
    }
    return done;
  }

  async #finish(claims: Claims): Promise<string[]> {
    const done: string[] = [];
    for (const claim of await claims.held().catch(() => [])) {
      const large = `${this.prefix}:b:${claim.bodyToken}`;
      const body = claim.bodyToken === "" ? claim.body : await this.client.getBuffer(large);
      const origin = await this.#originOf(claim.id);
      const { settled } = await claims.settle([outcome(claim, body ? "done" : "gone", { origin })]);
      if (settled[0] && body) done.push(payloadOf({ ...claim, body }));
    }
    return done;
  }

  async #originOf(number: string): Promise<string> {
    const moved = Object.entries(await this.client.hgetall(`${this.prefix}:o`));
    return moved.find(([, present]) => present === number)?.[0] ?? publicId(number);
  }
}
