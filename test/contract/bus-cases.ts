// What a bus promises whatever server keeps it: order, nothing lost or doubled, and that what was missed for good is said.

import { describe, expect, test } from "vitest";
import type { Heard } from "../../services/bus/local.ts";
import { DistributedCache, type MessageBus } from "../../services/bus/plugin.ts";
import type { Position } from "../../services/bus/position.ts";
import type { Stage } from "../support/bus-servers.ts";
import { startProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait-for.ts";

const LONG_MS = { timeoutMs: 30_000 };

export function busCases(stage: Stage): void {
  describe("at the same time", () => {
    test("readers that come while others publish hear everything behind their position once and in order", async () => {
      const [here, there] = [await stage.bus(), await stage.bus()];
      const publishing = publishAll([here, there], 150);
      const readers: number[][] = [];
      for (let n = 0; n < 12; n++) {
        const ids: number[] = [];
        const bus = n % 2 === 0 ? here : there;
        const behind = n === 0 ? undefined : readers[n - 1]?.at(-1);
        const listener = ({ id }: Heard): void => void ids.push(id);
        await bus.subscribe(
          "/a",
          listener,
          behind === undefined ? { last: 0 } : { last: behind, onGap: () => ids.push(-1) },
        );
        readers.push(ids);
      }
      await publishing;
      const last = await here.lastId("/a");
      await waitFor(() => readers.every((ids) => ids.at(-1) === last), LONG_MS);
      for (const ids of readers) {
        expect(ids).toEqual(Array.from({ length: ids.length }, (_, index) => last - ids.length + 1 + index));
      }
      expect(readers[0]).toHaveLength(300);
    });

    test("connections that break in mid-stream lose, double and reorder nothing", async () => {
      const [here, there] = [await stage.bus(), await stage.bus()];
      const heard: unknown[] = [];
      const gaps: unknown[] = [];
      await there.subscribe("/a", ({ data }) => void heard.push(data), { onGap: (head) => gaps.push(head) });
      const sent: Promise<unknown>[] = [];
      for (let n = 0; n < 200; n++) {
        sent.push(here.publish("/a", n));
        if (n % 40 === 20) await stage.server.cut(n % 80 === 20 ? "bells" : "statements");
        if (n % 10 === 0) await Promise.race([Promise.allSettled(sent), new Promise((done) => setTimeout(done, 5))]);
      }
      await Promise.all(sent);
      await waitFor(() => here.diagnostics().waiting === 0 && heard.length >= 200, LONG_MS);
      expect(heard).toEqual(Array.from({ length: 200 }, (_, n) => n));
      expect(gaps).toEqual([]);
    });
  });

  describe("what was missed for good is said", () => {
    test("trimmed, of another epoch, from the future", async () => {
      const bus = await stage.bus();
      for (let n = 1; n <= 4; n++) await bus.publish("/a", n, { maxMessages: 2 });
      const { epoch, id } = (await bus.lastMessage("/a")) as Heard;
      const told = async (last: Position): Promise<[boolean, unknown[]]> => {
        const heard: unknown[] = [];
        let isGap = false;
        await bus.subscribe("/a", ({ data }) => void heard.push(data), { last, onGap: () => (isGap = true) });
        return [isGap, heard];
      };
      expect(await told({ epoch, offset: id - 1 })).toEqual([false, [4]]);
      expect(await told({ epoch, offset: id - 3 })).toEqual([true, [3, 4]]);
      expect((await told({ epoch: "another", offset: id }))[0]).toBe(true);
      expect((await told({ epoch, offset: id + 1_000_000 }))[0]).toBe(true);
    });

    test("a channel lost under live readers: they are told, and hear what follows", async () => {
      const [here, there] = [await stage.bus(), await stage.bus()];
      const heard: unknown[] = [];
      let gaps = 0;
      await there.subscribe("/a", ({ data }) => void heard.push(data), { onGap: () => gaps++ });
      await here.publish("/a", 1);
      await waitFor(() => heard.length === 1, LONG_MS);
      await stage.server.forget(stage.namespace, "/a");
      await here.publish("/a", 2);
      await waitFor(() => heard.length === 2, LONG_MS);
      expect([heard, gaps]).toEqual([[1, 2], 1]);
    });
  });

  describe("the bus on top of it", () => {
    test("while the server is away messages wait, and are written once, in order", async () => {
      const proxy = await startProxy(stage.server.port);
      stage.closers.push(() => proxy.stop());
      const url = new URL(stage.server.options.url ?? "");
      url.port = String(proxy.port);
      const [cut, watcher] = [await stage.bus({ url: url.href }), await stage.bus()];
      await cut.publish("/a", 0);
      await proxy.refuse();
      expect(await cut.publish("/a", 1, { userIds: ["ann"] })).toEqual({ status: "buffered" });
      expect(await cut.publish("/a", 2)).toEqual({ status: "buffered" });
      await expect(cut.publish("/a", 3, { queueInMemory: false })).rejects.toMatchObject({
        code: stage.server.options.backend === "postgres" ? "POSTGRES_UNAVAILABLE" : "REDIS_UNAVAILABLE",
      });
      await proxy.mend();
      await waitFor(async () => (await watcher.backlog("/a", 0)).length === 3, LONG_MS);
      expect((await watcher.backlog("/a", 0)).map(({ data }) => data)).toEqual([0, 1, 2]);
      await waitFor(() => cut.isListening, LONG_MS);
    });

    test("large messages, of which the doorbell tells at most where they are, are heard", async () => {
      const [here, there] = [await stage.bus(), await stage.bus()];
      const heard: unknown[] = [];
      await there.subscribe("/a", ({ data }) => void heard.push(data));
      const said = [6_000, 8_000, 60_000, 3].map((length) => "ü".repeat(length / 2));
      for (const text of said) await here.publish("/a", text);
      await waitFor(() => heard.length === 4, LONG_MS);
      expect(heard).toEqual(said);
    });

    test("the index of all channels has them in one order, with their own ids", async () => {
      const bus = await stage.bus({ globalIndex: true, idSeed: "zero" });
      const heard: Heard[] = [];
      await bus.subscribeAll((told) => void heard.push(told));
      await Promise.all([bus.publish("/b", 1), bus.publish("/a", 2, { userIds: ["ann"] }), bus.publish("/b", 3)]);
      await waitFor(() => heard.length === 3, LONG_MS);
      expect(heard.map(({ channel, id, globalId, data }) => [channel, id, globalId, data])).toEqual([
        ["/b", 1, 1, 1],
        ["/a", 1, 2, 2],
        ["/b", 2, 3, 3],
      ]);
      expect(heard[1]?.targets).toEqual({ users: ["ann"] });
      expect((await bus.lastMessage("/a"))?.globalId).toBe(2);
      expect((await bus.globalBacklog(1)).map(({ data }) => data)).toEqual([2, 3]);
    });

    test("copies of a DistributedCache that write the same keys at the same time become equal", async () => {
      const copies: DistributedCache[] = [];
      for (const bus of [await stage.bus(), await stage.bus()]) {
        const copy = new DistributedCache({ bus, name: "c" });
        await copy.start();
        stage.closers.push(async () => copy.stop());
        copies.push(copy);
      }
      const [one, other] = copies as [DistributedCache, DistributedCache];
      const writes = Array.from({ length: 60 }, (_, n) => [one.set(`k${n}`, "one"), other.set(`k${n}`, "other")]);
      await Promise.all(writes.flat());
      await one.set("last", true);
      await waitFor(() => other.get("last"), LONG_MS);
      for (let n = 0; n < 60; n++) expect(other.get(`k${n}`)).toBe(one.get(`k${n}`));
      await other.clear();
      await waitFor(() => one.size === 0, LONG_MS);
    });
  });
}

/** Each bus says so many, a few at a time. */
async function publishAll(buses: readonly MessageBus[], count: number): Promise<void> {
  await Promise.all(
    buses.map(async (bus) => {
      for (let n = 0; n < count; n += 3) await Promise.all([n, n + 1, n + 2].map((data) => bus.publish("/a", data)));
    }),
  );
}
