// The numbers that Redis gave to routes: registered at the first need, so that a start does not wait for Redis.

import type { BrokerContext } from "../broker/connection.ts";
import { registerRoutes } from "../broker/routes.ts";
import { AntiphonError } from "../runtime/errors.ts";

export class RouteNumbers {
  readonly #context: BrokerContext;
  readonly #ids: readonly string[];
  #numbers: Promise<Map<string, number>> | undefined;

  constructor(context: BrokerContext, ids: readonly string[]) {
    this.#context = context;
    this.#ids = ids;
  }

  /** After a gap the server may have come back empty and given the numbers to other routes. */
  forget(): void {
    this.#numbers = undefined;
  }

  async of(id: string): Promise<number> {
    this.#numbers ??= registerRoutes(this.#context, this.#ids);
    const numbers = await this.#numbers.catch((error: unknown) => {
      this.#numbers = undefined;
      throw error;
    });
    const number = numbers.get(id);
    if (number === undefined) throw new AntiphonError("ROUTE_UNKNOWN", id);
    return number;
  }
}
