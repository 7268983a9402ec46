// Large values beside a script, in one transaction: whole, in order, all or nothing, and refusals that say why.

import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { loadScript, runScriptWith } from "../../../services/redis/scripts.ts";
import { transact } from "../../../services/redis/transaction.ts";
import { startProxy } from "../../support/proxy.ts";
import { eachServer } from "../../support/redis.ts";

eachServer((_server, getUrl) => {
  describe("a transaction with large values", () => {
    let client: Redis;
    beforeAll(() => {
      client = new Redis(getUrl());
    });
    afterEach(() => client.flushall());
    afterAll(() => client.disconnect());

    const value = (key: string, ...pieces: (string | Buffer)[]) => ({
      key,
      pieces: pieces.map((piece) => Buffer.from(piece)),
      expireSeconds: 60,
    });
    const lua = (script: string, ...args: string[]) => ({ name: "eval", args: [script, 0, ...args] });

    it("sets them as their pieces make them, then runs the command", async () => {
      const bytes = Buffer.from([0, 13, 10, 255, 36]);
      const large = "x".repeat(100_000);
      const values = [value("ключ", "one ", "two ", large), value("bytes", bytes), value("none")];
      const reply = await transact(client, values, lua("return redis.call('STRLEN', 'ключ') .. ARGV[1]", "!"));
      expect(String(reply)).toBe(`${8 + large.length}!`);
      expect(await client.get("ключ")).toBe(`one two ${large}`);
      expect(await client.getBuffer("bytes")).toEqual(bytes);
      expect(await client.get("none")).toBe("");
      expect(await client.ttl("ключ")).toBeGreaterThan(50);
    });

    it("leaves a value alone that is there already", async () => {
      await client.set("k", "first");
      await transact(client, [value("k", "second")], lua("return 1"));
      expect([await client.get("k"), await client.ttl("k")]).toEqual(["first", -1]);
    });

    it("many at a time give each its own answer", async () => {
      const answers = Array.from({ length: 50 }, (_, number) =>
        transact(
          client,
          [value(`k${number}`, `${number}`)],
          lua("return redis.call('GET', 'k' .. ARGV[1])", `${number}`),
        ),
      );
      expect((await Promise.all(answers)).map(String)).toEqual(Array.from({ length: 50 }, (_, number) => `${number}`));
    });

    it("throws the command's own error", async () => {
      const failing = transact(client, [value("k", "v")], lua("return redis.error_reply('FENCED away')"));
      await expect(failing).rejects.toThrow(/^FENCED away/);
    });

    it("says why the server refused it", async () => {
      const { pieces } = value("k", "v");
      const refused = transact(client, [{ key: "k", pieces, expireSeconds: -1 }], { name: "get", args: [] });
      await expect(refused).rejects.toThrow(/wrong number of arguments/i);
      expect(await client.get("k")).toBeNull();
    });

    it("a script that the server does not know is loaded", async () => {
      const file = new URL("../../../services/bus/lua/publish.lua", import.meta.url);
      const script = loadScript(file);
      const place = ["/c", "bell", 10, 60_000, "epoch", "", 0];
      await client.script("FLUSH");
      const args = [0, "publisher", 1, 0, 0, 1, ...place, 0, "payload"];
      const reply = await runScriptWith(client, [value("k", "v")], { script, keys: ["{t:0}:bus"], args });
      expect(String(reply)).toMatch(/^\d+\|epoch$/);
    });

    it("fails when the connection breaks, and only then", async () => {
      const proxy = await startProxy(Number(new URL(getUrl()).port));
      const own = new Redis(proxy.port, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
      own.on("error", () => {});
      await own.ping();
      proxy.swallow();
      const broken = transact(own, [value("k", "v".repeat(50_000))], lua("return 1"));
      await proxy.stop();
      await expect(broken).rejects.toThrow();
      own.disconnect();
    });
  });
});
