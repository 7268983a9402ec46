// The registry that gives every route id a stable number, so that an element can name its route in a few bytes.

import { loadScript, type Reply, runScript, utf8 } from "../redis/scripts.ts";
import { type BrokerContext, translate } from "./connection.ts";

const ROUTES = loadScript(new URL("./lua/routes.lua", import.meta.url));

/** Numbers of the ids, new ones given where needed; never 0, and never given again to another id. */
export async function registerRoutes(context: BrokerContext, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  try {
    const reply = await runScript(context.client, { script: ROUTES, keys: [context.keys.routes()], args: [...ids] });
    return new Map((reply as Reply[]).map((number, index) => [ids[index] as string, Number(number)]));
  } catch (error) {
    throw translate(error);
  }
}

/** What a job's contract says of where its deliveries wait. */
export interface JobPlace {
  readonly queue?: string;
  readonly tag?: string;
  readonly class?: 0 | 1 | 2 | 3;
}

/** Tells which route does which job and where its deliveries wait, so that programs without handlers can name the job. */
export async function registerJobs(
  context: BrokerContext,
  jobs: ReadonlyMap<string, string>,
  places: ReadonlyMap<string, JobPlace> = new Map(),
): Promise<void> {
  if (jobs.size === 0) return;
  const { client, keys } = context;
  const told = [...jobs.keys()].flatMap((name) => placeText(name, places.get(name)));
  const silent = [...jobs.keys()].filter((name) => placeText(name, places.get(name)).length === 0);
  try {
    await Promise.all([
      client.hset(keys.jobs(), ...[...jobs].flat()),
      told.length > 0 && client.hset(keys.jobPlaces(), ...told),
      silent.length > 0 && client.hdel(keys.jobPlaces(), ...silent),
    ]);
  } catch (error) {
    throw translate(error);
  }
}

/** A field and its value; none of a contract that says nothing. */
function placeText(name: string, { queue, tag, class: priority }: JobPlace = {}): string[] {
  if (queue === undefined && tag === undefined && priority === undefined) return [];
  return [name, JSON.stringify({ queue, tag, class: priority })];
}

/** Job name -> route id, of every job that a worker ever had. */
export async function readJobs(context: BrokerContext): Promise<ReadonlyMap<string, string>> {
  try {
    return new Map(Object.entries(await context.client.hgetall(context.keys.jobs())));
  } catch (error) {
    throw translate(error);
  }
}

/** Job name -> place, of those whose contract says one. */
export async function readJobPlaces(context: BrokerContext): Promise<ReadonlyMap<string, JobPlace>> {
  try {
    const places = Object.entries(await context.client.hgetall(context.keys.jobPlaces()));
    return new Map(places.map(([name, text]) => [name, JSON.parse(text) as JobPlace]));
  } catch (error) {
    throw translate(error);
  }
}

/** Every id ever registered, by number. */
export async function readRoutes(context: BrokerContext): Promise<Map<number, string>> {
  const fields = await context.client.hgetall(context.keys.routes());
  return new Map(
    Object.entries(fields)
      .filter(([id]) => id !== "")
      .map(([id, number]) => [Number(utf8(number)), id]),
  );
}
