// One voice on real IRC servers: two masters, two workers, somebody who keeps asking, and a leader that is killed, then one
// that is sent away. What must hold: one answer for each question that was stored, the name comes back, and how large a gap
// a planned change leaves.

import { afterEach, describe, expect, test } from "vitest";
import { IrcBot } from "../support/irc-bot.ts";
import { IrcPerson } from "../support/irc-person.ts";
import { type IrcKind, type IrcServer, startIrcServer } from "../support/irc-server.ts";
import type { MasterProcess } from "../support/master-kit.ts";
import { testRedis, withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const LEASE_MS = 2_000;
const ASK_MS = 40;
const LONG = { timeoutMs: 60_000 };
const KINDS: readonly { readonly kind: IrcKind; readonly hasHistory: boolean }[] = [
  { kind: "ngircd", hasHistory: false },
  { kind: "inspircd", hasHistory: true },
];

let server: IrcServer | undefined;
let bot: IrcBot | undefined;
let ann: IrcPerson | undefined;
let asking: NodeJS.Timeout | undefined;

afterEach(async () => {
  clearInterval(asking);
  await bot?.stop();
  await ann?.leave();
  await server?.stop();
  server = bot = ann = undefined;
});

/** The longest time without an answer between two moments, ms. */
function silenceMs({ said }: IrcPerson, from: number, to: number): number {
  const heard = said.filter(({ nick, text }) => nick.startsWith("antiphon") && text.startsWith("pong"));
  const times = [from, ...heard.map(({ at }) => at).filter((at) => at > from && at < to)];
  return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)));
}

/** How long nobody listened, by the leader's own words. */
const toldMs = (master: MasterProcess): number[] =>
  master.of("adapter.gap").map((line) => Number(line["toMs"]) - Number(line["fromMs"]));

/** Answers heard in the channel, from whichever nick. */
const answers = (person: IrcPerson): string[] =>
  person.texts(/^antiphon/).flatMap((text) => /^pong (\d+)$/.exec(text)?.[1] ?? []);

describe.each(KINDS)("$kind", ({ kind, hasHistory }) => {
  withServer(kind, () => {
    test("a leader killed and one sent away: each stored question is answered once", async () => {
      server = await startIrcServer(kind);
      const person = await IrcPerson.join(server.port, "ann");
      ann = person;
      if (hasHistory) person.raw("MODE #ops +H 400:1h");
      const team = new IrcBot({ redisUrl: (await testRedis()).url, server, leaseMs: LEASE_MS });
      bot = team;
      const first = team.master();
      await Promise.all([team.worker(), team.worker(), first.leads("irc", 60_000)]);
      await team.speaker();
      let asked = 0;
      asking = setInterval(() => person.say(`antiphon ping ${++asked}`), ASK_MS);
      const goesOn = async (more: number): Promise<void> => {
        const before = answers(person).length;
        await waitFor(() => answers(person).length >= before + more, { ...LONG, what: `${more} more answers` });
      };
      await goesOn(10);

      const second = await team.master().started();
      await goesOn(10);
      const killedAt = performance.now();
      await first.kill("SIGKILL");
      await team.speaker([second]);
      await goesOn(10);
      expect(person.said.at(-1)?.nick).toMatch(/^antiphon$/);

      const third = await team.master().started();
      // Until its own connection is prepared, too.
      await goesOn(60);
      const quits = person.seen.length;
      const endedAt = performance.now();
      expect(await second.kill("SIGTERM")).toEqual({ code: 0, signal: null });
      await team.speaker([third]);
      await goesOn(10);
      const [quit, join] = person.seenAt
        .slice(quits)
        .filter(({ what }) => /^(quit antiphon|join antiphon #ops)$/.test(what));
      expect([quit?.what, join?.what]).toEqual(["quit antiphon", "join antiphon #ops"]);
      const gapMs = (join?.at ?? Number.NaN) - (quit?.at ?? 0);
      console.log(`${kind}: planned change, ${gapMs.toFixed(0)} ms without the bot in the channel`);
      const changes = [
        ["killed", silenceMs(person, killedAt, endedAt), second],
        ["sent away", silenceMs(person, endedAt, performance.now()), third],
      ] as const;
      for (const [how, silentMs, next] of changes)
        console.log(
          `${kind}: leader ${how}, ${silentMs.toFixed(0)} ms without an answer, gap told: ${toldMs(next).join()} ms`,
        );
      expect(gapMs).toBeLessThan(1_000);

      clearInterval(asking);
      const isDone = (): boolean => {
        const heard = new Set(answers(person));
        return (!hasHistory || team.asked.size === asked) && [...team.asked].every((number) => heard.has(number));
      };
      await waitFor(isDone, { ...LONG, what: "every stored question is answered" });
      const said = answers(person);
      const doubles = said.length - new Set(said).size;
      console.log(`${kind}: ${asked} asked, ${team.asked.size} stored, ${said.length} answers, ${doubles} said again`);
      expect(new Set(said)).toEqual(team.asked);
      // The first one's Lease, and the one handed over, leave nothing in doubt. A busy machine may let one more run out.
      const unplanned = team.masters.flatMap((master) => master.epochs("irc")).length - 2;
      expect(team.count("action.in-doubt")).toBeLessThanOrEqual(unplanned);
      expect(doubles).toBeLessThanOrEqual(hasHistory ? 0 : unplanned);
      expect(person.said.at(-1)?.nick).toBe("antiphon");
      for (const next of [second, third]) {
        const gaps = next.of("adapter.gap").map((line) => line["repaired"]);
        expect(new Set(gaps)).toEqual(new Set([hasHistory]));
      }
    });
  });
});
