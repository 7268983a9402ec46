// The long form: every scenario in a release of its own, those of E2E_NAMES.

import { afterAll } from "vitest";
import { API_AWAY_VALUES, apiAway } from "./scenarios/api-away.ts";
import { authorsImage } from "./scenarios/author.ts";
import { backlog, pools } from "./scenarios/backlog.ts";
import { brokenDeploy } from "./scenarios/broken.ts";
import { BUS_VALUES, busHeard } from "./scenarios/bus.ts";
import { evicted } from "./scenarios/evict.ts";
import { HPA_VALUES, hpaFollows } from "./scenarios/hpa.ts";
import { installed } from "./scenarios/install.ts";
import { IRC_VALUES, ircThroughUpgrade, startNgircd } from "./scenarios/irc.ts";
import { jobsThroughUpgrade } from "./scenarios/jobs.ts";
import { killed } from "./scenarios/kills.ts";
import { MEMORY_VALUES, outOfMemory } from "./scenarios/memory.ts";
import { cutOff, drained } from "./scenarios/nodes.ts";
import { newcomer } from "./scenarios/newcomer.ts";
import { objectsTaken } from "./scenarios/objects.ts";
import { passwordWrong } from "./scenarios/password.ts";
import { requestsAtRest, spread } from "./scenarios/quiet.ts";
import { skaffoldReplayed } from "./scenarios/skaffold.ts";
import { upgraded } from "./scenarios/upgrade.ts";
import { volumeKept } from "./scenarios/volume.ts";
import { inRelease, needs, type Run, scenario, spaceOf } from "./support/around.ts";
import { Cluster } from "./support/cluster.ts";
import { fixed, merged } from "./support/values.ts";

const cluster = await Cluster.open();
const nodes = (await cluster.nodes()).map(({ name }) => name);
const [anchor = ""] = nodes;
const wanted = new Set((process.env["E2E_NAMES"] ?? "").split(","));
const STEADY_MS = 15_000;
const KILL_MS = 120_000;
const CUT_MS = 60_000;

afterAll(() => cluster.close());

const RUNS: Readonly<Record<string, Run>> = {
  objects: (cluster) => objectsTaken(cluster, spaceOf("objects")),
  install: (cluster) => installed(cluster, spaceOf("install")),
  newcomer: () => newcomer(),
  upgrade: (cluster) =>
    inRelease({ cluster, namespace: spaceOf("upgrade"), values: fixed(10, 3) }, (release) =>
      upgraded(release, { steadyMs: STEADY_MS }),
    ),
  "masters-first": (cluster) =>
    inRelease({ cluster, namespace: spaceOf("order"), values: fixed(4, 2) }, (release) =>
      upgraded(release, { steadyMs: STEADY_MS, first: "master" }),
    ),
  jobs: (cluster) => inRelease({ cluster, namespace: spaceOf("jobs"), values: fixed(2, 2) }, jobsThroughUpgrade),
  backlog: (cluster) =>
    inRelease({ cluster, namespace: spaceOf("backlog") }, (release) => backlog(release, { min: 2, max: 10 })),
  pools: (cluster) => {
    const heavy = { queues: "heavy", behindService: false, autoscaling: { min: 1, max: 4 } };
    const values = { worker: { queues: "chat,default", pools: { heavy } } };
    return inRelease({ cluster, namespace: spaceOf("pools"), values }, (release) => pools(release, { min: 1, max: 4 }));
  },
  kills: (cluster) =>
    inRelease({ cluster, namespace: spaceOf("kills"), values: fixed(4, 3) }, (release) => killed(release, KILL_MS)),
  irc: async (cluster) =>
    inRelease({ cluster, namespace: spaceOf("irc"), values: { ...fixed(2, 2), ...IRC_VALUES } }, async (release) => {
      await startNgircd(cluster, release.namespace);
      return ircThroughUpgrade(release);
    }),
  volume: (cluster) => volumeKept(cluster, spaceOf("volume")),
  broken: (cluster) => inRelease({ cluster, namespace: spaceOf("broken"), values: fixed(3, 2) }, brokenDeploy),
  password: (cluster) => passwordWrong(cluster, spaceOf("password")),
  memory: (cluster) =>
    inRelease({ cluster, namespace: spaceOf("memory"), values: merged(fixed(4, 2), MEMORY_VALUES) }, outOfMemory),
  evict: (cluster) => inRelease({ cluster, namespace: spaceOf("evict"), values: fixed(4, 2) }, evicted),
  bus: (cluster) =>
    inRelease({ cluster, namespace: spaceOf("bus"), values: { ...fixed(2, 2), ...BUS_VALUES } }, busHeard),
  "api-load": (cluster) => inRelease({ cluster, namespace: spaceOf("rest") }, requestsAtRest),
  hpa: (cluster) => inRelease({ cluster, namespace: spaceOf("hpa"), values: HPA_VALUES }, hpaFollows),
};

const ON_NODES: Readonly<Record<string, Run>> = {
  spread: (cluster) => inRelease({ cluster, namespace: spaceOf("spread"), values: fixed(6, 3) }, spread),
  drain: (cluster) =>
    inRelease({ cluster, namespace: spaceOf("drain"), values: fixed(6, 3) }, (release) => drained(release, nodes)),
};

const CUT: Readonly<Record<string, Run>> = {
  cut: (cluster) =>
    inRelease({ cluster, namespace: spaceOf("cut"), values: fixed(6, 3) }, (release) =>
      cutOff(release, { holdMs: CUT_MS, anchor }),
    ),
};

const AWAY: Readonly<Record<string, Run>> = {
  "api-away": (cluster) => inRelease({ cluster, namespace: spaceOf("away"), values: API_AWAY_VALUES }, apiAway),
};

const BESIDE: Readonly<Record<string, Run>> = {
  author: (cluster) => authorsImage(cluster, spaceOf("author")),
  skaffold: (cluster) => skaffoldReplayed(cluster, spaceOf("skaffold")),
};

const cutting = process.env["E2E_CUT"] !== undefined && process.env["E2E_MEND"] !== undefined;
const isSwitched = process.env["E2E_API_AWAY"] !== undefined && process.env["E2E_API_BACK"] !== undefined;
const GROUPS = [
  { runs: RUNS, needed: "", isThere: true },
  { runs: ON_NODES, needed: "three nodes", isThere: nodes.length >= 3 },
  { runs: CUT, needed: "three nodes, E2E_CUT and E2E_MEND", isThere: nodes.length >= 3 && cutting },
  { runs: AWAY, needed: "E2E_API_AWAY and E2E_API_BACK", isThere: isSwitched },
  { runs: BESIDE, needed: "E2E_LOAD", isThere: process.env["E2E_LOAD"] !== undefined },
];

for (const { runs, needed, isThere } of GROUPS)
  for (const [name, run] of Object.entries(runs))
    if (wanted.has(name)) needs(`${name} needs ${needed}`, isThere, () => scenario(name, () => run(cluster)));
