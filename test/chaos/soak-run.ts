// A bot of workers and masters under a steady load, and the account of it: whoever breaks something meanwhile asks for it.

import { deadLetters } from "../../services/broker/dead.ts";
import { queueDepth } from "../../services/broker/inspect.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { Keys } from "../../services/redis/keys.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { FakeChat } from "../support/fake-chat.ts";
import { waitFor } from "../support/wait-for.ts";
import { Fleet } from "./soak-fleet.ts";
import { interruptedWorkers, type Ledger, problemsOf, without } from "./soak-ledger.ts";
import { Load, type SoakEvent } from "./soak-load.ts";
import { HANDLER, orderField, type RunNote } from "./soak-words.ts";

export interface SoakOptions {
  readonly redisUrl: string;
  /** Where runs are noted, if not there: a plain server, which nobody breaks. */
  readonly notesUrl?: string;
  /** services/main.ts unless given. */
  readonly entry?: string;
  readonly masters: number;
  readonly workers: number;
  readonly leaseMs: number;
  readonly concurrency: number;
  readonly perSecond: number;
  readonly runMsMax: number;
  readonly durability?: "default" | "replica";
}

/** On a machine that has other things to do everything takes longer. */
const START_MS = 60_000;
const QUEUES = ["chat", "default", "outbox/fake"];

export class SoakRun {
  readonly fleet: Fleet;
  readonly load: Load;
  readonly chat: FakeChat;
  readonly keys: Keys;
  readonly #redis: RedisClient;
  readonly #notes: RedisClient;
  readonly #list: string;
  #found: Ledger | undefined;

  private constructor(options: SoakOptions, chat: FakeChat) {
    const { redisUrl, notesUrl = redisUrl, perSecond, runMsMax } = options;
    const namespace = `soak-${randomId()}`;
    this.chat = chat;
    this.keys = new Keys(namespace, 0);
    this.#list = `${this.keys.tag}:test:runs`;
    this.#redis = openRedis({ url: redisUrl, name: "soak", purpose: "commands", onState: () => {} });
    this.#notes = openRedis({ url: notesUrl, name: "soak-notes", purpose: "commands", onState: () => {} });
    this.fleet = new Fleet({ ...options, notesUrl, namespace, chat, list: this.#list });
    const workers = (): string[] => this.fleet.serving.flatMap(({ url }) => url ?? []);
    this.load = new Load({ perSecond, runMsMax, random: Math.random, chat, workers });
  }

  /** Resolves when all workers serve, a master leads and the load has begun. */
  static async start(options: SoakOptions): Promise<SoakRun> {
    const run = new SoakRun(options, await FakeChat.start({ idempotency: "none" }));
    try {
      for (let count = 0; count < options.masters; count++) run.fleet.addMaster();
      for (let count = 0; count < options.workers; count++) run.fleet.addWorker();
      await run.fleet.serve(options.workers);
      await run.leader();
      run.load.start();
      return run;
    } catch (error) {
      await run.stop();
      throw error;
    }
  }

  leader(): Promise<NonNullable<Fleet["leader"]>> {
    const what = "a master leads";
    return waitFor(() => this.fleet.leader, { timeoutMs: START_MS, what }).catch((error: unknown) =>
      this.explain(error),
    );
  }

  /** Ends the load, and waits until all of it is handled. */
  async settled(timeoutMs: number): Promise<void> {
    this.load.end();
    await this.load.sent();
    const isOver = async (): Promise<boolean> =>
      (await this.#isSettled(this.load.lastSaid)) && (await this.#unfinished()) === 0;
    const what = "everything is settled";
    await waitFor(isOver, { timeoutMs, what }).catch((error: unknown) => this.explain(error));
  }

  /** One line for each thing that was promised and is not so. Only once it is settled. */
  async problems(): Promise<string[]> {
    return [...problemsOf(await this.#ledger()), ...(await this.#dead()), ...this.load.strange];
  }

  /** Killed workers that were in the middle of a run. */
  async hits(): Promise<number> {
    const interrupted = interruptedWorkers((await this.#ledger()).notes);
    return this.fleet.killedWorkers.filter(({ name }) => interrupted.has(name)).length;
  }

  async counts(): Promise<Record<string, number>> {
    const { fleet, load } = this;
    const found = await this.#ledger();
    const runs = found.notes.filter(({ phase }) => phase === "begin").length;
    const posts = found.posts.length;
    return {
      seconds: Math.round(load.ms / 1000),
      events: load.begun,
      accepted: load.accepted.length,
      "given up": load.givenUp.length,
      "sent again": load.repeats,
      runs,
      "cut off": runs - found.notes.filter(({ phase }) => phase === "end").length,
      "in quarantine": fleet.logged("quarantine.started").length,
      posts,
      "said again": posts - new Set(found.posts.map(({ actionId }) => actionId)).size,
      takeovers: found.takeovers,
      "master kills": fleet.killedMasters.length,
      "worker kills": fleet.killedWorkers.length,
    };
  }

  async stop(): Promise<void> {
    this.load.end();
    await this.fleet.stop();
    await closeRedis(this.#redis);
    await closeRedis(this.#notes);
    await this.chat.stop();
  }

  /** Throws it again, with where the logs are. */
  explain(error: unknown): never {
    throw new Error(`${String(error)}; logs in ${this.fleet.keepLogs()}`, { cause: error });
  }

  /** Deliveries that are not finished and may still be. */
  async #unfinished(): Promise<number> {
    const broker = { client: this.#redis, keys: this.keys };
    const depths = await Promise.all(QUEUES.map((name) => queueDepth(broker, name)));
    return depths.reduce((sum, { stored, dead }) => sum + stored - dead, 0);
  }

  async #dead(): Promise<string[]> {
    const broker = { client: this.#redis, keys: this.keys };
    const letters = await Promise.all(QUEUES.map((name) => deadLetters(broker, name, { limit: 100 })));
    return letters.flat().map(({ id, key, reason }) => `dead letter ${id} ${key}: ${reason}`);
  }

  /** Lines of the fake chat service are taken in one after another: with the last one all are. */
  async #isSettled({ id, key }: SoakEvent): Promise<boolean> {
    const settled = await this.#redis.hget(this.keys.store(HANDLER), orderField(key));
    return settled !== null && (JSON.parse(settled) as string[]).includes(id);
  }

  async #ledger(): Promise<Ledger> {
    return (this.#found ??= await this.#read());
  }

  async #read(): Promise<Ledger> {
    const { accepted } = this.load;
    const notes = (await this.#notes.lrange(this.#list, 0, -1)).map((line) => JSON.parse(line) as RunNote);
    const stored = Object.entries(await this.#redis.hgetall(this.keys.store(HANDLER)));
    const store = new Map(stored.map(([field, value]) => [field, JSON.parse(value) as string[]]));
    const names = new Set(accepted.filter(({ kind }) => kind === "web chat line").map(({ key }) => key));
    const sessions = new Map<string, { ref: string; text: string }[]>();
    for (const name of names) {
      const entries = await this.#redis.xrange(`${this.keys.bus()}:s:/chat/${name}`, "-", "+");
      const shown = entries.map(([, fields]) => JSON.parse(fields[fields.indexOf("d") + 1] ?? "null") as never);
      sessions.set(name, shown);
    }
    const { posts } = this.chat;
    return without(this.load.givenUp, { accepted, notes, store, sessions, posts, takeovers: this.fleet.takeovers });
  }
}
