// What Redis knows of this thread's routes: their numbers, which of them do which jobs, their limits, what people are
// told of them. Written when they are loaded, and again after each gap in the connection, for the server may have come back
// empty.

import { writeCatalogue } from "../broker/catalogue.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { setRouteLimits } from "../broker/limits.ts";
import { registerJobs, registerRoutes } from "../broker/routes.ts";
import type { Manifest } from "../handlers/manifest.ts";
import { type Patience, untilAnswered } from "./patience.ts";
import { limitsOf } from "./route-limits.ts";
import { notesOf } from "./route-notes.ts";

export class Registry {
  readonly #broker: BrokerContext;
  readonly #manifest: Manifest;
  readonly #patience: Patience;
  readonly #numbers = new Map<string, number>();

  constructor(broker: BrokerContext, manifest: Manifest, patience: Patience) {
    this.#broker = broker;
    this.#manifest = manifest;
    this.#patience = patience;
  }

  /** Route id -> number; it changes with what an empty server gave out anew. */
  get numbers(): ReadonlyMap<string, number> {
    return this.#numbers;
  }

  /** However long Redis is away. */
  async write(): Promise<void> {
    const { routeIds, jobRoutes, jobContracts } = this.#manifest;
    const numbers = await untilAnswered(this.#patience, () => registerRoutes(this.#broker, routeIds));
    for (const [id, number] of numbers) this.#numbers.set(id, number);
    await untilAnswered(this.#patience, () => registerJobs(this.#broker, jobRoutes, jobContracts));
    await untilAnswered(this.#patience, () => setRouteLimits(this.#broker, limitsOf(this.#manifest, this.#numbers)));
    await untilAnswered(this.#patience, () => writeCatalogue(this.#broker, notesOf(this.#manifest)));
  }
}
