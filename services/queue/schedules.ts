// Schedules as operators see and edit them: what comes due when, paused and resumed, at other times, run now, added.
// What the leader of `control` has read of the handlers' schedules is all that is known here.

import { encodeEnvelope } from "../broker/delivery.ts";
import type { NewDelivery, Producer } from "../broker/producer.ts";
import { editSchedule, type ScheduleEdit, type ShownSchedule, shownSchedules } from "../broker/schedules.ts";
import { type BrokerContext, serverNowMs } from "../broker/connection.ts";
import { type Times, timesProblems } from "../runtime/cron-times.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { suggestion } from "../runtime/suggest.ts";
import type { Job } from "../sdk/context.ts";
import { durationMs } from "../sdk/duration.ts";
import { jsonProblems } from "../sdk/json.ts";
import { queueName } from "../sdk/place.ts";
import type { NewSchedule, ScheduleChange, ScheduleControls, ScheduleInfo } from "../sdk/schedules.ts";
import { MISFIRES, OVERLAPS } from "../sdk/timed.ts";
import type { Directory } from "./directory.ts";

export interface SchedulesParts extends BrokerContext {
  readonly directory: Directory;
  readonly producer: Producer;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
const INPUT_BYTES_MAX = 65_536;

export class Schedules implements ScheduleControls {
  readonly #parts: SchedulesParts;

  constructor(parts: SchedulesParts) {
    this.#parts = parts;
  }

  async list(): Promise<ScheduleInfo[]> {
    return (await shownSchedules(this.#parts)).flatMap(infoOf);
  }

  async pause(id: string): Promise<void> {
    await this.#edit(id, (edit) => ({ ...edit, paused: true }));
  }

  async resume(id: string): Promise<void> {
    await this.#edit(id, (edit) => {
      const { paused: _, ...rest } = edit;
      return rest;
    });
  }

