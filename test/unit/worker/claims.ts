// Claims as a take gives them, and runs made of them, for tests of the worker.

import type { Claim } from "../../../services/broker/claims.ts";
import { type Element, encodeElement } from "../../../services/broker/delivery.ts";
import { ActiveRun, type Answer, type RunOwner } from "../../../services/worker/active-run.ts";
import type { Settled } from "../../../services/worker/protocol.ts";

export interface ClaimParts extends Partial<Omit<Element, "id">> {
  readonly id: string;
  readonly key?: string;
  readonly body?: Buffer | null;
  readonly bodyToken?: string;
}

export function claimOf({ id, key = "", body = Buffer.from("{}"), bodyToken = "", ...parts }: ClaimParts): Claim {
  const element: Element = { class: 1, attempts: 0, crashes: 0, route: 5, ...parts, id };
  return { id, fence: "99", element, elementText: encodeElement(element), key, body, bodyToken };
}

/** Remembers what it is told. */
export class Owner implements RunOwner {
  readonly queue = "default";
  readonly wid = "pod.1";
  readonly told: string[] = [];
  readonly written: (() => void)[] = [];
  readonly times: Pick<Answer, "ranMs" | "heldMs">[] = [];

  answered({ claim, settled, dropped, written, ranMs, heldMs }: Answer): void {
    this.times.push({ ranMs, heldMs });
    if (written !== undefined) this.written.push(written);
    this.told.push(`${settled.kind} ${claim.id}${dropped.map(({ id }) => ` -${id}`).join("")}`);
  }

  handBack(claims: readonly Claim[]): void {
    this.told.push(`back ${claims.map(({ id }) => id).join(" ")}`);
  }

  over(): void {
    this.told.push("over");
  }
}

export function runOf(owner: RunOwner, crashes: readonly number[], firstSerial = 1): ActiveRun {
  const claims = crashes.map((count, index) => claimOf({ id: `c${index + 1}`, key: "k", crashes: count }));
  return new ActiveRun(owner, claims, firstSerial);
}

export function outcome(serial: number, kind: Settled["kind"]): Settled {
  return { serial, kind, origin: "o", effects: [], history: "" };
}
