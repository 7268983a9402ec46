// ctx.step: a result that is remembered under (origin, route, name) for as long as the delivery is not finished.

import { readEffect } from "../broker/effects.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { during } from "../telemetry/tracing.ts";
import { untilAnswered } from "./patience.ts";
import type { RouteRun } from "./route-run.ts";

const NAME_CHARS_MAX = 128;
const RESULT_BYTES_MAX = 256 * 1024;

/** As a span, where traces are made. */
export function step<T>(run: RouteRun, name: string, fn: () => T | Promise<T>): Promise<T> {
  const { tracing } = run.parts;
  if (tracing === undefined) return stepOnce(run, name, fn);
  const span = tracing.start(`step ${name}`, { attributes: { "antiphon.step": name } });
  return during(span, () => tracing.within(span, () => stepOnce(run, name, fn)));
}

/** What `step` answers is what JSON keeps of the result, in the first run too, so that no run sees more than another. */
async function stepOnce<T>(run: RouteRun, name: string, fn: () => T | Promise<T>): Promise<T> {
  const id = `step:${run.shape.id}:${checkedName(run, name)}`;
  const { parts, place, origin, patience } = run.underway;
  const known = await untilAnswered(patience, () => readEffect(parts.broker, place.queue, { origin, id }));
  if (known !== null) return resultOf<T>(known);
  const text = JSON.stringify({ result: await fn() });
  if (Buffer.byteLength(text) > RESULT_BYTES_MAX)
    throw new AntiphonError("VALUE_TOO_LARGE", `step ${name}: its result has more than ${RESULT_BYTES_MAX} bytes.`);
  return resultOf<T>(await run.write({ kind: "step", id, result: text }));
}

function checkedName(run: RouteRun, name: string): string {
  if (typeof name !== "string" || name === "" || name.length > NAME_CHARS_MAX)
    throw new AntiphonError("INPUT_INVALID", `A step's name has 1 to ${NAME_CHARS_MAX} characters.`);
  if (run.steps.has(name)) throw new AntiphonError("INPUT_INVALID", `step ${name}: the name is used twice in one run.`);
  run.steps.add(name);
  return name;
}

function resultOf<T>(text: string): T {
  return (JSON.parse(text) as { result: T }).result;
}
