// What a worker's /metrics tells besides what was counted: looked at when somebody scrapes.

import { type BusFigures, busFigures, type Looking } from "../bus/diagnostics.ts";
import type { Exposed } from "../telemetry/exposition.ts";
import type { Meter } from "../telemetry/meter.ts";
import type { Pulse } from "./pulse.ts";

export interface ExposedOptions {
  readonly meter: Meter;
  readonly pulse: Pulse;
  readonly bus: Looking;
}

export function exposedOf({ meter, pulse, bus }: ExposedOptions): Exposed {
  const look = (): void => {
    const { slots, busy } = pulse.read();
    meter.set("antiphon_slots", ["busy"], busy);
    meter.set("antiphon_slots", ["free"], Math.max(0, slots - busy));
    tellBus(meter, busFigures(bus));
  };
  return { mode: "worker", meter, look };
}

const FACES = ["stream", "poll", "sse", "json", "websocket", "page", "inside"] as const;

/** The bus counts since the process began. */
function tellBus(meter: Meter, figures: BusFigures): void {
  const { byFace, channelCount, waiting, published, gaps, closed, refused, lag, lagMs } = figures;
  for (const face of FACES) meter.set("antiphon_bus_streams", [face], byFace[face] ?? 0);
  meter.set("antiphon_bus_channels", [], channelCount);
  meter.set("antiphon_bus_waiting", [], waiting);
  meter.set("antiphon_bus_published_total", [], published);
  meter.set("antiphon_bus_gaps_total", [], gaps);
  for (const [reason, count] of Object.entries(closed)) meter.set("antiphon_bus_closed_total", [reason], count);
  for (const [limit, count] of Object.entries(refused)) meter.set("antiphon_bus_refused_total", [limit], count);
  const buckets = lag.map(({ messages }) => messages);
  meter.tell("antiphon_bus_lag_seconds", [], { buckets, sum: lagMs.sum / 1000 });
}
