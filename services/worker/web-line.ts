// A line that a person says in the web chat, on its way into the broker.

import type { Said } from "../adapters/web/routes.ts";
import type { BrokerContext } from "../broker/connection.ts";
import { encodeEnvelope, UNMATCHED } from "../broker/delivery.ts";
import { intake } from "../broker/intake.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { carried } from "../telemetry/carrier.ts";
import { idsOf, startSend } from "../telemetry/queue-spans.ts";
import { during, type Tracing } from "../telemetry/tracing.ts";

const CHAT_QUEUE = "chat";

export interface Line {
  readonly said: Said;
  readonly limits: { readonly deliveries: number; readonly bytes: number };
  readonly byRoom: boolean;
  readonly tracing?: Tracing | undefined;
}

/** A person's line: the Message for the handlers and the line that the session shows, both or neither. */
export async function takeLine(
  context: BrokerContext,
  { said, limits, byRoom, tracing }: Line,
): Promise<{ id: string }> {
  const { message, uid, publish } = said;
  const by = message.user.id;
  const key = byRoom ? message.room : `${message.room}\n${by}`;
  const span = tracing && startSend(tracing, CHAT_QUEUE, { kind: "message", parent: null });
  const envelope = encodeEnvelope({ v: 1, kind: "message", by, key, ...carried(span) }, JSON.stringify(message));
  const delivery = { route: UNMATCHED, envelope, key, uid };
  return during(span, async () => {
    const taken = await intake(context, { queue: CHAT_QUEUE, delivery, limits, publish });
    if (taken.kind === "fenced") throw new AntiphonError("FENCED", "");
    span?.set(idsOf(taken.id));
    return { id: taken.id };
  });
}
