// One random schedule within this process: two buses on one server, readers that come and go with their positions, messages,
// channels that are trimmed or forgotten, connections that are killed, a bus that is closed and opened again.

import { type MessageBus, openBus } from "../../../services/bus/plugin.ts";
import type { Heard } from "../../../services/bus/local.ts";
import { withDeadline } from "../../../services/runtime/part.ts";
import type { BusServer } from "../../support/bus-servers.ts";
import { seeded } from "../../support/seeded.ts";
import { waitFor } from "../../support/wait-for.ts";
import { Account, type Numbered, Published } from "./account.ts";

interface InsideOptions {
  readonly server: BusServer;
  readonly seed: number;
}

interface Told {
  readonly seed: number;
  readonly heard: number;
  readonly gaps: number;
  readonly problems: readonly string[];
}

const CHANNEL = "/chaos";
const STEPS = 14;
const READERS = 3;
const SETTLE_MS = 30_000;
const FIRM_MS = 10_000;

interface Reader {
  readonly account: Account;
  bus: number;
  last: { epoch: string; offset: number } | undefined;
  listener: ((message: Heard) => void) | undefined;
}

export interface Sum {
  readonly schedules: number;
  readonly heard: number;
  readonly gaps: number;
  /** Each with its seed. */
  readonly problems: readonly string[];
}

const SIDE_BY_SIDE = 4;

