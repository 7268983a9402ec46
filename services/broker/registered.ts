// Which queues there are, and which workers are registered in them.

import type { WorkerFacts } from "./claims.ts";
import { type BrokerContext, translate } from "./connection.ts";

export interface RegisteredWorker {
  readonly queue: string;
  readonly wid: string;
  readonly clientId: string;
  readonly pod: string;
  readonly facts?: WorkerFacts;
  /** As registered; a reconnect changes it. */
  readonly info: string;
}

/** `<client id> <pod>`, and what else the worker says of itself, as JSON. */
export function decodeInfo(info: string): Pick<RegisteredWorker, "info" | "clientId" | "pod" | "facts"> {
  const [clientId = "", pod = "", ...rest] = info.split(" ");
  const facts = decodeFacts(rest.join(" "));
  return { info, clientId, pod, ...(facts && { facts }) };
}

/** A later release may say it otherwise. */
function decodeFacts(text: string): WorkerFacts | undefined {
  try {
    return text === "" ? undefined : (JSON.parse(text) as WorkerFacts);
  } catch {
    return undefined;
  }
}

/** Names of all queues, outboxes included. */
export async function queueNames(context: BrokerContext): Promise<string[]> {
  try {
    return await context.client.smembers(context.keys.queues());
  } catch (error) {
    throw translate(error);
  }
}

/** Every worker registered in the queues given. */
export async function registeredWorkers(
  context: BrokerContext,
  queues: readonly string[],
): Promise<RegisteredWorker[]> {
  try {
    const found = await Promise.all(
      queues.map(async (queue) => {
        const workers = await context.client.hgetall(`${context.keys.queue(queue)}:wi`);
        return Object.entries(workers).map(([wid, info]) => ({ queue, wid, ...decodeInfo(info) }));
      }),
    );
    return found.flat();
  } catch (error) {
    throw translate(error);
  }
}
