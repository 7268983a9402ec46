// Changes that commands make straight in Redis are in the audit log too, in the name of whoever is logged in at this machine.
// Whoever may write to Redis can say anything there: for names that are proven, people go through the API with tokens.

import { hostname, userInfo } from "node:os";
import { Audit, type Change } from "../admin/audit.ts";
import { targetOf } from "../admin/audit-target.ts";
import type { Config } from "../config/config.ts";
import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import type { CommandContext } from "./command.ts";

export interface Around {
  readonly config: Config;
  readonly client: RedisClient;
  readonly keys: Keys;
}

export interface Doing extends Pick<CommandContext, "options" | "words"> {
  /** As the API calls it, e.g. `queue.pause`. */
  readonly action: string;
}

/** `isRefused`: not everything that was asked for could be done. Throws before the change where it cannot be told. */
export async function audited<T>(
  around: Around,
  doing: Doing,
  [change, isRefused]: readonly [() => Promise<T>, (answer: T) => boolean],
): Promise<T> {
  const audit = auditOf(around);
  const open = await audit.begin(changeOf(doing));
  try {
    const answer = await change();
    await audit.end(open, { outcome: isRefused(answer) ? "refused" : "done", status: 0 });
    return answer;
  } catch (error) {
    await audit.end(open, { outcome: "failed", status: 0 }).catch(() => {});
    throw error;
  }
}

export function auditOf({ config, client, keys }: Around): Audit {
  return new Audit({ client, keys, length: config.auditLength, days: config.auditDays });
}

const NO_TARGET = ["url", "json", "config", "help"];

function changeOf({ action, words, options }: Doing): Change {
  const asked = Object.fromEntries(Object.entries(options).filter(([name]) => !NO_TARGET.includes(name)));
  const target = targetOf({ params: words, body: asked });
  return { who: userName(), role: "admin", way: "cli", action, target, from: hostname() };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "?"}`;
  }
}
