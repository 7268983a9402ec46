// Resume state of a unit's connection: read at a start, written here only when no Delivery carries it.

import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import { isFenced, loadScript, runScript } from "../redis/scripts.ts";
import { AntiphonError } from "../runtime/errors.ts";

const RESUME = loadScript(new URL("./lua/resume.lua", import.meta.url));

/** As the adapter left it, or undefined when this unit never stored any. */
export async function readResume(
  client: RedisClient,
  keys: Keys,
  unit: string,
): Promise<Record<string, string> | undefined> {
  const fields = await client.hgetall(keys.resume(unit));
  return Object.keys(fields).length === 0 ? undefined : fields;
}

export interface ResumeWrite {
  readonly unit: string;
  readonly epoch: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Throws FENCED when another epoch leads the unit. */
export async function writeResume(client: RedisClient, keys: Keys, write: ResumeWrite): Promise<void> {
  const args = [write.epoch, ...Object.entries(write.fields).flat()];
  try {
    await runScript(client, { script: RESUME, keys: [keys.epoch(write.unit), keys.resume(write.unit)], args });
  } catch (error) {
    if (isFenced(error)) throw new AntiphonError("FENCED", `Resume state of ${write.unit}.`, { cause: error });
    throw error;
  }
}
