// The bus as the deployed image serves it: by the rules that the handlers folder gives, under the paths at the root.

import type { FastifyPluginAsync } from "fastify";
import { Access } from "../bus/access.ts";
import type { Bus } from "../bus/bus.ts";
import { Door } from "../bus/door.ts";
import { fastifyPlugin } from "../bus/fastify.ts";
import { Handler } from "../bus/handler.ts";
import { Limits } from "../bus/limits.ts";
import { type BusContext, NodeReport } from "../bus/nodes.ts";
import { Revocations } from "../bus/revocations.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Part } from "../runtime/part.ts";
import type { BusRules } from "../sdk/bus.ts";
import type { Emit } from "../telemetry/events.ts";

const LONG_POLL_MS = 25_000;

export interface BusDoorOptions {
  readonly bus: Bus;
  /** Where it tells how it stands. */
  readonly context: BusContext;
  /** Undefined: nobody may read anything. */
  readonly rules: BusRules | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
}

export interface BusDoor {
  readonly plugin: FastifyPluginAsync;
  /** From first to last. */
  readonly parts: readonly Part[];
  readonly door: Door;
}

export function busDoor({ bus, context, rules = {}, clock, random, emit }: BusDoorOptions): BusDoor {
  const limits = new Limits({}, clock);
  const { connections: maxActiveClients } = limits.max;
  const settings = { longPollMs: LONG_POLL_MS, longPolling: true, chunked: true, maxActiveClients };
  const door = new Door({ bus, access: new Access(rules, clock), limits, settings });
  if (rules.codec !== undefined) bus.filters.decode = rules.codec.decode;
  const handler = new Handler({ door, rules, basePath: "/", emit, random });
  const revocations = new Revocations({ bus, door, clock, random });
  const report = new NodeReport({ ...context, bus, door, clock, random });
  return { plugin: fastifyPlugin(handler, () => bus.endStreams()), parts: [revocations, report], door };
}
