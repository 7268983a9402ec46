// The way of a chat event into the broker: fence, dedupe, store, resume state, in one script. Acknowledge only after it.

import { publicId } from "../runtime/ids.ts";
import { type Argument, loadScript, type Reply, runScriptWith, text, utf8 } from "../redis/scripts.ts";
import { placeBody } from "./bodies.ts";
import { type BrokerContext, proven, translate, withOffset } from "./connection.ts";
import { publishArguments } from "./effects.ts";
import { deliveryArguments, type NewDelivery, type QueueLimits } from "./producer.ts";

const INTAKE = loadScript(new URL("./lua/intake.lua", import.meta.url));

export interface IntakeCall {
  readonly queue: string;
  /** Its `uid` is the platform's event id. */
  readonly delivery: NewDelivery;
  readonly limits: QueueLimits;
  /** The Lease that the caller claims to hold. `all`: an old epoch stores nothing. `resume`: only no resume state. */
  readonly fence?: { readonly unit: string; readonly epoch: string; readonly part: "all" | "resume" };
  readonly resume?: Readonly<Record<string, string>>;
  /** Written on the bus in the same script, unless the event is a duplicate. */
  readonly publish?: { readonly channel: string; readonly payload: Buffer | string };
}

export type TakenIn = { readonly kind: "stored" | "duplicate"; readonly id: string } | { readonly kind: "fenced" };

/** Throws QUEUE_FULL, REDIS_UNAVAILABLE or DURABILITY_UNMET: then the platform must get no acknowledgement. */
export async function intake(context: BrokerContext, call: IntakeCall): Promise<TakenIn> {
  const prefix = context.keys.queue(call.queue);
  const body = placeBody(context, prefix, call.delivery.envelope);
  const resume = Object.entries(call.resume ?? {}).flat();
  const publish: Argument[] = call.publish ? publishArguments(context, call.publish.channel, call.publish.payload) : [];
  const { fence, limits } = call;
  const script = withOffset(context, {
    script: INTAKE,
    keys: [prefix],
    args: [
      limits.deliveries,
      limits.bytes,
      fence?.unit ?? "",
      fence?.epoch ?? "",
      fence?.part ?? "",
      resume.length / 2,
      publish.length,
      ...deliveryArguments(call.delivery, body.argument),
      ...resume,
      ...publish,
    ],
  });
  const apart = body.apart ? [body.apart] : [];
  const reply = (await runScriptWith(context.client, apart, script).catch((error: unknown) => {
    throw translate(error);
  })) as Reply[];
  const kind = utf8(reply[0]);
  if (kind !== "fenced") await proven(context, call.delivery.durability);
  return kind === "fenced" ? { kind } : { kind: kind as "stored" | "duplicate", id: publicId(text(reply[1])) };
}
