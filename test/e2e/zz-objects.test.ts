import { test } from "vitest";
import { objectsTaken } from "/work/main/test/e2e/scenarios/objects.ts";
import { Cluster } from "/work/main/test/e2e/support/cluster.ts";
import { tell } from "/work/main/test/e2e/support/figures.ts";
test("objects", async () => {
  const c = await Cluster.open();
  try {
    tell(await objectsTaken(c, "antiphon-chart-o"));
  } finally {
    c.close();
  }
}, 300000);
