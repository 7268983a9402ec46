// What scripts answer about claims, decoded: the runs of a take, what a worker holds, when the next delivery is due.

import { type Reply, text } from "../redis/scripts.ts";
import { tokenOf } from "./bodies.ts";
import type { Claim, ClaimRef, Taken } from "./claims.ts";
import { claimedAtMs, decodeElement } from "./delivery.ts";

/** As it stands in the hash of its claimer: what proves the right to it. */
export function claimText(claim: ClaimRef): string {
  return `${claim.fence}\0${claim.elementText}\0${claim.key}`;
}

export function decodeTaken(reply: Reply[]): Taken {
  const [fenceReply, nextDue, elements, bodies, keyed] = reply as [Reply, Reply, Buffer[], (Buffer | null)[], Reply[]];
  const fence = text(fenceReply);
  const runs: Claim[][] = [];
  let at = 0;
  for (let pair = 0; pair < keyed.length; pair += 2) {
    const key = keyed[pair] as Buffer;
    const claims: Claim[] = [];
    for (const end = at + Number(keyed[pair + 1]); at < end; at++)
      claims.push(claimOf({ fence, element: elements[at] as Buffer, key, stored: bodies[at] ?? null }));
    if (key.length > 0) runs.push(claims);
    else for (const claim of claims) runs.push([claim]);
  }
  return { runs, nextDueMs: dueOf(nextDue), atMs: claimedAtMs(fence) };
}

export function decodeHeld(reply: Reply[]): Claim[] {
  const claims: Claim[] = [];
  for (let at = 0; at + 1 < reply.length; at += 2) {
    const claim = reply[at] as Buffer;
    const a = claim.indexOf(0);
    const b = claim.indexOf(0, a + 1);
    const fence = claim.toString("latin1", 0, a);
    claims.push(
      claimOf({
        fence,
        element: claim.subarray(a + 1, b),
        key: claim.subarray(b + 1),
        stored: (reply[at + 1] ?? null) as Buffer | null,
      }),
    );
  }
  return claims;
}

interface ClaimBytes {
  readonly fence: string;
  readonly element: Buffer;
  readonly key: Buffer;
  readonly stored: Buffer | null;
}

function claimOf({ fence, element: elementBytes, key, stored }: ClaimBytes): Claim {
  const elementText = elementBytes.toString("latin1");
  const element = decodeElement(elementText);
  const bodyToken = stored ? tokenOf(stored) : "";
  const body = bodyToken === "" ? stored : null;
  return { id: element.id, fence, elementText, element, key: key.toString("utf8"), body, bodyToken };
}

/** ms since 1970, or null when nothing will be due by itself. */
export function dueOf(reply: Reply | undefined): number | null {
  const due = Number(text(reply));
  return text(reply) !== "" && Number.isFinite(due) ? due : null;
}
