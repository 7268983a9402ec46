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

/** Tells which route does which job, so that programs without handlers can name the job. */
export async function registerJobs(context: BrokerContext, jobs: ReadonlyMap<string, string>): Promise<void> {
  if (jobs.size === 0) return;
  try {
    await context.client.hset(context.keys.jobs(), ...[...jobs].flat());
  } catch (error) {
    throw translate(error);
  }
}

/** Job name -> route id, of every job that a worker ever had. */
export async function readJobs(context: BrokerContext): Promise<ReadonlyMap<string, string>> {
  try {
    return new Map(Object.entries(await context.client.hgetall(context.keys.jobs())));
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
