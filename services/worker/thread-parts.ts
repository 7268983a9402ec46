// What all runs of one handler thread share.

import type { BrokerContext } from "../broker/connection.ts";
import type { Manifest } from "../handlers/manifest.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Bot } from "../sdk/context.ts";
import type { Groups } from "../store/groups.ts";
import type { StoreReader } from "../store/store.ts";
import type { Emit } from "../telemetry/events.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import type { HeldRoutes } from "./held-routes.ts";
import type { OwnMetrics } from "./own-metrics.ts";
import type { Rooms } from "./rooms.ts";

export interface ThreadParts {
  readonly manifest: Manifest;
  readonly bot: Bot;
  readonly rooms: Rooms;
  readonly groups: Groups;
  readonly stores: StoreReader;
  /** Route id -> its number in the registry. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Of chat. */
  readonly held: HeldRoutes;
  /** Over the thread's own connection. */
  readonly broker: BrokerContext;
  readonly emit: Emit;
  /** What handlers tell. */
  readonly metrics: OwnMetrics;
  /** Where somebody asked for traces. */
  readonly tracing?: Tracing | undefined;
  readonly clock: Clock;
  readonly random: Random;
}
