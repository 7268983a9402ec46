// What the benchmark runs in Antiphon: a handler whose body is parsed for it and who does nothing but count.

import { getEnvironmentData } from "node:worker_threads";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { defineHandler, job } from "antiphon";
import type { Body } from "../body.ts";
import { Tally } from "../tally.ts";

/** Takes everything: the peers check nothing either. */
const anything: StandardSchemaV1<Body> = {
  "~standard": { version: 1, vendor: "bench", validate: (value) => ({ value: value as Body }) },
};

const Count = job("bench.count", anything);
let tally: Tally | undefined;

export default defineHandler({
  name: "bench",
  setup: () => {
    tally = new Tally(getEnvironmentData("tally") as SharedArrayBuffer);
  },
  routes: (r) => ({
    count: r.job(Count, {
      run: ({ input }) => tally?.handled(input.stamp),
    }),
  }),
});
