import { afterEach, expect, test } from "vitest";
import { intake } from "../../../services/broker/intake.ts";
import { encodeEnvelope } from "../../../services/broker/delivery.ts";
import { OutboxClaims } from "../../../services/broker/outbox.ts";
import { Lease } from "../../../services/leader/lease.ts";
import { writeResume } from "../../../services/leader/resume.ts";
import { seats } from "../../../services/leader/seats.ts";
import type { Peer } from "../../../services/leader/share.ts";
import { leaseTiming } from "../../../services/leader/timing.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { eachServer } from "../../support/redis.ts";
import { UnitKit } from "../../support/unit-kit.ts";

const LIMITS = { deliveries: 100, bytes: 1e6 };
let kit: UnitKit;
afterEach(() => kit.close());

eachServer((_name, getUrl) => {
  test("tells who leads, how the Lease came there, and what was refused to former leaders", async () => {
    kit = new UnitKit(getUrl());
    const broker = await kit.broker();
    const { client, keys } = broker;
    const leases = await kit.connect("lease");
    const lease = (owner: string): Lease => {
      const common = { client: leases, keys, unit: "fake", timing: leaseTiming(60_000), clock: systemClock };
      return new Lease({ ...common, owner, newId: randomId });
    };
    const masters: Peer[] = [
      { owner: "pod-b/1", pod: "pod-b", revision: "7", startedAt: 1, units: ["fake"], leads: 1, leaving: false },
    ];
    const look = async () => (await seats(client, keys, { units: [], masters })).find(({ unit }) => unit === "fake");
    expect(await look()).toMatchObject({ leader: undefined, epoch: undefined, handovers: 0, vacantMs: undefined });

    const [a, b, c] = [lease("pod-a/1"), lease("pod-b/1"), lease("pod-b/1")];
    await a.acquire();
    const old = a.epoch;
    await a.extend();
    expect(await look()).toMatchObject({ leader: "pod-a/1", revision: undefined, epoch: old, renewals: 1 });
    await a.release();
    await b.acquire();
    expect(await look()).toMatchObject({ leader: "pod-b/1", revision: "7", renewals: 0, handovers: 1, expiries: 0 });
    await client.del(keys.lease("fake"));
    await c.acquire();
    expect(await look()).toMatchObject({ leader: "pod-b/1", handovers: 1, expiries: 1, fenced: 0 });
    expect((await look())?.vacantMs).toBeLessThan(60_000);

    const fenced = { code: "FENCED" };
    const envelope = encodeEnvelope({ v: 1, kind: "message", by: "ann", key: "k" }, "{}");
    const delivery = { route: 0, envelope, key: "k", durability: "default" } as const;
    const fence = { unit: "fake", epoch: old, part: "all" } as const;
    expect(await intake(broker, { queue: "chat", delivery, limits: LIMITS, fence })).toEqual({ kind: "fenced" });
    await expect(writeResume(client, keys, { unit: "fake", epoch: old, fields: { v: "1" } })).rejects.toMatchObject(
      fenced,
    );
    await expect(new OutboxClaims({ ...broker, unit: "fake", epoch: old }).recover()).rejects.toMatchObject(fenced);
    expect(await look()).toMatchObject({ fenced: 3, doubts: 0 });

    await kit.act({ room: "lobby" });
    const former = new OutboxClaims({ ...broker, unit: "fake", epoch: c.epoch });
    await former.recover();
    await former.take({ slots: 1, run: 1, order: "0123" });
    await c.release();
    await b.acquire();
    const next = new OutboxClaims({ ...broker, unit: "fake", epoch: b.epoch });
    await next.recover();
    await next.recover();
    expect(await look()).toMatchObject({ handovers: 2, doubts: 1 });
  });
});