/** `count` of them, by the seeds from `from` on. */
export async function insideSchedules(o: {
  readonly server: BusServer;
  readonly from: number;
  readonly count: number;
}): Promise<Sum> {
  const all: Told[] = [];
  let seed = o.from;
  const lane = async (): Promise<void> => {
    while (seed < o.from + o.count) all.push(await insideSchedule({ server: o.server, seed: seed++ }));
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
  return {
    schedules: all.length,
    heard: all.reduce((sum, { heard }) => sum + heard, 0),
    gaps: all.reduce((sum, { gaps }) => sum + gaps, 0),
    problems: all.flatMap((told) => told.problems.map((problem) => `seed ${told.seed}: ${problem}`)),
  };
}

async function insideSchedule({ server, seed }: InsideOptions): Promise<Told> {
  const schedule = new Schedule({ server, seed });
  try {
    await schedule.open();
    for (let step = 0; step < STEPS; step++) await schedule.step();
    await schedule.settle();
  } catch (error) {
    schedule.problems.push(String(error));
  } finally {
    await schedule.close();
  }
  return schedule.told();
}

class Schedule {
  readonly problems: string[] = [];
  readonly #options: InsideOptions;
  readonly #random: () => number;
  readonly #namespace: string;
  readonly #published = new Published();
  readonly #buses: MessageBus[] = [];
  readonly #readers: Reader[] = [];
  readonly #sending = new Set<Promise<unknown>>();
  /** How often each place had a new bus. */
  readonly #lives = [0, 0];

  constructor(options: InsideOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
    this.#namespace = `chaos-${options.seed}-${process.pid}`;
  }

  async open(): Promise<void> {
    for (const place of [0, 1]) this.#buses[place] = await this.#firm(() => this.#bus());
  }

  async step(): Promise<void> {
    const [action = "publish"] = this.#pick([
      ...Array<"publish">(5).fill("publish"),
      ...Array<"come">(3).fill("come"),
      "go",
      "go",
      "trim",
      "forget",
      "kill",
      "reopen",
    ] as const);
    if (action === "publish") return this.#publish(1 + Math.floor(this.#random() * 5), {});
    if (action === "trim") return this.#publish(1, { maxMessages: 1 + Math.floor(this.#random() * 4) });
    if (action === "come") return await this.#come();
    if (action === "go") return this.#go();
    if (action === "forget") return await this.#forget();
    if (action === "kill") return await this.#kill();
    await this.#reopen();
  }

  /** Everybody reads, all is quiet, and one last message comes to all. */
  async settle(): Promise<void> {
    while (this.#readers.length < READERS) await this.#come();
    for (const reader of this.#readers) if (!reader.listener) await this.#attach(reader, reader.bus);
    await Promise.all(this.#sending);
    await this.#written();
    // Each publisher's last word shows whether something before it is missing.
    for (const by of this.#published.publishers) await this.#firm(() => this.#say(0, this.#published.next(by), {}));
    await this.#written();
    const lastId = await this.#firm(async () => (await this.#buses[0]?.lastId(CHANNEL)) ?? 0);
    const all = (): boolean => this.#readers.every(({ account }) => account.highestId >= lastId);
    await waitFor(all, { timeoutMs: SETTLE_MS, what: "every reader hears the last message" });
    for (const { account } of this.#readers) account.end();
  }

  /** Nothing waits in memory any more. */
  async #written(): Promise<void> {
    const isWritten = (): boolean => this.#buses.every((bus) => bus.diagnostics().waiting === 0);
    await waitFor(isWritten, { timeoutMs: SETTLE_MS, what: "everything is written" });
  }

  async close(): Promise<void> {
    const closed = await Promise.allSettled(this.#buses.map((bus) => bus.close()));
    for (const one of closed) if (one.status === "rejected") this.problems.push(String(one.reason));
    await Promise.all(this.#sending);
  }

  told(): Told {
    const accounts = this.#readers.map(({ account }) => account);
    const sum = (of: (account: Account) => number): number => accounts.reduce((total, one) => total + of(one), 0);
    return {
      seed: this.#options.seed,
      heard: sum(({ heardCount }) => heardCount),
      gaps: sum(({ gapCount }) => gapCount),
      problems: [...this.problems, ...accounts.flatMap(({ problems }) => problems)],
    };
  }

  #bus(): Promise<MessageBus> {
    return openBus({ ...this.#options.server.options, namespace: this.#namespace });
  }

  /** A shuffled copy. */
  #pick<T>(from: readonly T[]): T[] {
    return from
      .map((value) => [this.#random(), value] as const)
      .sort(([a], [b]) => a - b)
      .map(([, value]) => value);
  }

  #place(): number {
    return Math.floor(this.#random() * 2);
  }

  /** Not waited for: others go on meanwhile. */
  #publish(count: number, options: { maxMessages?: number }): void {
    const place = this.#place();
    for (let n = 0; n < count; n++) {
      const message = this.#published.next(`${place}.${this.#lives[place]}`);
      const sent = this.#say(place, message, options);
      this.#sending.add(sent);
      void sent.finally(() => this.#sending.delete(sent));
    }
  }

  /** What only waits in memory dies with its process, as its publisher was told. */
  async #say(place: number, message: Numbered, options: { maxMessages?: number }): Promise<void> {
    try {
      const told = await this.#buses[place]?.publish(CHANNEL, message, options);
      if (told?.status !== "stored") this.#published.doubt(message);
    } catch {
      this.#published.doubt(message);
    }
  }

  /** Repeats what cannot be done while the server is away. What never ends is a problem, too. */
  async #firm<T>(act: () => Promise<T>): Promise<T> {
    const once = async (): Promise<{ done: T }> => ({ done: await withDeadline(act(), FIRM_MS, "a call of the bus") });
    return (await waitFor(once, { timeoutMs: SETTLE_MS })).done;
  }

  async #come(): Promise<void> {
    const away = this.#readers.find(({ listener }) => listener === undefined);
    if (away !== undefined) return await this.#attach(away, this.#place());
    if (this.#readers.length >= READERS) return;
    const reader: Reader = { account: new Account(this.#published), bus: 0, last: undefined, listener: undefined };
    this.#readers.push(reader);
    await this.#attach(reader, this.#place());
  }

  async #attach(reader: Reader, place: number): Promise<void> {
    const { account } = reader;
    reader.bus = place;
    reader.listener = ({ id, epoch, offset, data }) => {
      reader.last = { epoch, offset };
      account.heard(id, data as Numbered);
    };
    // A program that keeps the whole position, or one that keeps a number.
    const last = reader.last && (this.#random() < 0.5 ? reader.last : reader.last.offset);
    const onGap = (): void => account.gap(true);
    if (last === undefined) account.starts();
    const { listener } = reader;
    const options = { ...(last !== undefined && { last }), onGap };
    await this.#firm(async () => this.#buses[place]?.subscribe(CHANNEL, listener, options));
    if (last === undefined) account.startsNow();
  }

  #go(): void {
    const reader = this.#pick(this.#readers).find(({ listener }) => listener !== undefined);
    if (reader) this.#leave(reader);
  }

  #leave(reader: Reader): void {
    if (reader.listener) this.#buses[reader.bus]?.unsubscribe(CHANNEL, reader.listener);
    reader.listener = undefined;
  }

  /** The server loses the channel: all of it, its head, or what it kept. */
  async #forget(): Promise<void> {
    await Promise.all(this.#sending);
    const [part] = this.#pick([undefined, "head", "messages"] as const);
    await this.#options.server.forget(this.#namespace, CHANNEL, part);
    for (const { account } of this.#readers) account.forgotten();
  }

  async #kill(): Promise<void> {
    await this.#options.server.cut(this.#random() < 0.5 ? "bells" : "statements");
  }

  /** A process stops, and another one takes its place; its readers come back by themselves later. */
  async #reopen(): Promise<void> {
    const place = this.#place();
    for (const reader of this.#readers) if (reader.bus === place) this.#leave(reader);
    await this.#buses[place]?.close();
    this.#lives[place] = (this.#lives[place] ?? 0) + 1;
    this.#buses[place] = await this.#firm(() => this.#bus());
  }
}
