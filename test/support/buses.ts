// Buses for the tests of one file: on one Redis, each in a namespace of its own, closed after their test.

import { afterEach, beforeAll } from "vitest";
import { type MessageBus, openBus, type OpenBusOptions } from "../../services/bus/plugin.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { testRedis } from "./redis.ts";

export interface Buses {
  /** Of the Redis. */
  readonly url: string;
  /** Called after the test, the last one first. */
  readonly closers: (() => Promise<unknown>)[];
  open(options?: OpenBusOptions): Promise<MessageBus>;
}

/** Called at the top of a file. */
export function useBuses(): Buses {
  const closers: (() => Promise<unknown>)[] = [];
  let url = "";
  beforeAll(async () => {
    ({ url } = await testRedis());
  });
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });
  return {
    get url() {
      return url;
    },
    closers,
    open: async (options = {}) => {
      const bus = await openBus({ url, namespace: `s${randomId()}`, idSeed: "zero", ...options });
      closers.push(() => bus.close());
      return bus;
    },
  };
}
