// The masters of a bot know each other: each says every few seconds who it is and how much it leads. From that follows who
// tries first for a free Lease, and who hands one over because it has too many.
//
// Not promised: that all see the same at one moment. It decides about order and comfort only; who leads, the Lease decides.

import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import { type Argument, loadScript, type Reply, runScript, utf8 } from "../redis/scripts.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Part } from "../runtime/part.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Courtesy } from "./duty.ts";
import { courtesyMs, holdsTooMany, type Peer } from "./share.ts";
import type { LeaseTiming } from "./timing.ts";

const MASTERS = loadScript(new URL("./lua/masters.lua", import.meta.url));

/** One unit that this process stands for. */
export interface Standing {
  readonly unit: string;
  readonly leads: boolean;
  yield(deadlineMs: number): Promise<void>;
}

export interface MastersOptions {
  /** Of the purpose "commands". */
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly owner: string;
  readonly pod: string;
  readonly revision: string;
  readonly timing: LeaseTiming;
  /** Aborted from SIGTERM on. */
  readonly stopping: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

/** No answer within this is none: the Lease matters more than who tries first. */
const ASK_MS = 200;
/** Until it is heard; the others cannot let pass whom they do not know. */
const SAY_AGAIN = { firstMs: 100, maxMs: 1_000 };
/** What a unit may take to be handed over because another has less to do. */
const YIELD_MS = 5_000;

export class Masters implements Part, Courtesy {
  readonly name = "masters";
  readonly #options: MastersOptions;
  readonly #loop: Loop;
  readonly #standing: Standing[] = [];
  readonly #startedAt: number;
  #others: readonly Peer[] = [];
  #self: Peer | undefined;
  #asking: Promise<void> | undefined;
  /** Beats in a row that Redis did not answer. */
  #unheard = 0;
  /** Who was there when that last changed, and when it did. */
  #members = "";
  #stableSince = 0;
  #yields = 0;

  constructor(options: MastersOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
    this.#loop = new Loop({
      name: "masters",
      intervalMs: () => this.#pauseMs(),
      tick: () => this.#tick(),
      onError: () => {},
      clock: options.clock,
      random: options.random,
    });
    options.stopping.addEventListener("abort", () => this.changed(), { once: true });
  }

  /** Adds a unit that this process stands for. */
  stand(standing: Standing): void {
    this.#standing.push(standing);
    this.changed();
  }

  /** Whether the others can know that this one is there. */
  get isKnown(): boolean {
    return this.#self !== undefined;
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#soon(this.#say("")); // else it is forgotten by itself
  }

  changed(): void {
    this.#loop.wake();
  }

  async delayMs(): Promise<number> {
    // What was heard with the last beat may be older than a master that just came.
    this.#asking ??= this.#say().finally(() => (this.#asking = undefined));
    await this.#soon(this.#asking);
    return this.#self ? courtesyMs(this.#me(this.#self.startedAt), this.#others) : 0;
  }

  #pauseMs(): number {
    const { timing, random } = this.#options;
    return this.#unheard > 0
      ? backoffMs(this.#unheard - 1, SAY_AGAIN, random)
      : timing.renewMs * (0.9 + 0.2 * random());
  }

  async #tick(): Promise<void> {
    const isHeard = await this.#say().then(
      () => true,
      () => false, // Redis is away: others tell
    );
    this.#unheard = isHeard ? 0 : this.#unheard + 1;
    if (isHeard) this.#giveOne();
  }

  /** Hands one unit over if there are too many here, and all have been there for some time. */
  #giveOne(): void {
    const { clock, timing, emit } = this.#options;
    const now = clock.monotonic();
    const members = [this.#self, ...this.#others].map((peer) => `${peer?.owner} ${peer?.leaving}`).toSorted();
    if (members.join() !== this.#members) {
      this.#members = members.join();
      this.#stableSince = now;
      this.#yields = 0;
    }
    // At each number of masters each unit moves at most once: nothing can go round in circles.
    if (!this.#self || now - this.#stableSince < timing.leaseMs || this.#yields >= this.#standing.length) return;
    const me = this.#me(this.#self.startedAt);
    if (!holdsTooMany(me, this.#others)) return;
    const led = this.#standing.filter(({ leads }) => leads);
    // `control` costs nobody a pause.
    const given = led.find(({ unit }) => unit === "control") ?? led.at(-1);
    if (!given) return;
    this.#yields++;
    emit("lease.yielding", { unit: given.unit, leads: me.leads, masters: this.#others.length + 1 });
    // Beside the beats: the others must not take this process for gone.
    void given.yield(YIELD_MS);
  }

  async #soon(asked: Promise<void>): Promise<void> {
    const answered = new AbortController();
    const late = this.#options.clock.sleep(ASK_MS, answered.signal);
    await Promise.race([asked.catch(() => {}), late]);
    answered.abort();
  }

  /** Says that it is there, or that it leaves (""), and hears who else is. */
  async #say(what = JSON.stringify(this.#record())): Promise<void> {
    const { client, keys, owner, timing, clock } = this.#options;
    const own = [owner, what, Math.round(clock.monotonic() - this.#startedAt)];
    const peers = await ask(client, keys, [timing.leaseMs, ...own]);
    this.#self = peers.find((peer) => peer.owner === owner);
    this.#others = peers.filter((peer) => peer.owner !== owner);
  }

  #me(startedAt: number): Peer {
    return { owner: this.#options.owner, startedAt, ...this.#record() };
  }

  #record(): Omit<Peer, "owner" | "startedAt"> {
    const { pod, revision, stopping } = this.#options;
    const units = this.#standing.map(({ unit }) => unit);
    const leads = this.#standing.filter((standing) => standing.leads).length;
    return { pod, revision, units, leads, leaving: stopping.aborted };
  }
}

/** Who is there now, oldest first: of those that were heard of within `beatMs`. */
export function mastersOf(client: RedisClient, keys: Keys, beatMs: number): Promise<Peer[]> {
  return ask(client, keys, [beatMs]);
}

async function ask(client: RedisClient, keys: Keys, args: readonly Argument[]): Promise<Peer[]> {
  const masters = keys.masters();
  const reply = (await runScript(client, { script: MASTERS, keys: [masters, `${masters}:info`], args })) as Reply[];
  const peers: Peer[] = [];
  for (let at = 0; at + 2 < reply.length; at += 3) {
    const said = JSON.parse(utf8(reply[at + 2])) as Omit<Peer, "owner" | "startedAt">;
    peers.push({ owner: utf8(reply[at]), startedAt: Number(utf8(reply[at + 1])), ...said });
  }
  return peers.toSorted((a, b) => a.startedAt - b.startedAt);
}
