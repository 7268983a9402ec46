// What the options of `antiphon job` ask for, read as the queue client takes it.

import type { Change, EnqueueOptions, Search, State, When } from "../queue/queue.ts";
import type { PriorityClass } from "../sdk/place.ts";
import { UsageError } from "./command.ts";
import { countOf, dateOf, durationOf, filterOf, given, jsonOf, listOf, textOf } from "./option-values.ts";
import type { Options } from "./verbs.ts";

export const STATES: readonly State[] = ["waiting", "claimed", "delayed", "held", "dead"];
const LANES_MAX = 1000;

export function searchOf(options: Options): Search {
  const states = options["running"] === true ? ["claimed"] : listOf(options, "state");
  if (options["running"] === true && options["state"] !== undefined)
    throw new UsageError("--running and --state exclude each other.");
  const strange = states?.find((state) => !(STATES as readonly string[]).includes(state));
  if (strange !== undefined) throw new UsageError(`--state knows ${STATES.join(", ")}, not ${strange}.`);
  return { ...filterOf(options), ...given({ states: states as State[] | undefined }) };
}

export function enqueueOptions(options: Options): EnqueueOptions {
  const id = textOf(options, "unique");
  const how = given({ until: textOf(options, "until"), repeat: textOf(options, "repeat") });
  if (id === undefined && Object.keys(how).length > 0) throw new UsageError("--until and --repeat go with --unique.");
  const result = durationOf(options, "result") ?? (options["wait"] === undefined ? undefined : "5m");
  return given({
    key: textOf(options, "key"),
    queue: textOf(options, "queue"),
    tag: textOf(options, "tag"),
    tags: listOf(options, "tags"),
    class: classOf(options),
    delay: durationOf(options, "delay"),
    at: dateOf(options, "at"),
    expires: durationOf(options, "expires"),
    lanes: countOf(options, "lanes", LANES_MAX),
    after: listOf(options, "after"),
    durability: textOf(options, "durability"),
    result,
    unique: id === undefined ? undefined : { id, ...how },
  }) as EnqueueOptions;
}

function classOf(options: Options): PriorityClass | undefined {
  const text = textOf(options, "class");
  if (text === undefined) return undefined;
  if (/^[0-3]$/.test(text)) return Number(text) as PriorityClass;
  throw new UsageError("--class takes 0, 1, 2 or 3.");
}

export function changeOf(options: Options): Change {
  const change = given({ input: jsonOf(options, "input"), class: classOf(options) }) as Change;
  if (Object.keys(change).length === 0) throw new UsageError("job edit takes --input or --class.");
  return change;
}

export function whenOf(options: Options): When {
  const when = given({ delay: durationOf(options, "delay"), at: dateOf(options, "at") }) as When;
  if (Object.keys(when).length !== 1) throw new UsageError("job reschedule takes --delay or --at.");
  return when;
}
