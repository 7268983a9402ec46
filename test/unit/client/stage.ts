// A client and a server that the test plays, for one test at a time, by a clock that only the test moves.

import { afterEach, beforeEach, vi } from "vitest";
import { Bus, type BusEvents } from "../../../services/client/client.ts";
import { FakeServer } from "./fake-xhr.ts";

export interface Stage {
  readonly server: FakeServer;
  readonly bus: Bus;
  /** All that the client told of. */
  readonly events: [string, unknown][];
  pass(ms: number): Promise<unknown>;
  /** What a subscription hears. */
  hear(channel: string, lastId?: number): unknown[];
  connected(): Promise<void>;
}

/** Filled before each test of the file. */
export function stage(): Stage {
  const now = {} as { -readonly [K in keyof Stage]: Stage[K] };
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("reportError", () => {});
    now.server = new FakeServer();
    now.events = [];
    now.bus = new Bus({ xhrImplementation: now.server.Xhr, shareTabs: false });
    for (const type of ["state", "gap", "denied", "error"] as const) {
      now.bus.on(type, (detail: BusEvents[typeof type]) => now.events.push([type, detail]));
    }
  });
  afterEach(() => {
    now.bus.stop();
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });
  now.pass = (ms) => vi.advanceTimersByTimeAsync(ms);
  now.hear = (channel, lastId) => {
    const heard: unknown[] = [];
    now.bus.subscribe(channel, (...told) => heard.push(told), lastId);
    return heard;
  };
  now.connected = async () => {
    await now.pass(0);
    now.server.last.stream([]);
  };
  return now;
}
