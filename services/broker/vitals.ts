// What a worker's process says of itself every few seconds, for people: it is forgotten when it says no more.
//
// Not promised: that it is so at this moment. A short run comes and goes unmentioned.

import { type BrokerContext, translate } from "./connection.ts";

export interface Vitals {
  /** Memory of the whole process. */
  readonly rssBytes: number;
  /** Of what is below absent: a process says it as soon as it knows. Of all its threads' heaps, garbage included. */
  readonly heapBytes?: number;
  readonly threads?: readonly ThreadVitals[];
}

export interface ThreadVitals {
  /** Such as `work-1`. */
  readonly thread: string;
  /** `starting`: its handlers are being loaded. `leaving`: it gets nothing more. */
  readonly state: "starting" | "ready" | "leaving";
  readonly slots: number;
  /** Of those, taken. */
  readonly busy: number;
  readonly heapBytes?: number;
  /** What has begun in it; where very much has, the longest of it. */
  readonly runs: readonly RunVitals[];
}

/** Short, for there may be hundreds: the delivery's decimal id, its route's number or 0, since when, ms by the server's clock. */
export type RunVitals = readonly [id: string, route: number, sinceMs: number];

const KEPT_SECONDS = 20;

/** `process`: as in `WorkerFacts`. */
export async function writeVitals(context: BrokerContext, process: string, vitals: Vitals): Promise<void> {
  try {
    await context.client.set(context.keys.vitals(process), JSON.stringify(vitals), "EX", KEPT_SECONDS);
  } catch (error) {
    throw translate(error);
  }
}

/** Of the processes that have said something lately. */
export async function readVitals(
  { client, keys }: BrokerContext,
  processes: readonly string[],
): Promise<ReadonlyMap<string, Vitals>> {
  if (processes.length === 0) return new Map();
  try {
    const told = await client.mget(processes.map((process) => keys.vitals(process)));
    return new Map(
      processes.flatMap((name, at): [string, Vitals][] => (told[at] ? [[name, JSON.parse(told[at])]] : [])),
    );
  } catch (error) {
    throw translate(error);
  }
}
