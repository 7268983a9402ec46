// A random schedule of everything workers, crashes, zombies and lost replies can do to one queue, checked after each step.

import { Claims, type Claim, type ClaimRef, type SettleKind, type Settlement } from "../../services/broker/claims.ts";
import type { BrokerContext } from "../../services/broker/connection.ts";
import { encodeEnvelope } from "../../services/broker/delivery.ts";
import { deadLetters, purgeDead } from "../../services/broker/dead.ts";
import { writeEffects, type Effect } from "../../services/broker/effects.ts";
import { cancelDelivery, editDelivery } from "../../services/broker/jobs.ts";
import { setRouteLimits } from "../../services/broker/limits.ts";
import { pause, resume } from "../../services/broker/pauses.ts";
import { Producer } from "../../services/broker/producer.ts";
import { registerRoutes } from "../../services/broker/routes.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { hasCode } from "../../services/runtime/errors.ts";
import { deliveryNumber, publicId } from "../../services/runtime/ids.ts";
import {
  drawDelivery,
  EFFECTS_QUEUE,
  KEYS,
  KINDS,
  LIMITS,
  type ModelCounts,
  PAUSES,
  QUEUE,
  runsOf,
  unlessFenced,
  type Worker,
} from "./model-worker.ts";
import { losingReplies } from "./faulty-client.ts";
import { seeded } from "./seeded.ts";
import { type Dump, dump, leftOver, limitProblems, stepProblems, problemsOf } from "./broker-dump.ts";

export class BrokerModel {
  readonly counts: ModelCounts = { steps: 0, enqueued: 0, settled: 0, zombieSettles: 0 };
  readonly #random: () => number;
  readonly #context: BrokerContext;
  readonly #producer: Producer;
  readonly #workers: Worker[] = [];
  readonly #live = new Set<string>();
  readonly #finished = new Set<string>();
  readonly #uids = new Map<string, string>();
  /** Cancelled, or moved to another number; what is left of them is settled unrun. */
  readonly #tombstones = new Set<string>();
  /** Number -> number that its sender was told. */
  readonly #origins = new Map<string, string>();
  /** Number -> numbers of the deliveries it waits for. */
  readonly #after = new Map<string, readonly string[]>();
  readonly #paused = new Set<string>();
  /** Most deliveries at a time; 0 = any. */
  #concurrency: number;
  #offsetMs = 0;
  #last: Dump | undefined;
  #log: string[] = [];

