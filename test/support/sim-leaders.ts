// Masters that compete for one Lease in a simulated world of faults, with the real Leader and Lease, and what must hold in it.

import type { Duty, Tenure } from "../../services/leader/duty.ts";
import { Leader } from "../../services/leader/leader.ts";
import { Lease } from "../../services/leader/lease.ts";
import { type LeaseTiming, leaseTiming } from "../../services/leader/timing.ts";
import { Keys } from "../../services/redis/keys.ts";
import { seeded } from "./seeded.ts";
import { SimClient, SimRedis } from "./sim-redis.ts";
import { SimProcess, World } from "./sim-world.ts";

const UNIT = "unit";
const KEYS = new Keys("sim", 0);
const RUN_MS = 16_000;
const TIMING = leaseTiming(6_000);
/** How long a master may let others try first. */
const COURTESIES_MS = [0, 0, 50, 500];

/** A mistake that the simulation has to notice. */
export type Planted = "leads on without grace" | "server hides that it is another" | "writes are not fenced";

const GRACELESS: LeaseTiming = { ...TIMING, deadlineMs: 2 * TIMING.leaseMs };

interface Master {
  readonly process: SimProcess;
  readonly leases: SimClient;
  readonly subscriber: SimClient;
  readonly leader: Leader;
  tenure: Tenure | undefined;
}

export interface Tally {
  tenures: number;
  sends: number;
  writes: number;
  refused: number;
  failovers: number;
}

export class Simulation {
  readonly seed: number;
  /** What must not be; empty when all is well. */
  readonly problems: string[] = [];
  readonly tally: Tally = { tenures: 0, sends: 0, writes: 0, refused: 0, failovers: 0 };
  readonly #world: World;
  readonly #redis: SimRedis;
  readonly #masters = new Set<Master>();
  readonly #planted: Planted | undefined;
  #names = 0;
  #epochBegun = 0;
  #epochAccepted = 0;

