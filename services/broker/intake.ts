// The way of chat events into the broker: fence, dedupe, store, resume state, in one script. Acknowledge only after it.

import { publicId } from "../runtime/ids.ts";
import { type Argument, loadScript, type Reply, runScriptWith, text, utf8 } from "../redis/scripts.ts";
import type { LargeValue } from "../redis/transaction.ts";
import { placeBody } from "./bodies.ts";
import { type BrokerContext, proven, translate, withOffset } from "./connection.ts";
import { publishArguments } from "./effects.ts";
import { deliveryArguments, type NewDelivery, type QueueLimits } from "./producer.ts";
import { sendWith } from "./sending.ts";

const INTAKE = loadScript(new URL("./lua/intake.lua", import.meta.url));

interface Around {
  readonly queue: string;
  readonly limits: QueueLimits;
  /** The Lease that the caller claims to hold. `all`: an old epoch stores nothing. `resume`: only no resume state. */
  readonly fence?: { readonly unit: string; readonly epoch: string; readonly part: "all" | "resume" };
  /** Where to go on reading behind the last event. */
  readonly resume?: Readonly<Record<string, string>>;
}

export interface IntakeCall extends Around {
  /** Its `uid` is the platform's event id. */
  readonly delivery: NewDelivery;
  /** Written on the bus in the same script, unless the event is a duplicate. */
  readonly publish?: { readonly channel: string; readonly payload: Buffer | string };
}

/** At most a few hundred: the script keeps Redis busy for so long. */
export interface IntakeAllCall extends Around {
  readonly deliveries: readonly NewDelivery[];
}

/** An event that is stored now, or was before. */
export interface Stored {
  readonly kind: "stored" | "duplicate";
  readonly id: string;
}

export type TakenIn = Stored | { readonly kind: "fenced" };

/** Throws QUEUE_FULL, REDIS_UNAVAILABLE or DURABILITY_UNMET: then the platform must get no acknowledgement. */
export async function intake(context: BrokerContext, call: IntakeCall): Promise<TakenIn> {
  const { delivery, publish, ...around } = call;
  const args = publish ? publishArguments(context, publish.channel, publish.payload) : [];
  const taken = await run(context, { ...around, deliveries: [delivery] }, args);
  if (taken === "fenced") return { kind: taken };
  await proven(context, delivery.durability);
  return taken[0] as Stored;
}

/**
 * Stores all of them in their order, or none. Throws QUEUE_FULL when not all of them have room, and REDIS_UNAVAILABLE. Not
 * promised: that they are more durable than Redis' reply; whoever acknowledges asks for the proof (`proven`).
 */
export async function intakeAll(context: BrokerContext, call: IntakeAllCall): Promise<readonly Stored[] | "fenced"> {
  return call.deliveries.length === 0 ? [] : run(context, call, []);
}

async function run(
  context: BrokerContext,
  { queue, deliveries, limits, fence, resume }: IntakeAllCall,
  publish: readonly Argument[],
): Promise<readonly Stored[] | "fenced"> {
  const prefix = context.keys.queue(queue);
  const apart: LargeValue[] = [];
  const events: Argument[] = [];
  for (const delivery of deliveries) {
    const body = placeBody(context, prefix, delivery.envelope);
    if (body.apart) apart.push(body.apart);
    events.push(...deliveryArguments(delivery, body.argument));
  }
  const fields = Object.entries(resume ?? {}).flat();
  const limited: Argument[] = [limits.deliveries, limits.bytes];
  const fenced: Argument[] = [fence?.unit ?? "", fence?.epoch ?? "", fence?.part ?? ""];
  const counts = [deliveries.length, fields.length / 2, publish.length];
  const args = [...limited, ...fenced, ...counts, ...events, ...fields, ...publish];
  const script = withOffset(context, { script: INTAKE, keys: [prefix], args });
  const send = async (): Promise<Reply[]> => {
    const reply = await runScriptWith(context.client, apart, script).catch((error: unknown) => {
      throw translate(error);
    });
    return reply as Reply[];
  };
  const sent = new Map([[queue, deliveries.length]]);
  const refusal = ([kind]: Reply[]): string | undefined => (utf8(kind) === "fenced" ? "FENCED" : undefined);
  const [kind, ...told] = await sendWith(context, { sent, send, refusal });
  if (utf8(kind) === "fenced") return "fenced";
  return deliveries.map((_, index) => ({
    kind: text(told[2 * index + 1]) === "1" ? "duplicate" : "stored",
    id: publicId(text(told[2 * index])),
  }));
}
