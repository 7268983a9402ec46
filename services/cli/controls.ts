// What commands ask a bot, whichever way it is reached: the queue client on Redis, or the admin API of a process (`--url`).

import type { DeadLetters } from "../queue/dead-letters.ts";
import type { Queue } from "../queue/queue.ts";
import type { EnqueueOptions, JobName, Queued } from "../queue/queue.ts";
import type { Workers } from "../queue/workers.ts";
import type { ScheduleControls } from "../sdk/schedules.ts";
import type { Around } from "./audited.ts";
import { askQueue } from "./ask-queue.ts";
import type { CommandContext } from "./command.ts";
import { urlOf } from "./url-option.ts";

type Asked = "depths" | "show" | "history" | "pause" | "resume" | "limit" | "search" | "find" | "cancel" | "edit";

/** Of the queue client, what the commands need. */
export interface Controls extends Pick<Queue, Asked | "reschedule" | "retry" | "result"> {
  enqueue(job: JobName, input: unknown, options?: EnqueueOptions): Promise<Queued>;
  readonly dead: Pick<DeadLetters, "list" | "retry" | "purge">;
  readonly workers: Pick<Workers, "list" | "quiet" | "resume" | "stop">;
  readonly schedules: ScheduleControls;
}

/** `around`: where Redis itself is asked; then nobody else writes what is changed into the audit log. */
export async function askControls<T>(
  { options, readConfig }: Pick<CommandContext, "options" | "readConfig">,
  ask: (controls: Controls, around: Around | undefined) => Promise<T>,
): Promise<T> {
  const url = urlOf(options);
  const config = await readConfig("tool");
  if (url === undefined) return askQueue(config, ask);
  const { HttpControls } = await import("./http-controls.ts");
  return ask(new HttpControls({ url, token: config.adminToken }), undefined);
}
