// What we break: Redis, frozen for long or killed and started again with what it kept. What must hold: the bot falls silent
// before anybody else may lead, and goes on by itself when Redis is back.

import { waitFor } from "../../support/wait-for.ts";
import { type ChaosOptions, distribution, type Finding } from "../findings.ts";
import type { Bot } from "./bot.ts";
import { conditionOf } from "./killed.ts";
import { accountRows, onStages, problems, somewhen, type Stage, until } from "./stage.ts";

const LEASE_MS = 6_000;
const SILENT_MS = 4_100;
const BACK_MS = 2_000;
const LONG_MS = 60_000;
/** Shorter and longer than a Lease. */
const RESTARTS_MS = [1_000, 8_000];

interface Found {
  /** From the break until the chat service hears nothing more of the leader, its connection included. */
  readonly silentMs: number[];
  /** From Redis' return until an event is taken in again, and until an Action is said. */
  readonly intakeMs: number[];
  readonly backMs: number[];
}

export async function redisFrozen(options: ChaosOptions): Promise<Finding> {
  const title = `Redis frozen for ${options.holdMs / 1000} s`;
  const found: Found = { silentMs: [], intakeMs: [], backMs: [] };
  const accounts = await onStages(options, { leaseMs: LEASE_MS, masters: 2, apart: true }, async (stage) => {
    for (let count = 0; count < stage.times; count++) await freezeOnce(stage, options.holdMs, found);
    options.note(`${title}: ${found.backMs.length} of ${options.times}`);
  });
  return {
    name: "redis-frozen",
    conditions: [
      conditionOf(options, "a Redis of its own, 2 masters, lease 6 s"),
      "SIGSTOP of redis-server, then SIGCONT",
    ],
    rows: [
      ...distribution(`${title} → the leader is silent, its connection closed`, found.silentMs, {
        max: SILENT_MS,
        peer: "redlock's using() 4–6 s of two leaders",
      }),
      ...distribution(`${title}, its return → another epoch takes in`, found.intakeMs, { max: BACK_MS }),
      ...distribution(
        `${title}, its return → all that was said meanwhile is taken in and the bot speaks`,
        found.backMs,
        { max: BACK_MS },
      ),
      ...accountRows(title, accounts),
    ],
    problems: problems(accounts),
  };
}

async function freezeOnce({ bot, redis }: Stage, holdMs: number, found: Found): Promise<void> {
  await bot.leader();
  await somewhen(LEASE_MS);
  const { epoch } = bot;
  const at = Date.now();
  redis.freeze();
  await until(at + holdMs);
  const { attemptAt, leftAt } = bot.lastSeen(epoch);
  const backAt = Date.now();
  redis.thaw();
  if (holdMs > LEASE_MS) {
    found.silentMs.push(Math.max(attemptAt, Math.min(leftAt, backAt)) - at);
    found.intakeMs.push((await bot.successor(epoch)).intakeAt - backAt);
  }
  found.backMs.push((await speaks(bot, backAt)) - backAt);
}

export async function redisRestarted(options: ChaosOptions): Promise<Finding> {
  const title = "Redis killed and started again after 1 s or 8 s";
  const intakeMs: number[] = [];
  const backMs: number[] = [];
  const accounts = await onStages(
    options,
    { leaseMs: LEASE_MS, masters: 2, apart: true, sync: "always" },
    async ({ bot, redis, log, times }) => {
      for (let count = 0; count < times; count++) {
        await bot.leader();
        await somewhen(LEASE_MS);
        const at = Date.now();
        await redis.kill();
        await until(at + (RESTARTS_MS[count % RESTARTS_MS.length] ?? 0));
        await redis.comeBack();
        const backAt = Date.now();
        const first = () => log.of(bot.lease).find((entry) => entry.deed === "intake" && entry.at > backAt)?.at;
        intakeMs.push((await waitFor(first, { timeoutMs: LONG_MS, what: "events are taken in again" })) - backAt);
        backMs.push((await speaks(bot, backAt)) - backAt);
      }
      options.note(`${title}: ${backMs.length} of ${options.times}`);
    },
  );
  return {
    name: "redis-restarted",
    conditions: [
      conditionOf(options, "a Redis of its own, 2 masters, lease 6 s"),
      "SIGKILL of redis-server; append-only file, synced always",
    ],
    rows: [
      ...distribution(`${title}, its return → events are taken in again`, intakeMs, { max: BACK_MS }),
      ...distribution(`${title}, its return → all that was said meanwhile is taken in and the bot speaks`, backMs, {
        max: BACK_MS,
      }),
      ...accountRows(title, accounts),
    ],
    problems: problems(accounts),
  };
}

/** When it said the first Action after this time. */
async function speaks(bot: Bot, since: number): Promise<number> {
  const first = () => bot.chat.attempts.find(({ at }) => at > since)?.at;
  return waitFor(first, { timeoutMs: LONG_MS, what: "the bot speaks again" });
}