  async run(id: string): Promise<{ readonly id: string }> {
    const { queue, delivery } = await this.prepareRun(id);
    return { id: (await this.#parts.producer.enqueue(queue, delivery)).id };
  }

  /** What `run` enqueues, for a run that does it as an effect of its own. */
  async prepareRun(id: string): Promise<{ readonly queue: string; readonly delivery: NewDelivery }> {
    const { route, queue, job, class: priority } = await this.#find(id);
    const at = await serverNowMs(this.#parts);
    const number = await this.#parts.directory.numberOf(route);
    const envelope = job
      ? encodeEnvelope({ v: 1, kind: "job", route }, job)
      : encodeEnvelope({ v: 1, kind: "cron", route }, JSON.stringify({ slot: at }));
    const placed = priority === undefined ? {} : { class: priority };
    return { queue, delivery: { route: number, envelope, ...placed } };
  }

  async set(id: string, change: ScheduleChange): Promise<void> {
    const { times } = await this.#find(id);
    const changed = changeOf(change, times);
    await this.#edit(id, (edit) => ({ ...edit, ...changed }));
  }

  async reset(id: string): Promise<void> {
    const { added } = await this.#find(id);
    if (added) throw new AntiphonError("CRON_INVALID", `No handler defines ${id}: it can be removed.`);
    await editSchedule(this.#parts, id, () => undefined);
  }

  async add(id: string, { job, input = {}, queue, ...change }: NewSchedule): Promise<void> {
    const problems = NAME.test(id) ? [] : ["a name has 1 to 100 letters, digits, dots, - and _"];
    const known = (await shownSchedules(this.#parts)).find((one) => one.id === id);
    if (known !== undefined && known.edit?.job === undefined) problems.push("a handler has a schedule of this id");
    if (problems.length > 0) throw new AntiphonError("CRON_INVALID", `${id}: ${problems.join("; ")}.`);
    const { job: contract, route } = await this.#parts.directory.find(job);
    const changed = changeOf(change);
    const to = queue ?? queueName(placeOf(contract));
    const enqueued = { route: route.id, queue: to, input: inputOf(input) };
    await editSchedule(this.#parts, id, () => ({ ...changed, job: enqueued }));
  }

  async remove(id: string): Promise<void> {
    const { added } = await this.#find(id);
    if (!added) throw new AntiphonError("CRON_INVALID", `A handler defines ${id}: it can be paused.`);
    await editSchedule(this.#parts, id, () => undefined);
  }

  async #find(id: string): Promise<Found> {
    const shown = await shownSchedules(this.#parts);
    const found = shown.find((one) => one.id === id);
    const [info] = found === undefined ? [] : infoOf(found);
    if (found !== undefined && info !== undefined)
      return { ...info, job: found.edit?.job?.input, class: found.description?.class };
    const ids = shown.map((one) => one.id);
    throw new AntiphonError("SCHEDULE_UNKNOWN", `${id}.${suggestion(id, ids)}`);
  }

  /** An edit that says nothing is none. */
  async #edit(id: string, change: (edit: ScheduleEdit) => ScheduleEdit): Promise<void> {
    await this.#find(id);
    await editSchedule(this.#parts, id, (edit = {}) => {
      const changed = change(edit);
      return Object.keys(changed).length === 0 ? undefined : changed;
    });
  }
}

interface Found extends ScheduleInfo {
  /** The input, where it enqueues a job. */
  readonly job: string | undefined;
  readonly class: 0 | 1 | 2 | 3 | undefined;
}

/** @throws AntiphonError CRON_INVALID with every problem */
function changeOf(change: ScheduleChange, before?: Times): Omit<ScheduleEdit, "paused" | "job"> {
  const { misfire, overlap } = change;
  const problems: string[] = [];
  const times = timesOf(change, before, problems);
  if (times !== undefined) problems.push(...timesProblems(times));
  else if (before === undefined && problems.length === 0) problems.push("it must say when: spec and tz, or every");
  if (misfire !== undefined && !MISFIRES.includes(misfire))
    problems.push(`misfire must be one of ${MISFIRES.join(", ")}`);
  if (overlap !== undefined && !OVERLAPS.includes(overlap))
    problems.push(`overlap must be one of ${OVERLAPS.join(", ")}`);
  if (problems.length > 0) throw new AntiphonError("CRON_INVALID", `${problems.join("; ")}.`);
  return { ...(times && { times }), ...(misfire && { misfire }), ...(overlap && { overlap }) };
}

function timesOf(
  { spec, tz, every }: ScheduleChange,
  before: Times | undefined,
  problems: string[],
): Times | undefined {
  if (every !== undefined) {
    if (spec !== undefined || tz !== undefined) problems.push("every goes without spec and tz");
    const periodMs = durationMs(every);
    if (periodMs === undefined) problems.push('every must be a duration such as "5m"');
    return periodMs === undefined ? undefined : { kind: "every", periodMs };
  }
  if (spec === undefined && tz === undefined) return undefined;
  const old = before?.kind === "cron" ? before : undefined;
  const times = { spec: spec?.trim() ?? old?.spec, tz: tz ?? old?.tz };
  if (times.spec === undefined) problems.push("a time zone goes with a spec");
  if (times.tz === undefined) problems.push("a spec goes with a time zone");
  return times.spec === undefined || times.tz === undefined
    ? undefined
    : { kind: "cron", spec: times.spec, tz: times.tz };
}

/** @throws AntiphonError INPUT_INVALID, VALUE_TOO_LARGE */
function inputOf(input: unknown): string {
  const problems = jsonProblems("input", input);
  if (problems.length > 0) throw new AntiphonError("INPUT_INVALID", `${problems.join("; ")}.`);
  const text = JSON.stringify(input);
  if (Buffer.byteLength(text) > INPUT_BYTES_MAX)
    throw new AntiphonError("VALUE_TOO_LARGE", `The input of a schedule has at most ${INPUT_BYTES_MAX} bytes.`);
  return text;
}

function placeOf({ queue, tag }: Job): { queue?: string; tag?: string } {
  return { ...(queue !== undefined && { queue }), ...(tag !== undefined && { tag }) };
}

/** None for an edit whose route is gone, and for what was added and removed again. */
function infoOf({ id, description, edit = {}, nextMs, lastMs }: ShownSchedule): ScheduleInfo[] {
  const { paused = false, job } = edit;
  const times = edit.times ?? description?.times;
  const route = job?.route ?? description?.route;
  const isRemoved = description?.job !== undefined && job === undefined;
  if (times === undefined || route === undefined || isRemoved) return [];
  return [
    {
      id,
      route,
      queue: job?.queue ?? description?.queue ?? queueName({}),
      times,
      misfire: edit.misfire ?? description?.misfire ?? "latest",
      overlap: edit.overlap ?? description?.overlap ?? "allow",
      ...(nextMs !== undefined && { next: new Date(nextMs) }),
      ...(lastMs !== undefined && { last: new Date(lastMs) }),
      paused,
      changed: job === undefined && Object.keys(edit).some((key) => key !== "paused"),
      added: job !== undefined,
    },
  ];
}
