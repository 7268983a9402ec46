// Leaders in simulated worlds of faults: at most one leads at any instant, and epochs only grow.
// ANTIPHON_SIM_SEEDS=100000 runs more of them, ANTIPHON_SIM_FROM=<seed> from there on.

import { expect, test } from "vitest";
import { closeRedis, openRedis } from "../../../services/redis/connect.ts";
import { Keys } from "../../../services/redis/keys.ts";
import { loadScript, runScript } from "../../../services/redis/scripts.ts";
import { randomId } from "../../../services/runtime/ids.ts";
import { eachServer } from "../../support/redis.ts";
import { seeded } from "../../support/seeded.ts";
import { type Planted, simulate, type Tally } from "../../support/sim-leaders.ts";
import { LeaseRules } from "../../support/sim-redis.ts";

const SEEDS = Number(process.env["ANTIPHON_SIM_SEEDS"] ?? 1_000);
const FROM = Number(process.env["ANTIPHON_SIM_FROM"] ?? 1);
const AT_ONCE = 500;

async function run(count: number, planted?: Planted): Promise<{ problems: string[]; tally: Tally }> {
  const problems: string[] = [];
  const tally: Tally = { tenures: 0, sends: 0, writes: 0, refused: 0, failovers: 0 };
  for (let at = 0; at < count; at += AT_ONCE) {
    const seeds = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, n) => FROM + at + n);
    for (const simulation of await simulate(seeds, planted)) {
      problems.push(...simulation.problems);
      for (const key of Object.keys(tally) as (keyof Tally)[]) tally[key] += simulation.tally[key];
    }
  }
  return { problems, tally };
}

test(
  "whatever Redis, the network, clocks and processes do: one leads at most, epochs grow, nothing old is accepted",
  {
    timeout: 60_000 + SEEDS * 60,
  },
  async () => {
    const { problems, tally } = await run(SEEDS);
    expect(problems).toEqual([]);
    console.log(`${SEEDS} worlds: ${JSON.stringify(tally)}`);
    // Else it would prove nothing.
    expect(tally.tenures).toBeGreaterThan(SEEDS);
    expect(tally.sends).toBeGreaterThan(SEEDS);
    expect(tally.failovers).toBeGreaterThan(SEEDS / 10);
  },
);

test.each<[Planted, number]>([
  ["leads on without grace", 200],
  ["writes are not fenced", 200],
  ["server hides that it is another", 1_000],
])("a planted mistake is noticed: %s", { timeout: 120_000 }, async (planted, seeds) => {
  expect((await run(seeds, planted)).problems.length).toBeGreaterThan(0);
});

eachServer((_name, getUrl) => {
  test("its rules are those of the scripts on a real server", async () => {
    const client = openRedis({ url: getUrl(), name: "test", purpose: "commands", onState: () => {} });
    const script = (name: string) => loadScript(new URL(`../../../services/leader/lua/${name}.lua`, import.meta.url));
    const [acquire, extend, release] = [script("acquire"), script("extend"), script("release")];
    const keys = new Keys(`sim-${randomId()}`, 0);
    const own = [keys.lease("u"), keys.epoch("u"), keys.seat("u")];
    const random = seeded(7);
    const rules = new LeaseRules();
    let now = Date.now();
    for (let step = 0; step < 600; step++) {
      const token = "abc"[Math.floor(random() * 3)] as string;
      const before = rules.kept.epoch;
      const realBefore = Number((await client.get(keys.epoch("u"))) ?? 0);
      const what = Math.floor(random() * 8);
      now += 10;
      if (what < 3) {
        const won = await runScript(client, { script: acquire, keys: own, args: [token, 600_000] });
        expect(won === own.length).toBe(rules.acquire(token, 600_000, now));
      } else if (what < 5) {
        const renewed = await runScript(client, { script: extend, keys: own, args: [token, 600_000] });
        expect(renewed === own.length).toBe(rules.extend(token, 600_000, now));
      } else if (what === 5) {
        const all = [...own, keys.leaseFree("u")];
        const released = await runScript(client, { script: release, keys: all, args: [token] });
        expect(released === all.length).toBe(rules.release(token, now));
        // As redlock sends it by itself.
        expect(await runScript(client, { script: release, keys: own, args: [token] })).toBe(0);
      } else if (what === 6) {
        await client.del(keys.lease("u"));
        rules.kept.expiresAt = now;
      } else {
        await client.set(keys.epoch("u"), rules.kept.epoch + 1e12 * step);
        rules.kept.epoch += 1e12 * step;
      }
      expect(await client.get(keys.lease("u"))).toBe(rules.token(now) ?? null);
      const real = Number((await client.get(keys.epoch("u"))) ?? 0);
      expect(Math.sign(real - realBefore)).toBe(Math.sign(rules.kept.epoch - before));
    }
    await closeRedis(client);
  });
});
