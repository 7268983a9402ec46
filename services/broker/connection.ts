// What every piece of the broker needs to reach Redis, and the translation of Redis' refusals into coded errors.

import { AntiphonError } from "../runtime/errors.ts";
import type { RedisClient } from "../redis/connect.ts";
import { type Durability, prove } from "../redis/durable.ts";
import type { Keys } from "../redis/keys.ts";
import { type Argument, type Call, type Reply, runScript, type Script } from "../redis/scripts.ts";
import type { Sending } from "./sending.ts";

export interface BrokerContext {
  readonly client: RedisClient;
  readonly keys: Keys;
  /** Added to the server's clock inside the scripts, ms; for tests. */
  readonly clockOffsetMs?: () => number;
  /** What is waited for before an acknowledgement, unless a delivery says otherwise. */
  readonly durability?: Durability;
  /** Left out where nobody is told how much is sent. */
  readonly sending?: Sending;
}

/** Holds back an acknowledgement until what was answered is as durable as that. Throws DURABILITY_UNMET. */
export async function proven(
  context: BrokerContext,
  level: Durability = context.durability ?? "default",
): Promise<void> {
  if (level !== "default") await prove(context.client, { level, key: context.keys.proof() });
}

export interface QueueCall {
  readonly script: Script;
  readonly keys: readonly string[];
  /** Without the clock offset, which comes first in every script. */
  readonly args: readonly Argument[];
}

export function withOffset(context: BrokerContext, call: QueueCall): Call {
  return { script: call.script, keys: call.keys, args: [context.clockOffsetMs?.() ?? 0, ...call.args] };
}

/** ms since 1970. */
export async function serverNowMs(context: BrokerContext): Promise<number> {
  try {
    const [seconds = 0, micros = 0] = (await context.client.time()).map(Number);
    return Math.floor(seconds * 1000 + micros / 1000) + (context.clockOffsetMs?.() ?? 0);
  } catch (error) {
    throw translate(error);
  }
}

/** Runs a script of the broker. Throws FENCED, CLAIM_LOST, QUEUE_FULL or REDIS_UNAVAILABLE; any other error as it is. */
export async function callBroker(context: BrokerContext, call: QueueCall): Promise<Reply> {
  try {
    return await runScript(context.client, withOffset(context, call));
  } catch (error) {
    throw translate(error);
  }
}

const REFUSALS = [
  ["FENCED", "FENCED"],
  ["LOST", "CLAIM_LOST"],
  ["FULL", "QUEUE_FULL"],
] as const;

/** Server errors that will not go away by themselves are passed on; everything about the connection is "unavailable". */
export function translate(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof AntiphonError) return error;
  for (const [prefix, code] of REFUSALS) {
    if (error.message.startsWith(`${prefix} `)) return new AntiphonError(code, "", { cause: error });
  }
  if (
    error.name === "ReplyError" &&
    !/^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM|MISCONF|NOAUTH|WRONGPASS|NOREPLICAS)\b/.test(error.message)
  ) {
    return error;
  }
  return new AntiphonError("REDIS_UNAVAILABLE", error.message, { cause: error });
}
