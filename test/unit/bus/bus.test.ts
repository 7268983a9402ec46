// The bus: nothing lost, nothing twice, in order; and what cannot be recovered is said.

import { afterEach, describe, expect, it } from "vitest";
import { Bus, type Attach } from "../../../services/bus/bus.ts";
import type { CloseReason, Conn, Face } from "../../../services/bus/face.ts";
import { parsePosition, type Position, positionText } from "../../../services/bus/position.ts";
import { RedisBackend } from "../../../services/bus/redis-backend.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { type Clock, systemClock } from "../../../services/runtime/clock.ts";
import { AntiphonError } from "../../../services/runtime/errors.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

/** A connection that writes down what it was sent. */
class Recorder implements Conn {
  readonly frames: string[] = [];
  closed: CloseReason | undefined;
  bytesQueued = 0;
  send(frame: Buffer): void {
    this.frames.push(...frame.toString().split("\n").slice(0, -1));
  }
  close(reason: CloseReason): void {
    this.closed = reason;
  }
}

const FRAMES: Face = {
  slot: 0,
  shared: true,
  first: (parts) => joined(parts.flatMap(({ recovered, messages }) => [...(recovered ? [] : ["RESET"]), ...messages])),
  more: (parts) => FRAMES.first(parts, undefined as never),
  messages: (_sub, messages) => joined(messages) as Buffer,
  reset: (_sub, { recent }) => joined(["RESET", ...recent]),
  idle: Buffer.from("IDLE\n"),
};

function joined(parts: readonly (string | { readonly data: Buffer })[]): Buffer | undefined {
  const lines = parts.map((part) => `${typeof part === "string" ? part : part.data.toString()}\n`);
  return lines.length === 0 ? undefined : Buffer.from(lines.join(""));
}

const PLAIN = { face: FRAMES, reader: { client: undefined, user: undefined, groups: [] } };

interface Asked extends Partial<Attach> {
  readonly channel?: string;
  readonly after?: Position;
}

let count = 0;

