// Channels in Postgres: a row with epoch and last offset, a row for each message, LISTEN/NOTIFY as the doorbell. Not promised:
// the speed of Redis. Whoever publishes waits for the disk, one after the other in the whole database.

import type { Clock, Random } from "../../runtime/clock.ts";
import { randomId } from "../../runtime/ids.ts";
import {
  type Backend,
  EVERYTHING_KEPT,
  type OnBell,
  type PublishCall,
  type Stored,
  type ToPublish,
} from "../backend.ts";
import { BusMessage } from "../message.ts";
import { type Head, NOWHERE, type Position } from "../position.ts";
import { Bells, readBell } from "./bell.ts";
import { type Answer, Call } from "./call.ts";
import { Database } from "./database.ts";
import { isHopeless, isRefusal, unavailable } from "./failure.ts";
import { Listener } from "./listener.ts";
import { POSTGRES_DEFAULTS, type PostgresSettings } from "./settings.ts";
import { HEADS, PUBLISH, readAfter, readRecent, ROTATE, type Row } from "./statements.ts";
import { Sweeper } from "./sweeper.ts";

export interface PostgresBackendOptions extends PostgresSettings {
  readonly url: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Each message has a place among all messages of the bus too. */
  readonly globalIndex?: boolean;
  /** Offsets of new channels begin at 1, as other programs' tests expect; such positions can come twice. */
  readonly idSeed?: "zero" | "time";
  /** Told at every change of the connection. */
  readonly onState?: (state: "ready" | "away" | "unfit", detail?: string) => void;
  /** What is deleted behind everybody's back could not be. */
  readonly onSweepRefused?: (error: unknown) => void;
}

interface On {
  readonly bell: OnBell;
  readonly gap: () => void;
}

const HEADS_AT_ONCE = 1000;

export class PostgresBackend implements Backend {
  /** A second one would only wait for the first. */
  readonly callsUnderway = 1;
  readonly unavailable = "POSTGRES_UNAVAILABLE";
  readonly #options: PostgresBackendOptions;
  readonly #bells: Bells;
  readonly #database: Database;
  readonly #listener: Listener;
  readonly #sweeper: Sweeper;
  #on: On | undefined;
  /** Postgres takes what is published, as far as it was asked. */
  #isFit = true;

  constructor(options: PostgresBackendOptions) {
    const { schema, connections, statementMs } = { ...POSTGRES_DEFAULTS, ...options };
    const { url, clock, random, onState, onSweepRefused: onRefused = () => {} } = options;
    this.#options = options;
    this.#bells = new Bells(schema, options.namespace);
    this.#database = new Database({ url, schema, connections, statementMs });
    this.#sweeper = new Sweeper({ database: this.#database, clock, random, onRefused });
    this.#listener = new Listener({
      url,
      clock,
      random,
      onText: (text) => this.#heard(text),
      onGap: () => this.#on?.gap(),
      onState: (state, detail) => onState?.(state, detail),
    });
  }

  async start(on: On): Promise<void> {
    this.#on = on;
    await this.#database.open();
    await this.#listener.start();
    await this.#sweeper.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#sweeper.stop(), this.#listener.stop(), this.#database.close()]);
  }

  get hears(): boolean {
    return this.#listener.hears;
  }

  async listen(channel: string): Promise<void> {
    await this.#listener.listen(this.#bells.of(channel)).catch(away);
  }

  async listenOnly(channels: () => Iterable<string>): Promise<void> {
    const isWanted = (bell: string): boolean => {
      for (const channel of channels()) if (this.#bells.of(channel) === bell) return true;
      return false;
    };
    await this.#listener.listenOnly(isWanted).catch(away);
  }

  async publish({ publisher, number, messages }: PublishCall): Promise<(Position | Error)[]> {
    const { namespace, globalIndex = false, idSeed } = this.#options;
    const seeded = idSeed === "zero" ? messages.map(fromOne) : messages;
    const index = globalIndex ? (idSeed === "zero" ? fromOne(EVERYTHING_KEPT) : EVERYTHING_KEPT) : undefined;
    const call = new Call(seeded, { bell: (channel) => this.#bells.of(channel), index });
    if (call.isEmpty) return call.positions({ starts: [], epochs: [] });
    try {
      const values = [namespace, publisher, number, randomId(), ...call.values];
      const [answer] = await this.#database.ask<Answer>(PUBLISH, values);
      this.#fits(true);
      return call.positions(answer ?? { starts: [], epochs: [] });
    } catch (error) {
      if (!isHopeless(error)) {
        if (isRefusal(error)) this.#fits(false, error);
        throw unavailable(error);
      }
      return messages.map(() => new Error(error instanceof Error ? error.message : String(error)));
    }
  }

  after(channel: string, offset: number, limit: number): Promise<Stored> {
    return this.#stored(this.#database.ask(...readAfter(this.#options.namespace, { channel, offset, limit })));
  }

  recent(channel: string, limit: number): Promise<Stored> {
    return this.#stored(this.#database.ask(...readRecent(this.#options.namespace, { channel, limit })));
  }

  async heads(channels: readonly string[]): Promise<Head[]> {
    const found = new Map<string, Head>();
    for (let from = 0; from < channels.length; from += HEADS_AT_ONCE) {
      const asked = channels.slice(from, from + HEADS_AT_ONCE);
      const rows = await this.#database.ask<Row>(HEADS, [this.#options.namespace, asked]).catch(away);
      for (const row of rows) found.set(row.name, headOf(row));
    }
    return channels.map((channel) => found.get(channel) ?? NOWHERE);
  }

  async rotate(channel: string, { epoch, offset }: Position): Promise<void> {
    await this.#database.ask(ROTATE, [this.#options.namespace, channel, epoch, offset, randomId()]).catch(away);
  }

  /** Head and messages are of one moment: of one statement. */
  async #stored(asked: Promise<Row[]>): Promise<Stored> {
    const rows = await asked.catch(away);
    const [first] = rows;
    if (first === undefined) return { head: NOWHERE, messages: [] };
    const head = headOf(first);
    const messages = rows.flatMap(({ message_offset: offset, payload }) =>
      offset === null || payload === null
        ? []
        : [new BusMessage({ epoch: head.epoch, offset: Number(offset) }, payload)],
    );
    return { head, messages };
  }

  /** What is published waits meanwhile: somebody has to hear why. */
  #fits(isFit: boolean, error?: unknown): void {
    if (this.#isFit === isFit) return;
    this.#isFit = isFit;
    this.#options.onState?.(isFit ? "ready" : "unfit", error instanceof Error ? error.message : undefined);
  }

  #heard(text: string): void {
    const rung = readBell(text);
    if (rung !== undefined) this.#on?.bell(rung.channel, rung.position, rung.message);
  }
}

function fromOne<M extends Omit<ToPublish, "payload">>(message: M): M {
  return message.seen === 0 ? { ...message, seen: -1 } : message;
}

function headOf({ epoch, last_offset: last, first_offset: first }: Row): Head {
  return { epoch, offset: Number(last), first: Number(first) };
}

function away(cause: unknown): never {
  throw unavailable(cause);
}
