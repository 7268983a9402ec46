// The short form, for every change: from nothing to an answer, then one release that is upgraded, killed at, drained and cut off.

import { afterAll, beforeAll, describe } from "vitest";
import { installed } from "./scenarios/install.ts";
import { killed } from "./scenarios/kills.ts";
import { cutOff, drained } from "./scenarios/nodes.ts";
import { objectsTaken } from "./scenarios/objects.ts";
import { upgraded } from "./scenarios/upgrade.ts";
import { needs, scenario, spaceOf } from "./support/around.ts";
import { Cluster } from "./support/cluster.ts";
import { Release } from "./support/release.ts";
import { fixed, merged } from "./support/values.ts";

const cluster = await Cluster.open();
const nodes = (await cluster.nodes()).map(({ name }) => name);
const [anchor = "", other = ""] = nodes;
const STEADY_MS = 4_000;
const KILL_MS = 30_000;
const CUT_MS = 15_000;
/** Two workers at a time change, and a new one counts sooner: half the time of an upgrade. The rest is the chart's own. */
const values = merged(fixed(4, 2), {
  worker: { minReadySeconds: 2, strategy: { rollingUpdate: { maxSurge: 2 } } },
  master: { minReadySeconds: 2 },
});

afterAll(() => cluster.close());

scenario("the API server takes all that the chart renders", () => objectsTaken(cluster, spaceOf("objects")));

scenario("a plain install is ready within a minute, and answers in chat and to webhooks", () =>
  installed(cluster, spaceOf("install")),
);

describe("4 workers and 2 masters under load", () => {
  let release: Release;
  beforeAll(async () => {
    release = await Release.install({ cluster, namespace: spaceOf("short"), values });
  });
  afterAll(() => release?.remove());

  scenario("an upgrade refuses and loses nothing, and each unit changes its leader once", () =>
    upgraded(release, { steadyMs: STEADY_MS }),
  );
  scenario("random kills lose and double nothing", () => killed(release, KILL_MS));
  needs("three nodes", nodes.length >= 3, () => {
    scenario("the drain of a node refuses and loses nothing", () => drained(release, [other]));
    needs("E2E_CUT and E2E_MEND", process.env["E2E_CUT"] !== undefined && process.env["E2E_MEND"] !== undefined, () =>
      scenario("of a leader whose node is cut off nothing is accepted any more", () =>
        cutOff(release, { holdMs: CUT_MS, anchor }),
      ),
    );
  });
});
