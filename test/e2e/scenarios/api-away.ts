// The API server is away for the pods: nobody scales, nobody is annotated, and the bot goes on. Needs E2E_API_AWAY, E2E_API_BACK.

import { setTimeout as pause } from "node:timers/promises";
import { waitFor } from "../../support/wait-for.ts";
import { command } from "../support/command.ts";
import { count, type Finding, time } from "../support/figures.ts";
import { restartsOf } from "../support/pods.ts";
import type { Release } from "../support/release.ts";
import { underLoad } from "../support/under-load.ts";
import { changesOf } from "../support/watch-seats.ts";
import { Counts } from "./backlog.ts";
import { answered } from "./install.ts";

const AWAY_MS = 45_000;
const THERE_MS = 60_000;
const BACK_MS = 60_000;
const ASK_MS = 2_000;
/** Two workers need two minutes for them. */
const JOBS = 6_000;
const JOB_MS = 1_000;
const MIN = 2;
const MAX = 5;

/** Of the chart. */
export const API_AWAY_VALUES = { autoscaling: { min: MIN, max: MAX } };

export async function apiAway(release: Release): Promise<Finding> {
  const { store, pods, url } = release;
  const name = "the API server away";
  const counts = new Counts(release, "worker");
  await waitFor(() => counts.now === MIN, { timeoutMs: THERE_MS, what: `${MIN} workers` });
  await release.settled();
  await release.leader();
  const before = await release.seats();
  let answers = 0;
  let [moves, backMs] = [0, Number.NaN];
  const account = await underLoad({
    release,
    name,
    steadyMs: 4_000,
    act: async () => {
      const from = Date.now();
      await switched("E2E_API_AWAY");
      try {
        const inputs = Array.from({ length: JOBS }, (_, at) => ({ event: `meanwhile-${at}`, ms: JOB_MS }));
        await store.queue.enqueueAll("e2e.work", inputs);
        for (; Date.now() - from < AWAY_MS; await pause(ASK_MS)) {
          await answered(url, "antiphon ping", /pong/i);
          answers++;
        }
        moves = counts.changes.filter(({ at }) => at >= from).length;
      } finally {
        await switched("E2E_API_BACK");
      }
      const back = Date.now();
      await waitFor(() => counts.now > MIN, { timeoutMs: BACK_MS, what: "more workers are asked for" });
      backMs = Date.now() - back;
    },
  });
  await counts.stop();
  await release.settled();
  await pods.read();
  const held = pods.logged("scale.held");
  const [control] = changesOf(before, await release.seats());
  const restarts = [...pods.of("worker"), ...pods.of("master")].reduce((sum, pod) => sum + restartsOf(pod), 0);
  const moved = (control?.handovers ?? 0) + (control?.expiries ?? 0);
  return {
    name: "api-away",
    conditions: [
      `${MIN} workers, 2 masters, \`autoscaling.mode: builtin\` from ${MIN} to ${MAX}`,
      `no pod reaches the API server for ${AWAY_MS / 1000} s, and ${JOBS} jobs of ${JOB_MS / 1000} s come at the beginning of it`,
      `the leader's log: ${held[0]?.["why"]}`,
      ...account.conditions,
    ],
    rows: [
      count("questions in chat meanwhile, all answered", answers),
      count("changes of the number of workers meanwhile", moves, { is: 0 }),
      count("changes of the leader", moved, { is: 0 }),
      count("restarts of containers", restarts, { is: 0 }),
      time("the API server is back → more workers are asked for", backMs),
      ...account.rows,
    ],
    problems: [
      ...account.problems,
      ...(moves === 0 ? [] : [`the number of workers changed ${moves} times`]),
      ...(moved === 0 ? [] : [`the leader changed ${moved} times`]),
      ...(restarts === 0 ? [] : [`${restarts} restarts`]),
      ...(held.length > 0 ? [] : ["nobody says that scaling holds"]),
    ],
  };
}

async function switched(variable: "E2E_API_AWAY" | "E2E_API_BACK"): Promise<void> {
  const [program = "", ...args] = (process.env[variable] ?? "").split(" ");
  await command(program, args);
}
