// The bus of a chart install, read through the NodePort while every worker goes: what a handler publishes is heard once and in
// order.

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { waitFor } from "../../support/wait-for.ts";
import { type BusReader, pageReader, readers } from "../support/bus-readers.ts";
import { count, type Finding } from "../support/figures.ts";
import { settled } from "../support/ledger.ts";
import { post } from "../support/load.ts";
import type { Release } from "../support/release.ts";
import { destroy } from "./kills.ts";

const RULES = `import { defineBus } from "antiphon";
export default defineBus({ authorize: { "/e2e": true } });
`;
const EACH_MS = 100;
const STEADY_MS = 3_000;
const HEARD_MS = 60_000;
const SETTLE_MS = 60_000;
const CHROMIUM = "/usr/bin/chromium";

/** Of the chart. */
export const BUS_VALUES = { handlers: { inline: { "bus.ts": RULES } } };

export async function busHeard(release: Release): Promise<Finding> {
  const { store, pods, url } = release;
  const all = await readers(url);
  if (existsSync(CHROMIUM)) all.push(await pageReader(url));
  const stopping = new AbortController();
  try {
    const telling = tell(url, stopping.signal);
    await pause(STEADY_MS);
    const workers = pods.of("worker").length;
    for (const grace of [undefined, 1])
      for (const pod of pods.of("worker")) {
        await destroy(release, pod, grace);
        await waitFor(() => pod.deletedAt !== undefined, { timeoutMs: HEARD_MS, what: `${pod.name} goes` });
        await release.settled();
        await pause(STEADY_MS);
      }
    stopping.abort();
    const told = await telling;
    await settled(store, SETTLE_MS);
    const found = await Promise.all(all.map((reader) => judged(reader, told.accepted)));
    return {
      name: "bus",
      conditions: [
        `${workers} workers, each deleted in turn with the chart's grace, then with 1 s (SIGKILL); a message each ${EACH_MS} ms`,
        `read through the NodePort by ${found.map(({ name, again }) => `${name}${again === undefined ? "" : ` (came back ${again} times)`}`).join(", ")}`,
      ],
      rows: [
        count("messages published by a handler", told.accepted),
        count("webhooks that had to be said again", told.failed),
        ...found.map(({ name, problems }) =>
          count(`${name}: missed, heard twice or out of order`, problems.length, { is: 0 }),
        ),
      ],
      problems: found.flatMap(({ name, problems }) => problems.slice(0, 3).map((problem) => `${name}: ${problem}`)),
    };
  } finally {
    stopping.abort();
    await Promise.all(all.map((reader) => reader.stop()));
  }
}

interface Telling {
  readonly accepted: number;
  readonly failed: number;
}

/** One after another, each until it is accepted. */
async function tell(url: string, signal: AbortSignal): Promise<Telling> {
  let failed = 0;
  for (let n = 1; ; n++) {
    if (signal.aborted) return { accepted: n - 1, failed };
    const headers = { "idempotency-key": randomUUID() };
    const body = JSON.stringify({ n });
    while ((await post(`${url}/e2e/tell`, { headers, body }).catch(() => 0)) !== 202) {
      failed++;
      await pause(EACH_MS);
    }
    await pause(EACH_MS);
  }
}

interface Judged {
  readonly name: string;
  readonly again: number | undefined;
  readonly problems: readonly string[];
}

async function judged(reader: BusReader, last: number): Promise<Judged> {
  const isThere = async (): Promise<boolean> => (await reader.heard()).includes(last);
  await waitFor(isThere, { timeoutMs: HEARD_MS, what: `${reader.name} hears ${last}` }).catch(() => {});
  const heard = await reader.heard();
  const wanted = Array.from({ length: last }, (_, index) => index + 1);
  const missed = wanted.filter((n) => !heard.includes(n)).map((n) => `${n} was missed`);
  const twice = heard.filter((n, index) => heard.indexOf(n) !== index).map((n) => `${n} was heard twice`);
  const wrong = heard.filter((n, index) => n < (heard[index - 1] ?? 0)).map((n) => `${n} came late`);
  return { name: reader.name, again: reader.again(), problems: [...missed, ...twice, ...wrong] };
}
