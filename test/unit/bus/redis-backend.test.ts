// Publishing to Redis: calls of which two are under way are written once and in their order, whatever becomes of the answers.

import { afterEach, describe, expect, it } from "vitest";
import { type PublishCall, RETENTION } from "../../../services/bus/backend.ts";
import { RedisBackend } from "../../../services/bus/redis-backend.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { bellOf, Keys } from "../../../services/redis/keys.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { eachServer } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const CHANNEL = "/c";
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function connect(url: string, purpose: "commands" | "subscriber"): RedisClient {
  const client = openRedis({ url, name: "backend", purpose, onState: () => {} });
  closers.push(() => closeRedis(client));
  return client;
}

function open(url: string): RedisBackend {
  const commands = connect(url, "commands");
  return new RedisBackend({ commands, subscriber: commands, keys: new Keys(`b${randomId()}`, 0), idSeed: "zero" });
}

function call(number: number, texts: readonly string[], follows = false): PublishCall {
  const messages = texts.map((text) => ({ channel: CHANNEL, payload: Buffer.from(text), keep: RETENTION, seen: 0 }));
  return { publisher: "p", number, follows, messages };
}

async function kept(backend: RedisBackend): Promise<string[]> {
  return (await backend.recent(CHANNEL, 100)).messages.map(({ data }) => data.toString());
}

eachServer((_server, getUrl) => {
  describe("reading from Redis", () => {
    it("reads about a megabyte of large messages at once, hundreds of small ones, and goes on without a hole", async () => {
      const backend = open(getUrl());
      const large = "x".repeat(60_000);
      for (let n = 1; n <= 5; n++)
        await backend.publish(
          call(
            n,
            Array.from({ length: 16 }, () => large),
          ),
        );
      await backend.publish(
        call(
          6,
          Array.from({ length: 128 }, (_, n) => String(n)),
        ),
      );
      const first = await backend.after(CHANNEL, 0, 300);
      expect(first.messages.length).toBeLessThan(40);
      expect(first.head.offset).toBe(208);
      const offsets: number[] = [];
      for (let from = 0; from < 208; from = offsets.at(-1) ?? 208) {
        offsets.push(...(await backend.after(CHANNEL, from, 300)).messages.map(({ offset }) => offset));
      }
      expect(offsets).toEqual(Array.from({ length: 208 }, (_, index) => index + 1));
      expect((await backend.after(CHANNEL, 80, 300)).messages).toHaveLength(128);
      expect((await backend.after(CHANNEL, 80, 50)).messages).toHaveLength(50);
    });
  });

  describe("hearing from Redis", () => {
    it("leaves alone what is said to others on its connection, and reads again after what nobody understands", async () => {
      const [commands, subscriber] = [connect(getUrl(), "commands"), connect(getUrl(), "subscriber")];
      const keys = new Keys(`b${randomId()}`, 0);
      const backend = new RedisBackend({ commands, subscriber, keys, idSeed: "zero" });
      const heard: string[] = [];
      let gaps = 0;
      await backend.start({
        bell: (_channel, _position, message) => void heard.push(String(message?.data)),
        gap: () => void gaps++,
      });
      closers.push(() => backend.stop());
      await waitFor(() => backend.hears);
      await backend.listen(CHANNEL);
      await subscriber.ssubscribe(keys.looks());
      const before = gaps;
      const broken = Buffer.from("1|e|1|/c\n\u0001{");
      await commands.spublish(keys.looks(), broken);
      await backend.publish(call(1, ["a"]));
      await waitFor(() => heard.length === 1);
      expect(gaps).toBe(before);
      await commands.spublish(keys.busBell(bellOf(CHANNEL)), broken);
      await backend.publish(call(2, ["b"]));
      await waitFor(() => heard.length === 2);
      expect([heard, gaps]).toEqual([["a", "b"], before + 1]);
    });
  });

  describe("publishing to Redis", () => {
    it("writes the last two calls once, however often each comes", async () => {
      const backend = open(getUrl());
      const first = await backend.publish(call(1, ["a", "b"]));
      const second = await backend.publish(call(2, ["c"], true));
      expect(await backend.publish(call(1, ["a", "b"]))).toEqual(first);
      expect(await backend.publish(call(2, ["c"]))).toEqual(second);
      expect(await kept(backend)).toEqual(["a", "b", "c"]);
    });

    it("refuses a call that follows one which was not written", async () => {
      const backend = open(getUrl());
      await expect(backend.publish(call(2, ["b"], true))).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
      await backend.publish(call(1, ["a"]));
      await backend.publish(call(2, ["b"], true));
      expect(await kept(backend)).toEqual(["a", "b"]);
    });

    it("keeps of a channel what each message says", async () => {
      const backend = open(getUrl());
      const messages = ["a", "b", "c", "d"].map((text, index) => {
        const keep = { ...RETENTION, messages: index === 3 ? 2 : 100 };
        return { channel: CHANNEL, payload: Buffer.from(text), keep, seen: 0 };
      });
      const answers = await backend.publish({ publisher: "p", number: 1, messages });
      expect(answers).toMatchObject([{ offset: 1 }, { offset: 2 }, { offset: 3 }, { offset: 4 }]);
      expect(await kept(backend)).toEqual(["c", "d"]);
    });
  });
});
