// A claimed delivery whose body, kept apart, is not there: somebody deleted it in Redis, or a failover lost it.

import { publicId } from "../runtime/ids.ts";
import type { ClaimRef } from "./claims.ts";
import { type BrokerContext, translate } from "./connection.ts";
import { hashPages } from "./doctor-pages.ts";
import { claimText } from "./taken.ts";

export interface Holder {
  readonly queue: string;
  readonly wid: string;
}

/**
 * The public id that its sender was told, which its envelope could have said; undefined when the claim is not in force any
 * more, for then nothing is lost: another has settled it.
 */
export async function lostOrigin(
  context: BrokerContext,
  { queue, wid }: Holder,
  claim: ClaimRef,
): Promise<string | undefined> {
  const prefix = context.keys.queue(queue);
  try {
    if ((await context.client.hget(`${prefix}:c:${wid}`, claim.id)) !== claimText(claim)) return undefined;
    for await (const page of hashPages(context, `${prefix}:o`)) {
      const moved = page.find(([, id]) => id.toString() === claim.id);
      if (moved !== undefined) return moved[0];
    }
    return publicId(claim.id);
  } catch (error) {
    throw translate(error);
  }
}
