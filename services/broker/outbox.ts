// The outbox of a unit: Actions wait here, in order per room, until the unit's leader has executed them.
//
// Its claimer is the unit and its epoch. It is never reaped by time: only the Lease says who sends. A new leader hands back
// what other epochs held; those Actions are in doubt, because their attempt may have reached the platform.

import { type Argument, loadScript, type Reply, type Script, text } from "../redis/scripts.ts";
import {
  type Claim,
  type Settled,
  type Settlement,
  takeArguments,
  type Taken,
  type TakeOptions,
  NO_TAKE,
} from "./claims.ts";
import { type BrokerContext, callBroker } from "./connection.ts";
import { encodeSettlements } from "./settling.ts";
import { decodeHeld, decodeTaken } from "./taken.ts";

const TAKE = loadScript(new URL("./lua/outbox-take.lua", import.meta.url));
const SETTLE = loadScript(new URL("./lua/outbox-settle.lua", import.meta.url));
const HELD = loadScript(new URL("./lua/outbox-held.lua", import.meta.url));
const RECOVER = loadScript(new URL("./lua/outbox-recover.lua", import.meta.url));

export interface OutboxOptions extends BrokerContext {
  readonly unit: string;
  /** The epoch of the Lease held; every call with an old one throws FENCED and writes nothing. */
  readonly epoch: string;
}

export class OutboxClaims {
  readonly queue: string;
  readonly wid: string;
  readonly bell: string;
  readonly #options: OutboxOptions;
  readonly #keys: readonly string[];

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.queue = `outbox/${options.unit}`;
    this.wid = `${options.unit}:${options.epoch}`;
    const prefix = options.keys.outbox(options.unit);
    this.bell = options.keys.bell(prefix, this.wid);
    this.#keys = [prefix, options.keys.epoch(options.unit)];
  }

  /** First call of a new leader. Answers the Actions in doubt: delivery number (decimal) -> since when, ms since 1970. */
  async recover(): Promise<Map<string, number>> {
    const reply = (await this.#call(RECOVER, [this.wid])) as Reply[];
    const doubtful = new Map<string, number>();
    for (let at = 0; at + 1 < reply.length; at += 2) doubtful.set(text(reply[at]), Number(text(reply[at + 1])));
    return doubtful;
  }

  async take(options: TakeOptions): Promise<Taken> {
    return decodeTaken((await this.#call(TAKE, [this.wid, this.bell, ...takeArguments(options)])) as Reply[]);
  }

  async settle(settlements: readonly Settlement[], take: TakeOptions = NO_TAKE): Promise<Settled> {
    const { args, decode } = encodeSettlements(this.#options, settlements, false);
    const head = [this.wid, this.bell, ...takeArguments(take), 0];
    return decode((await this.#call(SETTLE, [...head, ...args])) as Reply[]);
  }

  async held(): Promise<Claim[]> {
    return decodeHeld((await this.#call(HELD, [this.wid])) as Reply[]);
  }

  #call(script: Script, args: readonly Argument[]): Promise<Reply> {
    return callBroker(this.#options, { script, keys: this.#keys, args });
  }
}
