// What the flood runs in Antiphon: one route that only counts, one that burns CPU, one that waits to be let go.

import { defineHandler } from "antiphon";
import { TallyClient } from "../flood/tally-client.ts";

const BURN_MS = 20;

let tally: TallyClient | undefined;

function numberOf(headers: Readonly<Record<string, unknown>>): string {
  return String(headers["x-github-delivery"] ?? "");
}

export default defineHandler({
  name: "flood",
  setup: () => {
    tally = new TallyClient(Number(process.env["BENCH_TALLY"]));
  },
  teardown: () => tally?.end(),
  routes: (r) => ({
    count: r.post("/hooks/flood", {
      run: ({ headers }) => tally?.handled(numberOf(headers)),
    }),
    burn: r.post("/hooks/burn", {
      run: ({ headers }) => {
        const until = performance.now() + BURN_MS;
        while (performance.now() < until);
        tally?.handled(numberOf(headers));
      },
    }),
    hold: r.post("/hooks/hold", {
      run: async ({ headers, signal }) => tally?.held(numberOf(headers), signal),
    }),
  }),
});
