// Takes back at once what a worker held whose connection was seen to close. Time-based reaping rides in take and beat.

import { loadScript } from "../redis/scripts.ts";
import { type BrokerContext, callBroker } from "./connection.ts";
import type { RegisteredWorker } from "./registered.ts";

const REAP_CLOSED = loadScript(new URL("./lua/reap-closed.lua", import.meta.url));

/** Answers how many deliveries came back; null when the worker has reconnected or is gone. Throws FENCED. */
export async function reapClosed(
  context: BrokerContext,
  worker: RegisteredWorker,
  control: { readonly epoch: string },
): Promise<number | null> {
  const returned = Number(
    await callBroker(context, {
      script: REAP_CLOSED,
      keys: [context.keys.queue(worker.queue), context.keys.epoch("control")],
      args: [control.epoch, worker.wid, worker.info],
    }),
  );
  return returned < 0 ? null : returned;
}
