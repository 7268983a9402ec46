// What a worker's process says of itself every few seconds, for people: it is forgotten when it says no more.

import { type BrokerContext, translate } from "./connection.ts";

export interface Vitals {
  /** Memory of the whole process. */
  readonly rssBytes: number;
}

const KEPT_SECONDS = 20;

export async function writeVitals(context: BrokerContext, pod: string, vitals: Vitals): Promise<void> {
  try {
    await context.client.set(context.keys.vitals(pod), JSON.stringify(vitals), "EX", KEPT_SECONDS);
  } catch (error) {
    throw translate(error);
  }
}

/** Of the pods that have said something lately. */
export async function readVitals(
  { client, keys }: BrokerContext,
  pods: readonly string[],
): Promise<ReadonlyMap<string, Vitals>> {
  if (pods.length === 0) return new Map();
  try {
    const told = await client.mget(pods.map((pod) => keys.vitals(pod)));
    return new Map(pods.flatMap((pod, at): [string, Vitals][] => (told[at] ? [[pod, JSON.parse(told[at])]] : [])));
  } catch (error) {
    throw translate(error);
  }
}