eachServer((server, getUrl) => {
  describe("bus", () => {
    const closers: (() => Promise<unknown>)[] = [];
    afterEach(async () => {
      for (const close of closers.splice(0).toReversed()) await close();
    });

    function client(purpose: "commands" | "subscriber"): RedisClient {
      const opened = openRedis({ url: getUrl(), name: `test-${purpose}`, purpose, onState: () => {} });
      opened.on("error", () => {});
      closers.push(() => closeRedis(opened));
      return opened;
    }

    async function open(
      o: { namespace?: string; clock?: Clock; database?: number; beforeLive?: () => Promise<void> } = {},
    ) {
      const keys = new Keys(o.namespace ?? `bus${++count}-${server}`, o.database ?? 0);
      const [commands, subscriber] = [client("commands"), client("subscriber")];
      const clock = o.clock ?? systemClock;
      const backend = new RedisBackend({ commands, subscriber, keys });
      const bus = new Bus({ backend, clock, random: Math.random, emit: () => {}, beforeLive: o.beforeLive });
      await bus.start();
      closers.push(() => bus.stop());
      const attach = async ({ channel = "/c", after, recent = 0, ...rest }: Asked = {}) => {
        const conn = new Recorder();
        const from = after ? ({ kind: "after", ...after } as const) : ({ kind: "recent", count: recent } as const);
        const attached = await bus.attach({ ...PLAIN, wants: [{ channel, from }], conn, recent, ...rest });
        return { conn, attached };
      };
      const say = async (text: string | number, channel = "/c"): Promise<Position> => {
        const { status, ...position } = await bus.publish(channel, Buffer.from(String(text)));
        expect(status).toBe("stored");
        return position as Position;
      };
      return { bus, keys, commands, subscriber, attach, say };
    }

    it("gives a reader with a position what followed, then everything live", async () => {
      const { attach, say } = await open();
      const first = await say("a");
      await say("b");
      const { conn } = await attach({ after: first });
      await say("c");
      await waitFor(() => conn.frames.length === 2);
      expect(conn.frames).toEqual(["b", "c"]);
    });

    it("reads on after a failure between two pages, and repeats nothing", async () => {
      let rounds = 0;
      const beforeLive = async (): Promise<void> => {
        rounds++;
        if (rounds === 2 || rounds === 3) throw new AntiphonError("REDIS_UNAVAILABLE", "between two pages");
      };
      const { attach, say } = await open({ beforeLive });
      const first = await say(0);
      const texts = Array.from({ length: 700 }, (_, index) => String(index + 1));
      await Promise.all(texts.map((text) => say(text)));
      const { conn } = await attach({ after: first });
      expect(rounds).toBeGreaterThan(3);
      expect(conn.frames).toEqual(texts);
    });

    it("gives a reader without a position the newest messages", async () => {
      const { attach, say } = await open();
      for (const text of ["a", "b", "c"]) await say(text);
      expect((await attach({ recent: 2 })).conn.frames).toEqual(["b", "c"]);
      expect((await attach({ recent: 0 })).conn.frames).toEqual([]);
    });

    it("reaches readers of another process that shares nothing but Redis", async () => {
      const namespace = `shared-${server}`;
      const [here, there] = [await open({ namespace }), await open({ namespace })];
      const { conn } = await there.attach();
      await here.say("x");
      await waitFor(() => conn.frames.length === 1);
      expect(conn.frames).toEqual(["x"]);
    });

    it("keeps channels apart that share a doorbell, and databases that share a server", async () => {
      const namespace = `apart-${server}`;
      const [zero, one] = [await open({ namespace }), await open({ namespace, database: 1 })];
      const mine = await zero.attach({ channel: "/ab" });
      const same = await zero.attach({ channel: "/bC" });
      const other = await one.attach({ channel: "/ab" });
      await zero.say("x", "/ab");
      await waitFor(() => mine.conn.frames.length === 1);
      expect([same.conn.frames, other.conn.frames]).toEqual([[], []]);
    });

    it("says so when a position is of another epoch, beyond the head or trimmed, and goes on from the newest", async () => {
      const { attach, say, commands, keys } = await open();
      const first = await say("a");
      await say("b");
      const elsewhere = await attach({ after: { epoch: "other", offset: first.offset }, recent: 5 });
      expect(elsewhere.conn.frames).toEqual(["RESET", "a", "b"]);
      const beyond = await attach({ after: { ...first, offset: first.offset + 100 }, recent: 1 });
      expect(beyond.conn.frames).toEqual(["RESET", "b"]);
      await say("c");
      await commands.xtrim(`${keys.bus()}:s:/c`, "MAXLEN", 1);
      expect((await attach({ after: first, recent: 5 })).conn.frames).toEqual(["RESET", "c"]);
    });

    it("a channel that was lost starts above its old positions, and live readers are told", async () => {
      const { attach, say, commands, keys } = await open();
      const before = await say("a");
      const { conn } = await attach();
      await commands.del(`${keys.bus()}:m:/c`, `${keys.bus()}:s:/c`);
      const after = await say("b");
      expect(after.offset).toBeGreaterThan(before.offset);
      expect(after.epoch).not.toBe(before.epoch);
      await waitFor(() => conn.frames.length === 2);
      expect(conn.frames).toEqual(["RESET", "b"]);
      expect((await attach({ after: before, recent: 9 })).conn.frames).toEqual(["RESET", "b"]);
    });

    it("a reader that comes to a channel that was lost while others read it hears what is said next", async () => {
      const { commands, keys, attach, say } = await open();
      const { offset } = await say("a");
      const live = await attach();
      await commands.del(`${keys.bus()}:m:/c`, `${keys.bus()}:s:/c`);
      const { conn } = await attach({ after: { epoch: "another", offset } });
      expect(conn.closed).toBeUndefined();
      await say("b");
      await waitFor(() => conn.frames.includes("b") && live.conn.frames.includes("b"));
      expect(conn.frames.filter((frame) => frame === "b")).toEqual(["b"]);
    });

    it("reads what a lost doorbell did not bring", async () => {
      const { attach, say, commands, keys } = await open();
      const { conn } = await attach();
      const first = await say("a");
      await waitFor(() => conn.frames.length === 1);
      const [meta, stream] = [`${keys.bus()}:m:/c`, `${keys.bus()}:s:/c`];
      await commands
        .multi()
        .hset(meta, "o", first.offset + 1)
        .xadd(stream, `${first.offset + 1}-0`, "d", "silent")
        .exec();
      await say("c");
      await waitFor(() => conn.frames.length === 3);
      expect(conn.frames).toEqual(["a", "silent", "c"]);
    });

    it("finds a message whose doorbell was lost without another one", async () => {
      const { attach, say, commands, keys } = await open();
      const { conn } = await attach();
      const first = await say("a");
      const [meta, stream] = [`${keys.bus()}:m:/c`, `${keys.bus()}:s:/c`];
      await commands
        .multi()
        .hset(meta, "o", first.offset + 1)
        .xadd(stream, `${first.offset + 1}-0`, "d", "silent")
        .exec();
      await waitFor(() => conn.frames.length === 2, { timeoutMs: 9_000 });
      expect(conn.frames).toEqual(["a", "silent"]);
    });

    it("catches up after its subscriber was cut off", async () => {
      const { attach, say, subscriber } = await open();
      const { conn } = await attach();
      subscriber.disconnect(true);
      await say("a");
      await say("b");
      await waitFor(() => conn.frames.length === 2);
      expect(conn.frames).toEqual(["a", "b"]);
    });

    it("closes a connection that does not drain, and no other", async () => {
      let now = 0;
      const { attach, say } = await open({ clock: { ...systemClock, monotonic: () => now } });
      const [full, stuck, good] = [await attach(), await attach(), await attach()];
      full.conn.bytesQueued = 2 * 1024 * 1024;
      stuck.conn.bytesQueued = 10;
      await say("x");
      await waitFor(() => full.conn.closed);
      expect(stuck.conn.closed).toBeUndefined();
      await waitFor(() => ((now += 1000), stuck.conn.closed), { timeoutMs: 10_000 });
      expect([full.conn.closed, stuck.conn.closed, good.conn.closed]).toEqual(["slow", "slow", undefined]);
    });

    it("says something where nothing was said for a while", async () => {
      let now = 0;
      const { attach } = await open({ clock: { ...systemClock, monotonic: () => now } });
      const { conn } = await attach();
      now = 14_000;
      expect(conn.frames).toEqual([]);
      now = 15_001;
      await waitFor(() => conn.frames.length === 1);
      expect(conn.frames).toEqual(["IDLE"]);
    });

    it("refuses to attach while Redis is away, before anything is sent", async () => {
      const { attach, commands, subscriber } = await open();
      commands.disconnect();
      subscriber.disconnect();
      await expect(attach()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    });

    it("closes all streams when it ends, and takes no more", async () => {
      const { bus, attach } = await open();
      const { conn } = await attach();
      bus.endStreams();
      expect(conn.closed).toBe("ended");
      await expect(attach()).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    });

    it("ends ten thousand streams spread over the time it is given, each once", async () => {
      const { bus, attach } = await open();
      const conns: Recorder[] = [];
      for (let n = 0; n < 10_000; n += 100) {
        conns.push(...(await Promise.all(Array.from({ length: 100 }, () => attach()))).map(({ conn }) => conn));
      }
      const ended = (): number => conns.filter(({ closed }) => closed === "ended").length;
      bus.endStreams(1_000);
      expect(ended()).toBe(0);
      await waitFor(() => ended() === conns.length, { timeoutMs: 30_000 });
      expect(bus.streams.size).toBe(0);
      expect(bus.closed.get("ended")).toBe(10_000);
    });

    it("loses and reorders nothing in random attaches, publishes and cuts", async () => {
      const { attach, say, subscriber, bus } = await open();
      const readers: { conn: Recorder; from: number }[] = [];
      let said = 0;
      let last: Position | undefined;
      let pending: Promise<unknown>[] = [];
      for (let step = 0; step < 400; step++) {
        const dice = Math.random();
        if (dice < 0.7) pending.push(say(said++).then((p) => (last = p)));
        else if (dice < 0.9) {
          const after = last;
          // A reader that comes while the subscriber is cut off is refused and comes again, as a browser does.
          const arrival = waitFor(() => attach(after ? { after } : { recent: 300 }), { what: "a reader is attached" });
          pending.push(arrival.then(({ conn }) => readers.push({ conn, from: after ? -1 : 0 })));
        } else if (dice < 0.92 && subscriber.status === "ready") subscriber.disconnect(true);
        else {
          await Promise.all(pending);
          pending = [];
        }
      }
      await Promise.all(pending);
      await say(said++);
      const final = String(said - 1);
      await waitFor(() => readers.every(({ conn }) => conn.frames.at(-1) === final), { timeoutMs: 10_000 });
      expect(bus.streams.size).toBe(readers.length);
      for (const { conn, from } of readers) {
        const numbers = conn.frames.map(Number);
        const first = from === 0 ? 0 : (numbers[0] as number);
        expect(numbers).toEqual(Array.from({ length: said - first }, (_, index) => first + index));
      }
    });
  });
});

describe("positions", () => {
  it("survive being written and read", () => {
    const position: Position = { epoch: "aZ09", offset: 1_790_000_000_001 };
    expect(parsePosition(positionText(position))).toEqual(position);
  });

  it("refuse what is none", () => {
    for (const text of ["", "1", "a:b", ":1", "a:1:2", "a:99999999999999999", "ä:1"]) {
      expect(parsePosition(text)).toBeUndefined();
    }
  });
});
