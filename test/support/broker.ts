// What tests of the broker share: a fresh namespace on a server, a producer, workers, and the clock that scripts read.

import { randomUUID } from "node:crypto";
import { Claims, type Claim, type ClaimRef, type Settlement } from "../../services/broker/claims.ts";
import type { BrokerContext } from "../../services/broker/connection.ts";
import { encodeEnvelope } from "../../services/broker/delivery.ts";
import { type Enqueued, type NewDelivery, Producer, type QueueLimits } from "../../services/broker/producer.ts";
import { Keys } from "../../services/redis/keys.ts";
import type { RedisClient } from "../../services/redis/connect.ts";
import { publicId } from "../../services/runtime/ids.ts";

export const TAKE = { slots: 8, run: 4, order: "0123" };
export const LIMITS: QueueLimits = { deliveries: 1_000_000, bytes: 1 << 30 };

export class Bench {
  readonly context: BrokerContext;
  readonly producer: Producer;
  readonly namespace: string;
  /** Added to the server's clock. */
  offsetMs = 0;

  constructor(client: RedisClient, namespace = `t${randomUUID()}`) {
    this.namespace = namespace;
    this.context = { client, keys: new Keys(namespace, 0), clockOffsetMs: () => this.offsetMs };
    this.producer = new Producer({ ...this.context, limits: LIMITS, random: Math.random });
  }

  add(text: string, more: Partial<NewDelivery> = {}): Promise<Enqueued> {
    return this.producer.enqueue("default", { route: 7, envelope: envelope(text), ...more });
  }

  async worker(wid: string, queue = "default"): Promise<Claims> {
    const claims = new Claims({ ...this.context, queue, wid });
    await claims.register({ clientId: "1", pod: "test" });
    return claims;
  }

  /** Seconds pass; those given beat in each of them. */
  async pass(seconds: number, living: readonly Claims[] = []): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.offsetMs += 1000;
      for (const claims of living) await claims.beat();
    }
  }
}

export function envelope(text: string): string {
  return encodeEnvelope({ v: 1, kind: "job" }, text);
}

export function payloadOf(claim: Claim): string {
  return String(claim.body).split("\n")[1] ?? "";
}

export async function takeOne(claims: { take(options: typeof TAKE): ReturnType<Claims["take"]> }): Promise<Claim> {
  const claim = (await claims.take(TAKE)).runs[0]?.[0];
  if (!claim) throw new Error("nothing to take");
  return claim;
}

export function outcome(claim: ClaimRef, kind: Settlement["kind"], more: Partial<Settlement> = {}): Settlement {
  return { claim, kind, origin: publicId(claim.id), effects: [], history: "", ...more };
}
