// ctx.publish: a message on the bus, written with the other effects of the run.

import { checkChannel, storedName } from "../bus/channel.ts";
import { encodePayload } from "../bus/message.ts";
import { readTargets } from "../bus/targets.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { PublishOptions } from "../sdk/context.ts";
import { durationMs } from "../sdk/duration.ts";
import { jsonProblems } from "../sdk/json.ts";
import type { RouteRun } from "./route-run.ts";

const MESSAGE_BYTES_MAX = 64 * 1024;

/** Throws OPTIONS_INVALID, VALUE_NOT_JSON or VALUE_TOO_LARGE. */
export async function publish(
  run: RouteRun,
  channel: string,
  what: { data: unknown; options: PublishOptions },
): Promise<void> {
  const { data, options } = what;
  checkChannel(channel);
  const targets = readTargets(channel, options);
  const encoded = encode(run, data);
  if (encoded.byteLength > MESSAGE_BYTES_MAX) {
    throw new AntiphonError("VALUE_TOO_LARGE", `A bus message may have ${MESSAGE_BYTES_MAX} bytes.`);
  }
  const stored = storedName(channel, options.site);
  const payload = encodePayload(encoded, targets);
  const content = payload.toString("latin1");
  const id = run.effectId({ operation: "publish", target: stored, content, id: options.id });
  await run.write({ kind: "publish", id, channel: stored, payload, keep: keepOf(options) });
}

function encode({ parts }: RouteRun, data: unknown): Buffer {
  const { codec } = parts.manifest.bus ?? {};
  if (codec !== undefined) return Buffer.from(codec.encode(data));
  const problems = jsonProblems("data", data);
  if (problems.length > 0) throw new AntiphonError("VALUE_NOT_JSON", problems.join("; "));
  return Buffer.from(JSON.stringify(data));
}

function keepOf({ maxMessages, maxAge }: PublishOptions): { messages?: number; ageMs?: number } {
  if (maxMessages !== undefined && !(Number.isInteger(maxMessages) && maxMessages > 0)) {
    throw new AntiphonError("OPTIONS_INVALID", "maxMessages must be a whole number above 0.");
  }
  const ageMs = maxAge === undefined ? undefined : durationMs(maxAge);
  if (maxAge !== undefined && !ageMs)
    throw new AntiphonError("OPTIONS_INVALID", 'maxAge must be a duration such as "10m".');
  return { ...(maxMessages !== undefined && { messages: maxMessages }), ...(ageMs && { ageMs }) };
}
