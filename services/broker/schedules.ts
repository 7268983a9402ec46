// Schedules as operators see and edit them. Edits lie beside what the handlers define and survive deploys; the leader of
// `control` heeds them from its next look on, within a second.

import type { Times } from "../runtime/cron-times.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { loadScript } from "../redis/scripts.ts";
import { type BrokerContext, callBroker, translate } from "./connection.ts";
import { schedulesPrefix } from "./cron.ts";

const EDIT = loadScript(new URL("./lua/cron-edit.lua", import.meta.url));
/** A leader reads them all. */
const EDITS_MAX = 1000;
const TRIES = 5;

/** What a schedule that an operator added enqueues. */
export interface ScheduledJob {
  /** The job route's id. */
  readonly route: string;
  readonly queue: string;
  /** JSON. */
  readonly input: string;
}

/** What an operator changed; what is absent is as the handler defines it. */
export interface ScheduleEdit {
  readonly paused?: true;
  readonly times?: Times;
  readonly misfire?: "latest" | "skip" | "all";
  readonly overlap?: "allow" | "skip";
  /** There is no such route: the operator added it. */
  readonly job?: ScheduledJob;
}

/** As the leader that read it last describes it. */
export interface ScheduleDescription {
  readonly times: Times;
  readonly misfire: "latest" | "skip" | "all";
  readonly overlap: "allow" | "skip";
  readonly queue: string;
  /** The route that runs. */
  readonly route: string;
  readonly class?: 0 | 1 | 2 | 3;
  readonly job?: ScheduledJob;
}

export interface ShownSchedule {
  readonly id: string;
  /** Undefined until a leader has read it. */
  readonly description: ScheduleDescription | undefined;
  readonly edit: ScheduleEdit | undefined;
  /** ms since 1970; undefined while it does not fire. */
  readonly nextMs: number | undefined;
  readonly lastMs: number | undefined;
}

export interface Edits {
  readonly version: string;
  readonly edits: ReadonlyMap<string, ScheduleEdit>;
}

export async function readEdits(context: BrokerContext): Promise<Edits> {
  const fields = await context.client.hgetall(`${schedulesPrefix(context)}:so`).catch((error: unknown) => {
    throw translate(error);
  });
  const { "": version = "0", ...rest } = fields;
  const edits = Object.entries(rest).flatMap(([id, text]) => {
    const edit = parsed<ScheduleEdit>(text);
    return edit === undefined ? [] : [[id, edit] as const];
  });
  return { version, edits: new Map(edits) };
}

/** Undefined for what no release of ours has written. */
function parsed<T>(text: string | null | undefined): T | undefined {
  try {
    return text ? (JSON.parse(text) as T) : undefined;
  } catch {
    return undefined;
  }
}

/** All that a leader knows of or an operator has added, by id. */
export async function shownSchedules(context: BrokerContext): Promise<ShownSchedule[]> {
  const prefix = schedulesPrefix(context);
  const [descriptions, lasts, slots, { edits }] = await Promise.all([
    context.client.hgetall(`${prefix}:si`),
    context.client.hgetall(`${prefix}:sl`),
    context.client.zrange(`${prefix}:s`, "0", "-1", "WITHSCORES"),
    readEdits(context),
  ]).catch((error: unknown) => {
    throw translate(error);
  });
  const next = new Map(slots.flatMap((id, at) => (at % 2 === 0 ? [[id, Number(slots[at + 1])] as const] : [])));
  const added = [...edits].flatMap(([id, edit]) => (edit.job === undefined ? [] : [id]));
  return [...new Set([...Object.keys(descriptions), ...added])].sort().map((id) => {
    const last = lasts[id];
    const edit = edits.get(id);
    return {
      id,
      description: parsed<ScheduleDescription>(descriptions[id]),
      edit,
      nextMs: edit?.paused ? undefined : next.get(id),
      lastMs: last === undefined ? undefined : Number(last),
    };
  });
}

/**
 * Replaces the edit of one schedule by what `change` makes of it; undefined takes it away.
 * @throws CONFLICT when others edit the same one all the time, QUEUE_FULL when too many are edited
 */
export async function editSchedule(
  context: BrokerContext,
  id: string,
  change: (edit: ScheduleEdit | undefined) => ScheduleEdit | undefined,
): Promise<void> {
  const prefix = schedulesPrefix(context);
  for (let tries = 0; tries < TRIES; tries++) {
    const before = await context.client.hget(`${prefix}:so`, id).catch((error: unknown) => {
      throw translate(error);
    });
    const after = change(parsed<ScheduleEdit>(before));
    const args = [id, before ?? "", after === undefined ? "" : JSON.stringify(after), EDITS_MAX];
    if (Number(await callBroker(context, { script: EDIT, keys: [prefix], args })) === 1) return;
  }
  throw new AntiphonError("CONFLICT", `schedule ${id}`);
}
