// A Redis that wants another password than it is given: pods that wait and say why, and no crash loop; then the Secret is
// corrected.

import { setTimeout as pause } from "node:timers/promises";
import { waitFor } from "../../support/wait-for.ts";
import type { Cluster } from "../support/cluster.ts";
import { count, type Finding, time } from "../support/figures.ts";
import { isReady, type Pod, restartsOf } from "../support/pods.ts";
import { Release } from "../support/release.ts";
import { fixed, merged } from "../support/values.ts";
import { answered } from "./install.ts";

const PASSWORD = "the-right-one";
const SECRET = "redis-login";
const WRONG = [
  { what: "another password", url: "redis://:another@redis:6379" },
  { what: "no password", url: "redis://redis:6379" },
];
const SEEN_MS = 90_000;
/** Longer than the liveness probe takes to lose patience. */
const HOLD_MS = 75_000;
const SHOWN_CHARS = 110;
const REASON = /refused the user or password/;

export async function passwordWrong(cluster: Cluster, namespace: string): Promise<Finding> {
  const [first] = WRONG;
  const release = await Release.begin({
    cluster,
    namespace,
    password: PASSWORD,
    objects: [secret(first?.url ?? "")],
    values: merged(fixed(2, 2), {
      redis: { url: "", existingSecret: SECRET, existingSecretKey: "url" },
    }),
  });
  try {
    return await waitedAndMended(release);
  } catch (error) {
    throw await release.explained(error);
  } finally {
    await release.remove();
  }
}

async function waitedAndMended(release: Release): Promise<Finding> {
  const { cluster, namespace } = release;
  const seen: Seen[] = [];
  for (const { what, url } of WRONG) {
    const before = new Set(seen.length > 0 ? release.pods.all : []);
    await cluster.apply(namespace, secret(url));
    if (seen.length > 0) await release.helm("upgrade");
    seen.push(await held(release, what, before));
  }
  await cluster.apply(namespace, secret(`redis://:${PASSWORD}@redis:6379`));
  const from = Date.now();
  await release.helm("upgrade");
  await release.settled();
  const readyMs = Date.now() - from;
  await release.connect();
  await answered(release.url, "antiphon ping", /pong/i);
  // Nodes that share a machine take each other's logs away: not every pod still has one.
  const unlogged = sum(seen, "logged") > 0 ? [] : ["no log says why"];
  return {
    name: "password",
    conditions: [
      `2 workers, 2 masters; the Secret of \`redis.existingSecret\` says ${WRONG.map(({ what }) => what).join(", then ")}, each for ${HOLD_MS / 1000} s`,
      "then it says the right one, and `helm upgrade`",
      ...seen.map(({ said }) => `a pod: ${said.slice(0, SHOWN_CHARS)} …`),
    ],
    rows: [
      count(`pods that said why at /readyz, of ${sum(seen, "all")}`, sum(seen, "told"), { is: sum(seen, "all") }),
      count("pods that said so in their log", sum(seen, "logged")),
      count("pods that were ready meanwhile", sum(seen, "ready"), { is: 0 }),
      count("restarts of containers", sum(seen, "restarts"), { is: 0 }),
      time("the Secret is right, `helm upgrade` → all pods are ready", readyMs),
    ],
    problems: [...seen.flatMap((one) => one.problems), ...unlogged],
  };
}

interface Seen {
  readonly all: number;
  readonly told: number;
  readonly logged: number;
  readonly ready: number;
  readonly restarts: number;
  /** By the first pod at /readyz. */
  readonly said: string;
  readonly problems: readonly string[];
}

/** What the new pods do with this Secret until patience would have ended; a rollout that gets nowhere has one of each. */
async function held(release: Release, what: string, before: ReadonlySet<Pod>): Promise<Seen> {
  const { pods } = release;
  const fresh = (component: string): Pod[] => pods.of(component).filter((pod) => !before.has(pod));
  const ours = (): Pod[] => [...fresh("worker"), ...fresh("master")];
  const tell = async (): Promise<boolean> => {
    const enough = before.size > 0 ? 1 : 2;
    const isThere = fresh("worker").length >= enough && fresh("master").length >= enough;
    return isThere && (await told(release, ours())).every(saysWhy);
  };
  await waitFor(tell, { timeoutMs: SEEN_MS, what: `new pods say that ${what} is wrong` });
  let ready = 0;
  for (const until = Date.now() + HOLD_MS; Date.now() < until; await pause(1_000))
    ready = Math.max(ready, ours().filter(isReady).length);
  const bodies = await told(release, ours());
  const telling = bodies.filter(saysWhy).length;
  await pods.read();
  const logged = ours().filter(({ logs }) => logs.some((line) => REASON.test(line))).length;
  const restarts = ours().reduce((all, pod) => all + restartsOf(pod), 0);
  return {
    all: bodies.length,
    told: telling,
    logged,
    ready,
    restarts,
    said: reasonIn(bodies[0]?.text ?? ""),
    problems: [
      ...(telling === bodies.length
        ? []
        : [`${what}: ${telling} of ${bodies.length} say why: ${JSON.stringify(bodies)}`]),
      ...(ready === 0 ? [] : [`${what}: ${ready} pods were ready`]),
      ...(restarts === 0 ? [] : [`${what}: ${restarts} restarts`]),
    ],
  };
}

/** Of the body of /readyz. */
function reasonIn(text: string): string {
  const { checks } = JSON.parse(text) as { readonly checks: readonly { readonly detail: string }[] };
  return checks.find(({ detail }) => REASON.test(detail))?.detail ?? text;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function saysWhy({ status, text }: Answer): boolean {
  return status === 503 && REASON.test(text);
}

/** What they answer at /readyz, asked through the API server. */
function told({ cluster, namespace }: Release, pods: readonly Pod[]): Promise<Answer[]> {
  const path = (pod: string): string => `/api/v1/namespaces/${namespace}/pods/${pod}:9090/proxy/readyz`;
  return Promise.all(
    pods.map(({ name }) => cluster.answer(path(name)).catch((error: unknown) => ({ status: 0, text: String(error) }))),
  );
}

function secret(url: string): unknown {
  return { apiVersion: "v1", kind: "Secret", metadata: { name: SECRET }, stringData: { url } };
}

function sum(seen: readonly Seen[], what: "all" | "told" | "logged" | "ready" | "restarts"): number {
  return seen.reduce((all, one) => all + one[what], 0);
}
