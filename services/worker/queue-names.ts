// The names of all queues, read again only when there are more or fewer than at the last look.

import type { BrokerContext } from "../broker/connection.ts";
import { queueNames } from "../broker/registered.ts";

/** Read all the same at each so many looks: as many queues may have gone as came. */
const LOOKS_MAX = 60;

export class QueueNames {
  readonly #broker: BrokerContext;
  #count = -1;
  #looks = 0;

  constructor(broker: BrokerContext) {
    this.#broker = broker;
  }

  /** Undefined when nothing has changed. */
  async look(): Promise<readonly string[] | undefined> {
    const { client, keys } = this.#broker;
    const count = await client.scard(keys.queues());
    if (count === this.#count && ++this.#looks < LOOKS_MAX) return undefined;
    const names = await queueNames(this.#broker);
    this.#looks = 0;
    this.#count = names.length;
    return names;
  }
}
