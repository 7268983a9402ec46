// What a run writes besides its own state: children and Actions, messages on the bus, the handler's stored state.

import { publicId, randomId } from "../runtime/ids.ts";
import { bellOf } from "../redis/keys.ts";
import { type Argument, type Call, loadScript, type Reply, runScriptWith, text, utf8 } from "../redis/scripts.ts";
import type { LargeValue } from "../redis/transaction.ts";
import { placeBody } from "./bodies.ts";
import type { ClaimRef } from "./claims.ts";
import { type BrokerContext, translate, withOffset } from "./connection.ts";
import type { Envelope } from "./delivery.ts";
import { deliveryArguments, type NewDelivery } from "./producer.ts";
import { childrenOf, sendWith } from "./sending.ts";

const EFFECT = loadScript(new URL("./lua/effect.lua", import.meta.url));

interface Common {
  /** Effect id; a repeat within one origin is left out. "" = written each time. */
  readonly id: string;
  /** The ref that this edits: left out only if it equals the last edit of that ref. */
  readonly edit?: string;
}

export type Effect = Common &
  (
    | { readonly kind: "child"; readonly queue: string; readonly delivery: NewDelivery }
    | {
        readonly kind: "publish";
        readonly channel: string;
        readonly payload: Buffer | string;
        /** What the channel keeps from now on. Left out: as much as every channel. */
        readonly keep?: { readonly messages?: number; readonly ageMs?: number };
      }
    | { readonly kind: "store"; readonly handler: string; readonly field: string; readonly value: string | null }
    | { readonly kind: "group"; readonly group: string; readonly user: string; readonly member: boolean }
    | { readonly kind: "ref"; readonly actionId: string; readonly messageId: string }
    /** Its ref is the result: of a repeat the first one. */
    | { readonly kind: "step"; readonly result: string }
    /** Remembered with the origin until it has ended; the last value counts. */
    | { readonly kind: "note"; readonly field: string; readonly value: string }
    /** What came of the delivery, for whoever awaits it. */
    | { readonly kind: "result"; readonly origin: string; readonly value: string; readonly ttlMs: number }
  );

/** The backlog of a web chat session or bus channel. */
const BACKLOG_LENGTH = 1000;
const BACKLOG_AGE_MS = 7 * 86_400_000;
/** How long an Action can be edited after it was sent. */
const REF_AGE_MS = 30 * 86_400_000;

/** The arguments of lib/publish.lua. */
export function publishArguments(context: BrokerContext, channel: string, payload: Buffer | string): Argument[] {
  return keptArguments(context, { channel, payload });
}

type Publish = Extract<Effect, { kind: "publish" }>;

function keptArguments(
  context: BrokerContext,
  { channel, payload, keep }: Pick<Publish, "channel" | "payload" | "keep">,
): Argument[] {
  const { messages = BACKLOG_LENGTH, ageMs = BACKLOG_AGE_MS } = keep ?? {};
  return [channel, context.keys.busBell(bellOf(channel)), messages, ageMs, randomId(), payload, 0];
}

/**
 * An effect as lib/effects.lua reads it. Only for bodies that go through Lua: one at settle is small; large ones are
 * written before it, by `writeEffects`.
 */
export function effectArguments(context: BrokerContext, effect: Effect, body?: Envelope): Argument[] {
  const [kind, args] = effectBody(context, effect, body);
  return [kind, effect.id, effect.edit ?? "", args.length, ...args];
}

function effectBody(context: BrokerContext, effect: Effect, body?: Envelope): [string, Argument[]] {
  switch (effect.kind) {
    case "child": {
      const delivery = deliveryArguments(effect.delivery, body ?? effect.delivery.envelope);
      return ["child", [context.keys.queue(effect.queue), ...delivery]];
    }
    case "publish":
      return ["publish", keptArguments(context, effect)];
    case "store": {
      const store = context.keys.store(effect.handler);
      return effect.value === null ? ["unset", [store, effect.field]] : ["set", [store, effect.field, effect.value]];
    }
    case "group": {
      const group = context.keys.group(effect.group);
      return effect.member ? ["set", [group, effect.user, "1"]] : ["unset", [group, effect.user]];
    }
    case "step":
      return ["step", [effect.result]];
    case "note":
      return ["note", [effect.field, effect.value]];
    case "result": {
      const { origin, value, ttlMs } = effect;
      return ["result", [context.keys.result(origin), value, ttlMs, context.keys.resultBell(origin)]];
    }
    case "ref":
      return ["ref", [context.keys.ref(effect.actionId), effect.messageId, REF_AGE_MS]];
  }
}

export interface EffectCall {
  readonly queue: string;
  readonly wid: string;
  readonly claim: ClaimRef;
  /** Public id. */
  readonly origin: string;
  readonly effects: readonly Effect[];
}

/**
 * Writes effects while the run still owns its claim. Answers a ref for each: of a child its public id, else the effect id;
 * of a repeat the ref of the first time. Throws CLAIM_LOST or FENCED, and then nothing was written.
 */
export async function writeEffects(context: BrokerContext, call: EffectCall): Promise<string[]> {
  const values: LargeValue[] = [];
  const args: Argument[] = [];
  for (const effect of call.effects) {
    const placed =
      effect.kind === "child"
        ? placeBody(context, context.keys.queue(effect.queue), effect.delivery.envelope)
        : undefined;
    if (placed?.apart) values.push(placed.apart);
    args.push(...effectArguments(context, effect, placed?.argument));
  }
  const { claim } = call;
  const script: Call = withOffset(context, {
    script: EFFECT,
    keys: [context.keys.queue(call.queue)],
    args: [
      call.wid,
      claim.id,
      `${claim.fence}\0${claim.elementText}\0${claim.key}`,
      call.origin,
      call.effects.length,
      ...args,
    ],
  });
  const send = (): Promise<Reply> =>
    runScriptWith(context.client, values, script).catch((error: unknown) => {
      throw translate(error);
    });
  const refs = (await sendWith(context, { sent: childrenOf(call.effects), send })) as Reply[];
  return refs.map((ref, index) => (call.effects[index]?.kind === "child" ? publicId(text(ref)) : utf8(ref)));
}

/** The ref of an effect that an earlier run of this origin wrote; null when none did. */
export async function readEffect(
  context: BrokerContext,
  queue: string,
  effect: { origin: string; id: string },
): Promise<string | null> {
  try {
    return await context.client.hget(`${context.keys.queue(queue)}:e:${effect.origin}`, effect.id);
  } catch (error) {
    throw translate(error);
  }
}
