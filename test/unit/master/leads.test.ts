// Who leads what, shown on the masters' pods and told as events.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { RemoteCluster } from "../../../services/kubernetes/remote.ts";
import type { Tenure } from "../../../services/leader/duty.ts";
import { Masters } from "../../../services/leader/masters.ts";
import { leaseTiming } from "../../../services/leader/timing.ts";
import { Leads } from "../../../services/master/leads.ts";
import { Occurrences } from "../../../services/master/occurrences.ts";
import { closeRedis, openRedis, type RedisClient } from "../../../services/redis/connect.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { ApiServer, type FakePod } from "../../support/api-server.ts";
import { Bench } from "../../support/broker.ts";
import { testRedis } from "../../support/redis.ts";
import { waitFor } from "../../support/wait-for.ts";

const LEADS = "antiphon.dev/leads";
const COST = "controller.kubernetes.io/pod-deletion-cost";
const common = { clock: systemClock, random: Math.random, emit: () => {} };
let redis: RedisClient;
let bench: Bench;
let api: ApiServer;
let cluster: RemoteCluster;
let masters: Masters[] = [];
let leads: Leads | undefined;

beforeAll(async () => {
  redis = openRedis({ url: (await testRedis()).url, name: "leads", purpose: "commands", onState: () => {} });
  await waitFor(() => redis.ping());
});
afterAll(() => closeRedis(redis));
beforeEach(async () => {
  bench = new Bench(redis);
  api = await new ApiServer().start();
  cluster = new RemoteCluster(api.place("master-a"), systemClock);
});
afterEach(async () => {
  await cluster.close();
  await leads?.stop();
  await Promise.all(masters.map((master) => master.stop()));
  masters = [];
  await api.stop();
});

/** A master that is heard of, and its pod. */
async function master(pod: string, units: readonly string[]): Promise<FakePod> {
  const made = api.addPod("master", pod);
  for (const name of ["name", "instance", "component"]) made.labels[`app.kubernetes.io/${name}`] = "x";
  const { client, keys } = bench.context;
  const stopping = new AbortController().signal;
  const timing = leaseTiming(6_000);
  const self = new Masters({ client, keys, owner: `${pod}/1`, pod, revision: "1", timing, stopping, ...common });
  for (const unit of units) self.stand({ unit, leads: false, yield: async () => {} });
  await self.start();
  masters.push(self);
  return made;
}

const lead = (unit: string, pod: string): Promise<unknown> =>
  redis.set(bench.context.keys.lease(unit), `${pod}/1:token`, "PX", 60_000);

async function watch(): Promise<void> {
  const held = (): boolean => true;
  const tenure: Tenure = {
    unit: "control",
    epoch: "1",
    signal: new AbortController().signal,
    held,
    confirmed: async () => true,
    assert: () => {},
  };
  const occurrences = new Occurrences({ cluster, ...common });
  leads = new Leads({ cluster, occurrences, redis: bench.context, pod: "master-a", heardMs: 6_000, tenure, ...common });
  await leads.start();
}

const shown = (pod: FakePod): unknown[] => [pod.annotations[LEADS], pod.annotations[COST]];
const notes = (): unknown[] => api.events.map(({ reason, note }) => `${String(reason)}: ${String(note)}`);

test("the pods that lead bear what they lead and go last; who loses it bears it no more", async () => {
  const a = await master("master-a", ["control", "irc/libera"]);
  const b = await master("master-b", ["control", "irc/libera", "slack"]);
  // Cut off while it led: nothing is heard of it any more.
  const lost = await master("master-c", []);
  await masters.pop()?.stop();
  Object.assign(lost.annotations, { [LEADS]: "slack", [COST]: "1000", kept: "1" });
  await Promise.all([lead("control", "master-a"), lead("irc/libera", "master-a"), lead("slack", "master-b")]);
  await watch();
  const options = { timeoutMs: 20_000 };
  await waitFor(() => a.annotations[LEADS] && b.annotations[LEADS] && !lost.annotations[LEADS], options);
  expect([shown(a), shown(b), lost.annotations]).toEqual([
    ["control,irc/libera", "1000"],
    ["slack", "1000"],
    { kept: "1" },
  ]);
  await waitFor(() => api.events.length === 2, options);
  expect(notes()).toEqual([
    "HandedOver: slack from master-c to master-b",
    "LeaderElected: control by master-a; irc/libera by master-a",
  ]);
  const patches = (): number => api.requests.filter(({ method }) => method === "PATCH").length;
  expect(patches()).toBe(3);
  await Promise.all([lead("irc/libera", "master-b"), lead("slack", "master-b")]);
  await waitFor(() => patches() === 5, options);
  expect([shown(a), shown(b)]).toEqual([
    ["control", "1000"],
    ["irc/libera,slack", "1000"],
  ]);
});

test("a former leader that is about to end is named, and left alone", async () => {
  const former = await master("master-0", []);
  await masters.pop()?.stop();
  Object.assign(former, { isLeaving: true, annotations: { [LEADS]: "control", [COST]: "1000" } });
  const a = await master("master-a", ["control"]);
  await lead("control", "master-a");
  await watch();
  await waitFor(() => a.annotations[LEADS] === "control" && api.events.length > 0, { timeoutMs: 20_000 });
  expect(notes()).toEqual(["HandedOver: control from master-0 to master-a"]);
  expect(former.annotations[LEADS]).toBe("control");
});

test("a master outside of the cluster is passed over", async () => {
  await master("laptop", ["control"]);
  api.pods.delete("laptop");
  const a = await master("master-a", ["control", "irc"]);
  await Promise.all([lead("control", "master-a"), lead("irc", "laptop")]);
  await watch();
  await waitFor(() => a.annotations[LEADS] === "control", { timeoutMs: 20_000 });
  await waitFor(() => api.requests.some(({ path }) => path === "pods/laptop"));
});
