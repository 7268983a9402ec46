// Dead letters: looked at, run again or forgotten, by their ids or by what they have in common.

import { type BrokerContext, serverNowMs, translate } from "../broker/connection.ts";
import { type DeadLetter, findDeadLetter, purgeDead, retryDead } from "../broker/dead.ts";
import { queueNames } from "../broker/registered.ts";
import type { FoundDelivery } from "../broker/search.ts";
import { type ListedOne, listedOf } from "./listed.ts";
import { type Filter, gather } from "./looking.ts";

/** Ids, or what the letters have in common; `{}` is all of them. */
export type Chosen = string | readonly string[] | Filter;

export interface Acted {
  readonly count: number;
  /** Ids that no dead letter has. */
  readonly unknown: readonly string[];
}

const LIMIT = 100;
/** Letters of one script call. */
const BATCH = 200;
/** Letters that are held in memory at once. */
const ROUND = 10_000;

export class DeadLetters {
  readonly #context: BrokerContext;

  constructor(context: BrokerContext) {
    this.#context = context;
  }

  /** The newest first. */
  async list(wanted: Filter & { readonly limit?: number } = {}): Promise<ListedOne[]> {
    const { limit = LIMIT, ...filter } = wanted;
    const queues = filter.queue === undefined ? await this.#allQueues() : [filter.queue];
    const found = await Promise.all(
      queues.map((queue) => gather(this.#context, { ...filter, queue, limit, states: ["dead"] })),
    );
    const newest = found.flat().sort((a, b) => b.sinceMs - a.sinceMs);
    return newest.slice(0, limit).map(listedOf);
  }

  /** They run again under their ids, with no failures counted. */
  retry(chosen: Chosen): Promise<Acted> {
    return this.#act(chosen, retryDead);
  }

  /** They are forgotten, with everything that they left. */
  purge(chosen: Chosen): Promise<Acted> {
    return this.#act(chosen, purgeDead);
  }

  async #act(chosen: Chosen, act: typeof retryDead): Promise<Acted> {
    if (typeof chosen === "string") return this.#actOnIds([chosen], act);
    return isIds(chosen) ? this.#actOnIds(chosen, act) : { count: await this.#actOnAll(chosen, act), unknown: [] };
  }

  async #actOnIds(ids: readonly string[], act: typeof retryDead): Promise<Acted> {
    const queues = await this.#allQueues();
    const unknown: string[] = [];
    let count = 0;
    for (const id of ids) {
      const letter = await findDeadLetter(this.#context, queues, id).catch((error: unknown) => {
        throw translate(error);
      });
      const acted = letter === undefined ? 0 : await act(this.#context, letter.queue, [letter]);
      if (acted === 0) unknown.push(id);
      count += acted;
    }
    return { count, unknown };
  }

  /** Those of this moment: what fails again meanwhile stays. */
  async #actOnAll(filter: Filter, act: typeof retryDead): Promise<number> {
    const untilMs = await serverNowMs(this.#context);
    let count = 0;
    for (const queue of filter.queue === undefined ? await this.#allQueues() : [filter.queue]) {
      for (let more = true; more;) {
        const found = await gather(this.#context, { ...filter, queue, states: ["dead"], limit: ROUND });
        const acted = await this.#actOnLetters(queue, {
          letters: found.filter(({ sinceMs }) => sinceMs <= untilMs),
          act,
        });
        count += acted;
        more = acted > 0 && found.length === ROUND;
      }
    }
    return count;
  }

  /** With the outboxes: an Action that cannot be said is a dead letter too. */
  async #allQueues(): Promise<string[]> {
    return (await queueNames(this.#context)).sort();
  }

  async #actOnLetters(queue: string, { letters, act }: ToActOn): Promise<number> {
    let count = 0;
    for (let at = 0; at < letters.length; at += BATCH)
      count += await act(this.#context, queue, letters.slice(at, at + BATCH).map(letterOf));
    return count;
  }
}

interface ToActOn {
  readonly letters: readonly FoundDelivery[];
  readonly act: typeof retryDead;
}

function isIds(chosen: readonly string[] | Filter): chosen is readonly string[] {
  return Array.isArray(chosen);
}

function letterOf({ number, id, queue, element, key, reason = "", sinceMs, header }: FoundDelivery): DeadLetter {
  return { number, id, queue, element, key, reason, at: sinceMs, header };
}
