// Refs: which message of a chat service an Action became, so that a later edit finds it.

import { type BrokerContext, translate } from "./connection.ts";

/** The service's id of the message that the Action said; null when it said none, or too long ago. */
export async function messageIdOf(context: BrokerContext, actionId: string): Promise<string | null> {
  try {
    return await context.client.get(context.keys.ref(actionId));
  } catch (error) {
    throw translate(error);
  }
}
