// A deploy that cannot work: the new pods never become ready, the old ones go on serving; and going back.

import { setTimeout as pause } from "node:timers/promises";
import { waitFor } from "../../support/wait-for.ts";
import { count, type Finding } from "../support/figures.ts";
import { NAME, type Release } from "../support/release.ts";
import { underLoad } from "../support/under-load.ts";
import { merged } from "../support/values.ts";

const BROKEN = 'throw new Error("this handler is broken");\n';
const SEEN_MS = 60_000;
const HOLD_MS = 10_000;

export async function brokenDeploy(release: Release): Promise<Finding> {
  const { cluster, namespace, pods } = release;
  const name = "a deploy of a broken handler";
  const good = release.values;
  const before = new Set(pods.of("worker").map((pod) => pod.name));
  let reason = "";
  let becameReady = 0;
  const account = await underLoad({
    release,
    name,
    steadyMs: 3_000,
    act: async () => {
      await release.helm("upgrade", merged(good, { handlers: { inline: { "broken.ts": BROKEN } } }));
      const fresh = () => pods.of("worker").filter((pod) => !before.has(pod.name));
      const why = async (): Promise<string | undefined> => {
        await pods.read();
        return fresh()
          .flatMap(({ logs, logsBefore }) => [...logsBefore, ...logs])
          .find((line) => line.includes("this handler is broken"));
      };
      reason = await waitFor(why, { timeoutMs: SEEN_MS, what: "a new pod says why" });
      await pause(HOLD_MS);
      becameReady = fresh().filter(({ readyAt }) => readyAt !== undefined).length;
      await cluster.helm("rollback", NAME, "--namespace", namespace);
      release.values = good;
      await release.settled();
    },
  });
  const kept = pods.of("worker").filter((pod) => before.has(pod.name)).length;
  return {
    name: "broken",
    conditions: [
      "an inline handler that throws, `helm upgrade`, then `helm rollback`",
      `the log of a new pod: ${reason.slice(0, 160)}`,
      ...account.conditions,
    ],
    rows: [
      ...account.rows,
      count("new pods that became ready", becameReady, { is: 0 }),
      count(`old workers that served all the while, of ${before.size}`, kept, { is: before.size }),
    ],
    problems: [
      ...account.problems,
      ...(becameReady === 0 ? [] : [`${becameReady} broken pods became ready`]),
      ...(kept === before.size ? [] : [`${kept} of ${before.size} old workers are left`]),
    ],
  };
}