  constructor(context: Omit<BrokerContext, "clockOffsetMs">, seed: number) {
    this.#random = seeded(seed);
    this.#concurrency = this.#random() < 0.3 ? 1 + Math.floor(this.#random() * 4) : 0;
    this.#context = { ...context, clockOffsetMs: () => this.#offsetMs };
    this.#producer = new Producer({
      ...this.#context,
      client: losingReplies(context.client, this.#random),
      limits: LIMITS,
      random: this.#random,
      clock: { ...systemClock, sleep: async () => {} },
    });
  }

  /** Runs `steps` random steps, then lets one last worker finish everything. Throws with the schedule when a check fails. */
  async run(steps: number): Promise<ModelCounts> {
    try {
      await registerRoutes(this.#context, ["model.route"]); // the first one, so number 1
      if (this.#concurrency > 0)
        await setRouteLimits(this.#context, new Map([[1, { concurrency: this.#concurrency }]]));
      for (let step = 0; step < steps; step++) await this.#step();
      await this.#finishEverything();
    } catch (error) {
      throw new Error(
        `${error instanceof Error ? error.message : String(error)}\n  ${this.#log.slice(-25).join("\n  ")}`,
        { cause: error },
      );
    }
    return this.counts;
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }

  async #step(): Promise<void> {
    const roll = this.#random();
    const worker = await this.#worker();
    if (this.#paused.size > 0 && this.#random() < 0.3) await this.#resume();
    else if (roll < 0.16) await this.#enqueue();
    else if (roll < 0.18) await this.#cancel();
    else if (roll < 0.21) await this.#move();
    else if (roll < 0.23) await this.#pause();
    else if (roll < 0.42) await this.#take(worker);
    else if (roll < 0.66) await this.#settle(worker);
    else if (roll < 0.76) await this.#replay();
    else if (roll < 0.8) await this.#effect(worker);
    else if (roll < 0.88) await this.#release(worker);
    else if (roll < 0.92) await this.#beat(worker);
    else if (roll < 0.96) await this.#passTime();
    else if (roll < 0.975) await this.#resync(worker);
    else await this.#leave(worker);
    this.counts.steps++;
    await this.#check();
  }

  async #worker(): Promise<Worker> {
    const here = this.#workers.filter((worker) => !worker.gone);
    if (here.length > 2 || (here.length > 0 && this.#random() < 0.9)) return this.#pick(here);
    const claims = new Claims({ ...this.#context, queue: QUEUE, wid: `w${this.#workers.length}` });
    await claims.register({ clientId: "0", pod: "model" });
    const worker: Worker = { claims, runs: [], sent: [], past: [], gone: false };
    this.#workers.push(worker);
    return worker;
  }

  async #enqueue(): Promise<void> {
    const delivery = drawDelivery(this.#random, () => (this.#live.size > 0 ? this.#anyId() : undefined));
    const uid = delivery.uid?.id;
    const count = 1 + Math.floor(this.#random() * 3);
    const answers = await Promise.all(Array.from({ length: count }, () => this.#producer.enqueue(QUEUE, delivery)));
    this.#log.push(`enqueue ${count} key=${JSON.stringify(delivery.key)} delay=${delivery.delayMs ?? 0}`);
    for (const { id, duplicate } of answers) {
      const number = deliveryNumber(id) ?? "";
      if (uid && this.#uids.has(uid) && (this.#uids.get(uid) !== number || !duplicate))
        throw new Error(`uid ${uid} came twice`);
      if (uid) this.#uids.set(uid, number);
      if (duplicate) continue;
      if (this.#live.has(number) || this.#finished.has(number)) throw new Error(`id ${number} was given twice`);
      this.#live.add(number);
      if (delivery.after)
        this.#after.set(
          number,
          delivery.after.map((before) => deliveryNumber(before) ?? ""),
        );
      this.counts.enqueued++;
    }
  }

  /** The public id of something that has not ended. */
  #anyId(): string {
    return publicId(this.#originOf(this.#pick([...this.#live])));
  }

  /** What others wait for, if there is any: what becomes of it matters to them. */
  #awaited(): string[] {
    const before = new Set([...this.#after.values()].flat());
    const awaited = [...this.#live].filter((number) => before.has(this.#originOf(number)));
    return awaited.length > 0 ? awaited : [...this.#live];
  }

  #originOf(number: string): string {
    return this.#origins.get(number) ?? number;
  }

  async #cancel(): Promise<void> {
    if (this.#live.size === 0) return;
    const number = this.#pick([...this.#live]);
    const answer = await cancelDelivery(this.#context, publicId(this.#originOf(number)));
    this.#log.push(`cancel ${number}: ${answer}`);
    if (answer === "unknown") throw new Error(`${number} is not found`);
    if (answer === "cancelled") this.#bury(number);
  }

  #bury(number: string): void {
    this.#live.delete(number);
    this.#tombstones.add(number);
  }

  async #move(): Promise<void> {
    if (this.#live.size === 0) return;
    const number = this.#pick(this.#random() < 0.5 ? this.#awaited() : [...this.#live]);
    const origin = this.#originOf(number);
    const delayMs = this.#pick([0, 800]);
    const answer = await editDelivery(this.#context, publicId(origin), { class: this.#pick([0, 1, 2, 3]), delayMs });
    this.#log.push(`move ${number}: ${answer}`);
    if (answer === "unknown") throw new Error(`${number} is not found`);
    if (answer !== "edited") return;
    const present = await this.#context.client.hget(`${this.#context.keys.queue(QUEUE)}:o`, publicId(origin));
    if (present === null || this.#live.has(present)) throw new Error(`${number} was moved to ${present}`);
    this.#bury(number);
    this.#live.add(present);
    this.#origins.set(present, origin);
  }

  async #pause(): Promise<void> {
    const what = this.#pick(PAUSES);
    this.#log.push(`pause ${what.kind}`);
    await pause(this.#context, QUEUE, what);
    this.#paused.add(what.kind);
  }

  async #resume(): Promise<void> {
    for (const what of PAUSES) {
      if (this.#paused.has(what.kind)) await resume(this.#context, QUEUE, what);
      this.#paused.delete(what.kind);
    }
    this.#log.push("resume");
  }

  /** What may not be claimed now, was not. */
  #checkTaken(runs: readonly (readonly Claim[])[]): void {
    for (const claim of runs.flat()) {
      if (this.#paused.has("queue") || this.#paused.has("route")) throw new Error(`${claim.id} was taken in a pause`);
      if (this.#paused.has("key") && claim.key === KEYS[0])
        throw new Error(`${claim.id} was taken though its key is paused`);
      if (this.#tombstones.has(claim.id)) continue;
      const before = this.#after.get(this.#originOf(claim.id)) ?? [];
      const pending = [...this.#live].filter((id) => before.includes(this.#originOf(id)));
      if (pending.length > 0) throw new Error(`${claim.id} was taken before ${pending.join()} had ended`);
    }
  }

  async #take(worker: Worker): Promise<void> {
    const options = {
      slots: 1 + Math.floor(this.#random() * 4),
      run: this.#pick([1, 2, 4]),
      order: this.#pick(["0123", "1023", "3210"]),
    };
    const taken = await unlessFenced(worker.claims.take(options));
    this.#log.push(
      `${worker.claims.wid} takes ${taken?.runs.map((run) => run.map((c) => c.id)).join(" | ") ?? "FENCED"}`,
    );
    if (taken) this.#checkTaken(taken.runs);
    worker.past.push(...(taken?.runs.flat() ?? []));
    if (!taken) worker.gone = true;
    else if (this.#random() < 0.95) worker.runs.push(...taken.runs.map((run) => [...run])); // else the reply was lost
  }

  async #settle(worker: Worker): Promise<void> {
    const settlements = worker.runs.filter(() => this.#random() < 0.7).flatMap((run) => this.#outcomesOf(run));
    if (settlements.length === 0) return;
    const withTake = this.#random() < 0.5 ? { slots: 2, run: 4, order: "0123" } : undefined;
    worker.sent.push(settlements);
    await this.#send(worker, settlements, withTake);
    worker.runs = worker.runs.filter((run) => run.length > 0);
  }

  /** A prefix of the run is done; the next one may end otherwise. What a block leaves of the run is dropped unstarted. */
  #outcomesOf(run: Claim[]): Settlement[] {
    const outcomes: Settlement[] = [];
    const endOf = (claim: Claim): SettleKind => (claim.body === null && claim.bodyToken === "" ? "gone" : "done");
    // A client that settles out of order: nothing may come of it.
    if (run.length > 1 && this.#random() < 0.1) {
      const [second] = run.splice(1, 1) as [Claim];
      return [this.#outcome(second, endOf(second))];
    }
    const count = 1 + Math.floor(this.#random() * run.length);
    for (let n = 0; n < count; n++) {
      const claim = run.shift() as Claim;
      const end = endOf(claim);
      const kind = end === "done" && n === count - 1 ? this.#pick(KINDS) : end;
      outcomes.push(this.#outcome(claim, kind));
      if (kind === "block" || kind === "park" || kind === "crash") run.length = 0;
    }
    return outcomes;
  }

  #outcome(claim: ClaimRef, kind: SettleKind): Settlement {
    return {
      claim,
      kind,
      delayMs: 1 + Math.floor(this.#random() * 2000),
      error: "no",
      origin: publicId(this.#originOf(claim.id)),
      effects: kind === "gone" || !this.#speaks(claim.id) ? [] : [this.#effectOf(claim)],
      history: "h",
    };
  }

  /** Half of them say something at their end; the others are settled in columns. */
  #speaks(number: string): boolean {
    return Number(this.#originOf(number)) % 2 === 0;
  }

  #effectOf(claim: ClaimRef): Effect {
    const origin = this.#originOf(claim.id);
    const envelope = encodeEnvelope({ v: 1, kind: "job" }, origin);
    return { kind: "child", id: `said-${origin}`, queue: EFFECTS_QUEUE, delivery: { route: 2, envelope } };
  }

  async #send(
    worker: Worker,
    settlements: readonly Settlement[],
    take?: Parameters<Claims["settle"]>[1],
  ): Promise<void> {
    const before = this.#last?.claims.get(worker.claims.wid) ?? {};
    const reply = await unlessFenced(worker.claims.settle(settlements, take));
    this.#log.push(
      `${worker.claims.wid} settles ${settlements.map((s) => `${s.claim.id}:${s.kind}`).join(" ")} -> ${reply?.settled.join() ?? "FENCED"}`,
    );
    if (!reply) {
      worker.gone = true;
      this.counts.zombieSettles++;
      return;
    }
    for (const [index, settlement] of settlements.entries()) {
      const { id, fence, elementText, key } = settlement.claim;
      if (!reply.settled[index]) continue;
      if (before[id] !== `${fence}\0${elementText}\0${key}`)
        throw new Error(`${id} was settled by a claim that is not in force`);
      this.counts.settled++;
      if (settlement.kind === "gone" && !this.#tombstones.delete(id)) throw new Error(`${id} was there and not run`);
      if (settlement.kind === "gone") continue;
      if (!this.#live.has(id)) throw new Error(`${id} was settled twice`);
      if (settlement.kind !== "done") continue;
      this.#live.delete(id);
      this.#finished.add(id);
    }
    if (reply.taken) this.#checkTaken(reply.taken.runs);
    if (reply.taken) worker.runs.push(...reply.taken.runs.map((run) => [...run]));
  }

  /** A settle comes late: one sent before, or one of a claim that its worker has lost and won again, or of a zombie. */
  async #replay(): Promise<void> {
    const late = this.#workers.flatMap((worker) => {
      const held = new Map(worker.runs.flat().map((claim) => [claim.id, claim.fence]));
      const sent = worker.sent.filter((list) => list.some(({ claim }) => held.has(claim.id)));
      const lost = worker.past.filter(({ id, fence }) => held.has(id) && held.get(id) !== fence);
      return [...sent, ...lost.map((claim) => [this.#outcome(claim, "done")])].map((list) => ({ worker, list }));
    });
    const any = this.#pick(this.#workers);
    const { worker, list } = this.#pick(late) ?? { worker: any, list: any && this.#pick(any.sent) };
    if (worker && list) await this.#send(worker, list);
  }

  async #effect(worker: Worker): Promise<void> {
    const claim = worker.runs[0]?.[0];
    if (!claim) return;
    const call = {
      queue: QUEUE,
      wid: worker.claims.wid,
      claim,
      origin: publicId(this.#originOf(claim.id)),
      effects: [this.#effectOf(claim)],
    };
    if (this.#tombstones.has(claim.id)) return;
    try {
      await writeEffects(this.#context, call);
      this.#log.push(`${worker.claims.wid} writes an effect of ${claim.id}`);
    } catch (error) {
      if (!hasCode(error, "CLAIM_LOST") && !hasCode(error, "FENCED")) throw error;
    }
  }

  async #release(worker: Worker): Promise<void> {
    const run = worker.runs.shift();
    if (!run) return;
    const keep = Math.floor(this.#random() * 2);
    const back = run.slice(keep);
    if (keep > 0) worker.runs.push(run.slice(0, keep));
    this.#log.push(`${worker.claims.wid} releases ${back.map((c) => c.id).join()}`);
    if ((await unlessFenced(worker.claims.release(back))) === undefined) worker.gone = true;
  }

  async #beat(worker: Worker): Promise<void> {
    if (!(await unlessFenced(worker.claims.beat()))) worker.gone = true;
  }

  /** Seconds pass; some workers beat on, the others are frozen, and may be reaped for it. */
  async #passTime(): Promise<void> {
    const living = this.#workers.filter((worker) => !worker.gone && this.#random() < 0.6);
    const seconds = 1 + Math.floor(this.#random() * 7);
    this.#log.push(`${seconds} s pass, ${living.map((worker) => worker.claims.wid).join()} beat on`);
    for (let second = 0; second < seconds; second++) {
      this.#offsetMs += 1000;
      for (const worker of living) if (!worker.gone) await this.#beat(worker);
    }
  }

  async #resync(worker: Worker): Promise<void> {
    const held = await unlessFenced(worker.claims.held());
    this.#log.push(`${worker.claims.wid} resyncs ${held?.map((c) => c.id).join()}`);
    if (!held) worker.gone = true;
    else worker.runs = runsOf(held);
  }

  async #leave(worker: Worker): Promise<void> {
    this.#log.push(`${worker.claims.wid} leaves`);
    worker.gone = true;
    if (this.#random() < 0.5) await worker.claims.bye(worker.runs.flat());
  }

  async #check(): Promise<void> {
    const now = await this.#dump();
    const problems = [...problemsOf(now, this.#tombstones), ...(this.#last ? stepProblems(this.#last, now) : [])];
    for (const id of this.#live) if (!now.bodies.has(id)) problems.push(`${id} is lost`);
    for (const id of this.#finished) if (now.bodies.has(id)) problems.push(`${id} is back after it was done`);
    if (this.#concurrency > 0) problems.push(...(await limitProblems(this.#context, now, this.#concurrency)));
    if (problems.length > 0) throw new Error(problems.join("\n"));
    this.#last = now;
  }

  #dump(): Promise<Dump> {
    return dump(this.#context, QUEUE, { keys: KEYS, wids: this.#workers.map((worker) => worker.claims.wid) });
  }

  async #finishEverything(): Promise<void> {
    const last = new Claims({ ...this.#context, queue: QUEUE, wid: "last" });
    await last.register({ clientId: "0", pod: "model" });
    const worker: Worker = { claims: last, runs: [], sent: [], past: [], gone: false };
    this.#workers.push(worker);
    await this.#liftEverything();
    for (let round = 0; round < 300; round++) {
      this.#offsetMs += 1000;
      await last.beat();
      worker.runs = runsOf(await last.held());
      await this.#check();
      for (const run of worker.runs)
        await this.#send(
          worker,
          run.map((claim) => this.#outcome(claim, this.#tombstones.has(claim.id) ? "gone" : "done")),
        );
      await this.#purge();
      await last.take({ slots: 20, run: 4, order: "0123" });
      const now = await this.#dump();
      if (now.bodies.size === 0) return this.#checkEnd();
    }
    throw new Error("work is left that nobody can take");
  }

  async #liftEverything(): Promise<void> {
    await this.#resume();
    await setRouteLimits(this.#context, new Map([[1, null]]));
    this.#concurrency = 0;
  }

  /** Dead letters hold back what waits for them. */
  async #purge(): Promise<void> {
    const letters = await deadLetters(this.#context, QUEUE, { limit: 100 });
    if (letters.length > 0) await purgeDead(this.#context, QUEUE, letters);
    for (const { number } of letters) {
      this.#live.delete(number);
      this.#tombstones.delete(number);
    }
  }

  async #checkEnd(): Promise<void> {
    for (const id of this.#live) throw new Error(`${id} never ended`);
    const left = await leftOver(this.#context, ["after", "held", "a:*", "l:*"]);
    if (left.length > 0) throw new Error(`left over: ${left.join()}`);
    const said = await this.#context.client.hvals(`${this.#context.keys.queue(EFFECTS_QUEUE)}:j`);
    const origins = said.map((envelope) => envelope.split("\n")[1] ?? "");
    if (new Set(origins).size !== origins.length) throw new Error("an effect was written twice");
    for (const id of this.#finished)
      if (this.#speaks(id) && !origins.includes(this.#originOf(id))) throw new Error(`the effect of ${id} is missing`);
  }
}
