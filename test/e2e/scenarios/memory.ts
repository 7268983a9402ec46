// A handler takes more memory than its pod may have: the kernel ends the container without a word, under load.

import { setTimeout as pause } from "node:timers/promises";
import { waitFor } from "../../support/wait-for.ts";
import { count, type Finding } from "../support/figures.ts";
import { restartsOf } from "../support/pods.ts";
import type { Release } from "../support/release.ts";
import { underLoad } from "../support/under-load.ts";

const TIMES = 4;
const AGAIN_MS = 8_000;
const ENDED_MS = 60_000;

/** Of the chart. */
export const MEMORY_VALUES = {
  worker: { resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory: "400Mi" } } },
};

export async function outOfMemory(release: Release): Promise<Finding> {
  const { store, pods } = release;
  const name = "a container out of memory";
  const jobs: string[] = [];
  const restarts = (): number => pods.of("worker").reduce((sum, pod) => sum + restartsOf(pod), 0);
  const account = await underLoad({
    release,
    name,
    steadyMs: 3_000,
    failuresAllowed: true,
    act: async () => {
      for (let time = 1; time <= TIMES; time++) {
        const before = restarts();
        const { id } = await store.queue.enqueue("e2e.glutton", { event: `glutton-${time}` }, { result: "1h" });
        jobs.push(id);
        await waitFor(() => restarts() > before, { timeoutMs: ENDED_MS, what: `end ${time} of a container` });
        await pause(AGAIN_MS);
      }
      await release.settled();
    },
  });
  const done = (await Promise.all(jobs.map((id) => store.queue.result(id, { timeout: "2m" })))) as {
    attempt: number;
  }[];
  const killed = pods
    .of("worker")
    .filter(({ object }) => object.status.containerStatuses?.[0]?.lastState?.terminated?.reason === "OOMKilled").length;
  const whole = done.filter(({ attempt }) => attempt === 1).length;
  return {
    name: "memory",
    conditions: [
      `${pods.of("worker").length} workers with a limit of 400 MiB; ${TIMES} times a job that takes more, once`,
      ...account.conditions,
    ],
    rows: [
      count("containers ended for it", restarts()),
      count("pods whose container was last ended as OOMKilled", killed),
      count("of those jobs ran to their end elsewhere, and no failure was counted", whole, { is: TIMES }),
      ...account.rows,
    ],
    problems: [
      ...account.problems,
      ...(killed > 0 ? [] : ["no container was ended for its memory"]),
      ...(whole === TIMES ? [] : [`the jobs ended so: ${JSON.stringify(done)}`]),
    ],
  };
}