  constructor(seed: number, planted?: Planted) {
    this.seed = seed;
    this.#planted = planted;
    this.#world = new World(seeded(seed));
    const world = this.#world;
    this.#redis = new SimRedis(world, world.chance(0.5) ? world.between(1, 400) : undefined);
    const masters = 2 + Math.floor(world.random() * 3);
    for (let count = 0; count < masters; count++) world.in(world.between(0, 300), () => this.#start());
    const faults = 1 + Math.floor(world.random() * 5);
    for (let count = 0; count < faults; count++) world.in(world.between(500, RUN_MS), () => this.#fault());
  }

  /** Answers false when it has run its time, or something is wrong. What an event set off is looked at with the next. */
  step(): boolean {
    const leading = [...this.#masters].filter(({ tenure }) => tenure?.held());
    if (leading.length > 1) this.#problem(`two lead: ${leading.map(({ process }) => process.name).join(", ")}`);
    return this.problems.length === 0 && this.#world.step(RUN_MS);
  }

  #start(): void {
    const world = this.#world;
    const process = new SimProcess(world, `m${++this.#names}`);
    const [leases, subscriber] = [new SimClient(this.#redis, process), new SimClient(this.#redis, process)];
    let ids = 0;
    const timing = this.#planted === "leads on without grace" ? GRACELESS : TIMING;
    const common = { timing, clock: process };
    const newId = (): string => `${process.name}.${++ids}`;
    const owner = process.name;
    const lease = new Lease({ ...common, client: leases.asClient, keys: KEYS, unit: UNIT, owner, newId });
    const duty: Duty = {
      begin: async (tenure) => this.#begin(master, tenure),
      end: async () => void (master.tenure = undefined),
    };
    const delayMs = COURTESIES_MS[Math.floor(world.random() * COURTESIES_MS.length)] ?? 0;
    const leader = new Leader({
      ...common,
      lease,
      duty,
      courtesy: { delayMs: async () => delayMs, changed: () => {} },
      subscriber: subscriber.asClient,
      freeChannel: KEYS.leaseFree(UNIT),
      random: world.random,
      emit: () => {},
    });
    const master: Master = { process, leases, subscriber, leader, tenure: undefined };
    this.#masters.add(master);
    void leader.start();
  }

  #begin(master: Master, tenure: Tenure): void {
    this.tally.tenures++;
    const epoch = Number(tenure.epoch);
    if (epoch <= this.#epochBegun) this.#problem(`${master.process.name} begins ${epoch} after ${this.#epochBegun}`);
    this.#epochBegun = Math.max(this.#epochBegun, epoch);
    master.tenure = tenure;
    this.#act(master, tenure);
  }

  /** Says or writes something again and again, also when told late that it is over. */
  #act(master: Master, tenure: Tenure): void {
    const world = this.#world;
    const act = (): void => {
      if (tenure.signal.aborted) return;
      if (world.chance(0.5)) void this.#send(master, tenure);
      else this.#write(master, tenure);
      this.#act(master, tenure);
    };
    world.in(world.between(50, 900), act, master.process);
  }

  async #send(master: Master, tenure: Tenure): Promise<void> {
    if (!(await tenure.confirmed()) || !tenure.held()) return;
    this.tally.sends++;
    for (const other of this.#masters) {
      if (other !== master && other.tenure?.held())
        this.#problem(`${master.process.name} speaks beside ${other.process.name}`);
    }
  }

  /** Sometimes without looking first: what a frozen process had in its buffers. Redis must refuse it. */
  #write(master: Master, tenure: Tenure): void {
    const isZombie = this.#world.chance(0.3);
    if (!isZombie && !tenure.held()) return;
    this.tally.writes++;
    const accepted = (text: string): void => {
      const epoch = Number(text);
      if (epoch < this.#epochAccepted)
        this.#problem(`a write of ${epoch} is accepted after one of ${this.#epochAccepted}`);
      this.#epochAccepted = Math.max(this.#epochAccepted, epoch);
    };
    const ask = this.#planted === "writes are not fenced" ? "writeUnfenced" : "write";
    const send = (): void => void master.leases[ask](tenure.epoch, accepted).catch(() => this.tally.refused++);
    if (isZombie) this.#world.in(this.#world.between(0, 12_000), send);
    else send();
  }

  #fault(): void {
    const world = this.#world;
    const masters = [...this.#masters];
    const leader = masters.find(({ tenure }) => tenure !== undefined);
    const anybody = masters[Math.floor(world.random() * masters.length)];
    const victim = leader && world.chance(0.7) ? leader : anybody;
    const kind = Math.floor(world.random() * 11);
    if (kind === 10) return this.#fallBehind();
    if (kind === 0) return this.#redis.freeze(world.between(300, 9_000));
    if (kind === 1 || kind === 2) return this.#failOver();
    if (kind === 3) return this.#redis.breakAll();
    if (!victim) return;
    const { process, leader: led, leases, subscriber } = victim;
    if (kind === 4) process.stop(world.between(300, 10_000), world.chance(0.5) ? "stopped" : "suspended");
    else if (kind === 5) process.stepWall(world.between(-60_000, 60_000));
    else if (kind === 6) this.#lose([leases, subscriber], world.between(300, 8_000));
    else if (kind === 7) this.#kill(victim);
    else if (kind === 8) world.in(0, () => void led.yield(1_000), process);
    else world.in(0, () => void led.stop(1_000).then(() => this.#kill(victim)), process);
  }

  #failOver(): void {
    const world = this.#world;
    this.tally.failovers++;
    const isPlanned = world.chance(0.3);
    const lies = this.#planted === "server hides that it is another";
    this.#redis.failOver(isPlanned ? world.between(20, 200) : world.between(1_000, 8_000), lies);
  }

  /** The replica is seconds late for a while, and perhaps the primary just then. */
  #fallBehind(): void {
    const { server } = this.#redis;
    const { lagMs } = server;
    if (lagMs === undefined) return;
    const world = this.#world;
    server.lagMs = world.between(500, 8_000);
    world.in(server.lagMs + world.between(0, 2_000), () => this.#failOver());
  }

  #lose(clients: readonly SimClient[], ms: number): void {
    for (const client of clients) {
      client.lostUntil = this.#world.now + ms;
      if (ms > 2_000) this.#world.in(2_000, () => client.break());
    }
  }

  #kill(master: Master): void {
    master.process.isDead = true;
    this.#masters.delete(master);
    this.#redis.clients.delete(master.leases);
    this.#redis.clients.delete(master.subscriber);
    this.#world.in(this.#world.between(100, 3_000), () => this.#start());
  }

  #problem(text: string): void {
    this.problems.push(`seed ${this.seed} at ${Math.round(this.#world.now)} ms: ${text}`);
  }
}

/** All at once, an event of each after the other: one turn of the real event loop serves all of them. */
export async function simulate(seeds: readonly number[], planted?: Planted): Promise<readonly Simulation[]> {
  const all = seeds.map((seed) => new Simulation(seed, planted));
  const { stackTraceLimit } = Error;
  // Errors are daily bread here, and their stacks half of the time.
  Error.stackTraceLimit = 0;
  let running = all;
  while (running.length > 0) {
    running = running.filter((simulation) => simulation.step());
    await new Promise((resolve) => setImmediate(resolve));
  }
  Error.stackTraceLimit = stackTraceLimit;
  return all;
}
