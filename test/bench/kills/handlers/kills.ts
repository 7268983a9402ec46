// What runs while workers are killed: a job that says that it began, and goes on until it is let go.

import { defineHandler, job } from "antiphon";
import { z } from "zod";
import { TallyClient } from "../../flood/tally-client.ts";

const Hold = job("kills.hold", z.object({ number: z.string() }));
let tally: TallyClient | undefined;

export default defineHandler({
  name: "kills",
  setup: () => {
    tally = new TallyClient(Number(process.env["BENCH_TALLY"]));
  },
  teardown: () => tally?.end(),
  routes: (r) => ({
    hold: r.job(Hold, { run: async ({ input, signal }) => tally?.held(input.number, signal) }),
  }),
});
