// ctx.publish: a bus message of a run is an effect, written once and only by a run that owns its claim.

import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { RedisBackend } from "../../../services/bus/redis-backend.ts";
import type { BusMessage } from "../../../services/bus/message.ts";
import { defineHandler, type Handler, job } from "../../../services/sdk/index.ts";
import type { Ctx } from "../../../services/sdk/context.ts";
import { eachServer } from "../../support/redis.ts";
import { openBench, type ThreadBench } from "./thread-bench.ts";

const Go = job("go", z.object({}));

let url = "";
async function open(...handlers: Handler[]): Promise<ThreadBench> {
  return openBench({ url, handlers });
}

function handler(run: (ctx: Ctx) => unknown): Handler {
  return defineHandler({
    name: "board",
    routes: (r) => ({ go: r.command("go", { run: (ctx) => run(ctx) as string }) }),
  });
}

async function kept(bench: ThreadBench, channel: string): Promise<readonly BusMessage[]> {
  const { client, keys } = bench.context;
  return (await new RedisBackend({ commands: client, subscriber: client, keys }).recent(channel, 100)).messages;
}

const textOf = ({ data }: BusMessage): string => data.toString();

eachServer((_name, getUrl) => {
  beforeAll(() => {
    url = getUrl();
  });

  describe("ctx.publish", () => {
    test("reaches the channel with its targets and site", async () => {
      const bench = await open(
        handler(async ({ publish }) => {
          await publish("/deploys", { app: "api" });
          await publish("/deploys", "for two", { userIds: [1, "ann"], groupIds: ["ops"] });
          await publish("/deploys", "elsewhere", { site: "b" });
        }),
      );
      await bench.say("!go");
      await bench.drive();
      const [all, some] = await kept(bench, "/deploys");
      expect([all && textOf(all), all?.targets]).toEqual(['{"app":"api"}', undefined]);
      expect([some && textOf(some), some?.targets]).toEqual(['"for two"', { users: ["1", "ann"], groups: ["ops"] }]);
      expect((await kept(bench, "/deploys$|$b")).map(textOf)).toEqual(['"elsewhere"']);
    });

    test("a run that is repeated publishes once; the same message twice is published twice", async () => {
      let runs = 0;
      const bench = await open(
        defineHandler({
          name: "board",
          routes: (r) => ({
            go: r.job(Go, {
              run: async ({ publish }) => {
                await publish("/c", "same");
                await publish("/c", "same");
                if (runs++ === 0) throw new Error("once more");
              },
            }),
          }),
        }),
      );
      await bench.add("default", { kind: "job", route: "board.go" }, { payload: "{}" });
      await bench.drive();
      bench.offsetMs += 60_000;
      await bench.drive();
      expect(runs).toBe(2);
      expect((await kept(bench, "/c")).map(textOf)).toEqual(['"same"', '"same"']);
    });

    test("a channel keeps what its publisher says", async () => {
      const bench = await open(
        handler(async ({ publish }) => {
          for (const n of [1, 2, 3]) await publish("/c", n, { maxMessages: 2, maxAge: "1m" });
        }),
      );
      await bench.say("!go");
      await bench.drive();
      expect((await kept(bench, "/c")).map(textOf)).toEqual(["2", "3"]);
      const { client, keys } = bench.context;
      expect(await client.pttl(`${keys.bus()}:s:/c`)).toBeLessThanOrEqual(60_000);
    });

    test("refuses what cannot be a channel, a target or JSON, and what is too large", async () => {
      const codes: unknown[] = [];
      const code = async (work: Promise<unknown>): Promise<void> => {
        codes.push(
          await work.then(
            () => "ok",
            (error: unknown) => (error as { code?: string }).code,
          ),
        );
      };
      const bench = await open(
        handler(async ({ publish }) => {
          await code(publish("", 1));
          await code(publish("/c$|$b", 1));
          await code(publish("/c", 1, { userIds: [] }));
          await code(publish("/global/c", 1, { userIds: [1] }));
          await code(publish("/c", new Date()));
          await code(publish("/c", "x".repeat(70_000)));
          await code(publish("/c", 1, { maxMessages: 0 }));
          await code(publish("/c", 1, { maxAge: "soon" as "1m" }));
        }),
      );
      await bench.say("!go");
      await bench.drive();
      const invalid = Array<string>(4).fill("OPTIONS_INVALID");
      expect(codes).toEqual([...invalid, "VALUE_NOT_JSON", "VALUE_TOO_LARGE", "OPTIONS_INVALID", "OPTIONS_INVALID"]);
      expect(await kept(bench, "/c")).toEqual([]);
    });
  });
});
