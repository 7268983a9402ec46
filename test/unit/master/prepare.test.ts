// What an adapter may do before it leads: prepared on whoever stands by, used by the next start, over when the process ends.

import { afterEach, beforeEach, expect, test } from "vitest";
import { FAKE } from "../../../services/adapters/fake/manifest.ts";
import type { Tenure } from "../../../services/leader/duty.ts";
import { Unit } from "../../../services/master/unit.ts";
import type { RedisClient } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import type { Adapter, Ingress } from "../../../services/sdk/adapter.ts";
import type { EventName } from "../../../services/telemetry/events.ts";
import { eachServer } from "../../support/redis.ts";
import { UnitKit } from "../../support/unit-kit.ts";
import { waitFor } from "../../support/wait-for.ts";

eachServer((_name, getUrl) => {
  let kit: UnitKit;
  let unit: Unit;
  /** What was done to each adapter that was made, in order. */
  let told: string[][];
  let signals: AbortSignal[];
  let events: EventName[];

  beforeEach(() => {
    kit = new UnitKit(getUrl());
    [told, signals, events] = [[], [], []];
  });
  afterEach(async () => {
    await unit.close(1_000);
    await kit.close();
  });

  async function unitOf(ingress: Ingress, prepare?: () => Promise<void>): Promise<void> {
    const subscriber: RedisClient = await kit.connect("subscriber");
    const create = (): Adapter => {
      const mine: string[] = [];
      told.push(mine);
      return {
        ...FAKE,
        ingress,
        prepare: async ({ unit: name, signal }) => {
          mine.push(`prepare ${name}`);
          signals.push(signal);
          await prepare?.();
        },
        start: async (host, { role }) => {
          mine.push(`start ${role}`);
          host.state("ready");
        },
        stop: async (how) => void mine.push(`stop ${how}`),
        buckets: () => [],
        execute: async () => ({ ok: true }),
      };
    };
    const clock = systemClock;
    const emit = (name: EventName): void => void events.push(name);
    const limits = { deliveries: 1_000, bytes: 1_000_000 };
    const broker = await kit.broker();
    unit = new Unit({
      unit: "fake",
      create,
      settings: {},
      broker,
      limits,
      subscriber,
      clock,
      random: Math.random,
      emit,
    });
    await unit.warm();
  }

  async function tenure(epoch: string): Promise<Tenure> {
    const { client, keys } = await kit.broker();
    await client.set(keys.epoch("fake"), epoch);
    const { signal } = new AbortController();
    return { unit: "fake", epoch, signal, held: () => true, confirmed: async () => true, assert: () => {} };
  }

  test("who stands by prepares, starts with what is prepared, and prepares anew when it has led", async () => {
    await unitOf("takeover");
    await waitFor(() => told[0]?.length === 1);
    await unit.begin(await tenure("1"));
    await unit.end("handover", 1_000);
    await waitFor(() => told[1]?.length === 1);
    expect(told).toEqual([["prepare fake", "start leader", "stop handover"], ["prepare fake"]]);
    await unit.begin(await tenure("2"));
    expect(told[1]).toEqual(["prepare fake", "start leader"]);
    expect(told).toHaveLength(2);
  });

  test("a start does not wait for it", async () => {
    await unitOf("exclusive", () => new Promise(() => {}));
    await unit.begin(await tenure("1"));
    expect(told).toEqual([["prepare fake", "start leader"]]);
  });

  test("one that fails is told, and the start comes all the same", async () => {
    await unitOf("takeover", () => Promise.reject(new Error("no")));
    await waitFor(() => events.includes("part.failed"));
    await unit.begin(await tenure("1"));
    expect(told).toEqual([["prepare fake", "start leader"]]);
  });

  test("it is over when the process ends", async () => {
    await unitOf("takeover");
    await waitFor(() => signals.length === 1);
    expect(signals[0]?.aborted).toBe(false);
    await unit.close(1_000);
    expect(signals[0]?.aborted).toBe(true);
  });

  test.each<Ingress>(["shared", "overlap"])("%s: there is nothing to prepare, it is connected", async (ingress) => {
    await unitOf(ingress);
    await waitFor(() => told[0]?.length === 1);
    expect(told).toEqual([["start warm"]]);
  });
});
