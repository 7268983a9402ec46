// Nodes are drained under load, and the network cable of the leader's node is pulled. Needs three nodes.

import { setTimeout as pause } from "node:timers/promises";
import { FenceLog } from "../../chaos/voice/fence-log.ts";
import { fenceProblems, overlapMs, refusals } from "../../chaos/voice/judge.ts";
import { waitFor } from "../../support/wait-for.ts";
import { command } from "../support/command.ts";
import { badExits } from "../support/exits.ts";
import { count, type Finding, time } from "../support/figures.ts";
import type { Pod } from "../support/pods.ts";
import { NAME, type Release } from "../support/release.ts";
import { underLoad } from "../support/under-load.ts";

const LEASE_MS = 6_000;
const MOVE_MS = 60_000;
const ROUNDS = 6;

/** `kubectl drain`, only of the release's own pods: others of the cluster are not ours to move. */
export async function drained(release: Release, nodes: readonly string[]): Promise<Finding> {
  const { cluster, pods } = release;
  const name = "kubectl drain";
  const from = Date.now();
  const account = await underLoad({
    release,
    name,
    steadyMs: 5_000,
    act: async () => {
      for (const node of nodes) {
        const own = `app.kubernetes.io/name=antiphon,app.kubernetes.io/instance=${NAME}`;
        try {
          await cluster.kubectl(
            "drain",
            node,
            "--ignore-daemonsets",
            "--delete-emptydir-data",
            `--pod-selector=${own}`,
            "--timeout=180s",
          );
          await release.settled();
        } finally {
          await cluster.kubectl("uncordon", node);
        }
      }
    },
  });
  const moved = pods.all.filter(({ deletedAt }) => (deletedAt ?? 0) >= from);
  const exits = badExits(moved);
  return {
    name: "drain",
    conditions: [
      `${nodes.length} of 3 nodes, one after another; ${pods.of("worker").length} workers, ${pods.of("master").length} masters, the chart's PodDisruptionBudgets`,
      ...account.conditions,
    ],
    rows: [
      count(`${name}: pods evicted`, moved.length),
      ...account.rows,
      count(`${name}: pods that did not end with exit code 0`, exits.length, { is: 0 }),
    ],
    problems: [...account.problems, ...exits, ...(moved.length > 0 ? [] : ["no pod was evicted"])],
  };
}

export interface CutOptions {
  readonly holdMs: number;
  /** The node that stays: Redis and the control plane are there. */
  readonly anchor: string;
}

/** E2E_CUT NODE pulls the cable, E2E_MEND NODE puts it back. The pods there run on in the dark. */
export async function cutOff(release: Release, { holdMs, anchor }: CutOptions): Promise<Finding> {
  const name = "the leader's node cut off";
  const { store, pods } = release;
  const leader = await leaderAwayFrom(release, anchor);
  const node = leader.object.spec.nodeName ?? "";
  const lost = pods.all.filter(({ object, goneAt }) => goneAt === undefined && object.spec.nodeName === node);
  const log = new FenceLog([store.port], release.cluster.host);
  await log.start();
  let newLeaderMs = Number.NaN;
  try {
    const account = await underLoad({
      release,
      name,
      steadyMs: 3_000,
      failuresAllowed: true,
      act: async () => {
        const at = Date.now();
        await cable("E2E_CUT", node);
        try {
          const other = async (): Promise<boolean> => (await release.leader()) !== leader.name;
          await waitFor(other, { timeoutMs: MOVE_MS, what: "another master leads" });
          newLeaderMs = Date.now() - at;
          await pause(Math.max(0, holdMs - newLeaderMs));
        } finally {
          await cable("E2E_MEND", node);
        }
        await pause(LEASE_MS);
        await release.settled();
      },
    });
    const units = ["control"].map((unit) => log.of(`${store.keys.tag} ${unit}`));
    const fenced = units.flatMap(fenceProblems);
    return {
      name: "cut",
      conditions: [
        `${pods.of("worker").length} workers, ${pods.of("master").length} masters on 3 nodes; Lease ${LEASE_MS / 1000} s; cut off for ${holdMs / 1000} s with ${lost.length} pods running on in the dark`,
        "Redis on another node; what Redis accepted, by MONITOR",
        ...account.conditions,
      ],
      rows: [
        time(`${name} → another master leads`, newLeaderMs, LEASE_MS + 500),
        count(`${name}: writes of the former leader that Redis accepted`, fenced.length, { is: 0 }),
        count(
          `${name}: calls of former leaders that Redis refused`,
          units.reduce((sum, entries) => sum + refusals(entries), 0),
        ),
        {
          ...count(
            `${name}: two leaders on the fence log`,
            units.reduce((sum, entries) => sum + overlapMs(entries), 0),
            { is: 0 },
          ),
          unit: "ms",
        },
        ...account.rows,
      ],
      problems: [...account.problems, ...fenced],
    };
  } finally {
    log.stop();
  }
}

/** The pod that leads `control`, away from this node and from another master; moved in order until it is so. */
async function leaderAwayFrom(release: Release, anchor: string): Promise<Pod> {
  const { pods } = release;
  for (let round = 0; round < ROUNDS; round++) {
    const leader = pods.named(await release.leader());
    const node = leader?.object.spec.nodeName ?? anchor;
    const others = pods.ready("master").filter(({ name }) => name !== leader?.name);
    if (node === anchor) await moved(release, { pod: leader, from: [anchor] });
    else if (others.some(({ object }) => object.spec.nodeName !== node)) return leader as Pod;
    else await moved(release, { pod: others[0], from: [node] });
  }
  throw new Error(`no master leads away from ${anchor} and from the others`);
}

/** Ended in order; another one comes in its place, on none of these nodes. */
async function moved(
  release: Release,
  { pod, from }: { pod: Pod | undefined; from: readonly string[] },
): Promise<void> {
  const { cluster, namespace } = release;
  for (const node of from) await cluster.kubectl("cordon", node);
  try {
    if (pod !== undefined) await cluster.kubectl("--namespace", namespace, "delete", "pod", pod.name, "--wait=true");
    await release.settled();
  } finally {
    for (const node of from) await cluster.kubectl("uncordon", node);
  }
}

async function cable(variable: "E2E_CUT" | "E2E_MEND", node: string): Promise<void> {
  const [program = "", ...args] = (process.env[variable] ?? "").split(" ");
  await command(program, [...args, node]);
}
