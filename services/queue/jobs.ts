// One job: what is known of it, and changes of it while nobody runs it.

import type { BrokerContext } from "../broker/connection.ts";
import { findDeadLetter } from "../broker/dead.ts";
import { type Edit, type Edited, editDelivery, findDelivery } from "../broker/jobs.ts";
import { AntiphonError, type ErrorCode } from "../runtime/errors.ts";
import { type Duration, durationMs } from "../sdk/duration.ts";
import { jsonProblems } from "../sdk/json.ts";
import type { PriorityClass } from "../sdk/place.ts";
import { type Shown, shownOf } from "./listed.ts";

/** After a delay from now (`"0s"` is at once), or at a moment. */
export interface When {
  readonly delay?: Duration;
  readonly at?: Date;
}

export interface Change extends When {
  /** In place of the former one. The worker's schema judges it. */
  readonly input?: unknown;
  readonly class?: PriorityClass;
}

const PAYLOAD_BYTES_MAX = 512 * 1024;

export async function find(context: BrokerContext, id: string): Promise<Shown | undefined> {
  const found = await findDelivery(context, id);
  if (found === undefined) return undefined;
  const letter = found.place === "dead" ? await findDeadLetter(context, [found.queue], id) : undefined;
  return shownOf(found, letter && { reason: letter.reason, attempts: letter.element.attempts });
}

/** @throws AntiphonError OPTIONS_INVALID, VALUE_NOT_JSON, VALUE_TOO_LARGE */
export async function change(context: BrokerContext, id: string, wanted: Change): Promise<Edited> {
  const edit: Edit = {
    ...("input" in wanted && wanted.input !== undefined && { payload: payloadOf(wanted.input) }),
    ...(wanted.class !== undefined && { class: checkedClass(wanted.class) }),
    ...timeOf(wanted),
  };
  if (Object.keys(edit).length === 0) throw refusal("OPTIONS_INVALID", "there is nothing to change");
  return editDelivery(context, id, edit);
}

function payloadOf(input: unknown): string {
  const problems = jsonProblems("input", input);
  if (problems.length > 0) throw refusal("VALUE_NOT_JSON", problems.join("; "));
  const payload = JSON.stringify(input);
  if (Buffer.byteLength(payload) <= PAYLOAD_BYTES_MAX) return payload;
  throw refusal("VALUE_TOO_LARGE", `its input has more than ${PAYLOAD_BYTES_MAX} bytes`);
}

function checkedClass(value: PriorityClass): PriorityClass {
  if ([0, 1, 2, 3].includes(value)) return value;
  throw refusal("OPTIONS_INVALID", "class must be 0, 1, 2 or 3");
}

function timeOf({ delay, at }: When): Pick<Edit, "delayMs" | "dueAtMs"> {
  if (delay !== undefined && at !== undefined) throw refusal("OPTIONS_INVALID", "delay and at exclude each other");
  const delayMs = delay === undefined ? undefined : durationMs(delay);
  if (delay !== undefined && delayMs === undefined)
    throw refusal("OPTIONS_INVALID", 'delay must be a duration such as "10m"');
  if (at !== undefined && !Number.isFinite(at.getTime())) throw refusal("OPTIONS_INVALID", "at must be a Date");
  return { ...(delayMs !== undefined && { delayMs }), ...(at !== undefined && { dueAtMs: at.getTime() }) };
}

function refusal(code: ErrorCode, detail: string): AntiphonError {
  return new AntiphonError(code, `${detail}.`);
}
