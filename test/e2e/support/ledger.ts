// The account of a load: what was accepted and is not settled, settled twice or in another order, failed, or died.

import { setTimeout as pause } from "node:timers/promises";
import { waitFor } from "../../support/wait-for.ts";
import type { Load, Sent } from "./load.ts";
import type { Store } from "./redis.ts";

const HANDLER = "e2e";
const POLL_MS = 200;
const TOLD = 5;

/** Waits until no delivery is left that may still be run. */
export async function settled({ queue }: Store, timeoutMs: number): Promise<void> {
  let left = "";
  const isOver = async (): Promise<boolean> => {
    await pause(POLL_MS);
    const depths = await queue.depths();
    const open = depths.filter(({ stored, dead }) => stored > dead);
    left = JSON.stringify(open);
    return open.length === 0;
  };
  await waitFor(isOver, { timeoutMs, what: "everything is settled" }).catch((error: unknown) => {
    throw new Error(`${String(error)}; left: ${left}`, { cause: error });
  });
}

/** One line for each thing that was promised and is not so. Only once it is settled. */
export async function problemsOf(load: Load, store: Store, { failuresAllowed = false } = {}): Promise<string[]> {
  const written = await store.client.hgetall(store.keys.store(HANDLER));
  const found = (field: string): string[] => JSON.parse(written[field] ?? "[]") as string[];
  const problems = [
    ...(failuresAllowed
      ? []
      : load.failures.map(({ at, what }) => `refused at ${new Date(at).toISOString()}: ${what}`)),
    ...load.unsent.map((id) => `${id} was never accepted`),
    ...[...load.hooks, ...load.jobs].filter(({ key }) => key === "").flatMap((sent) => onceProblems(sent, found)),
    ...orderProblems(load.hooks, found),
    ...(await letters(store)),
  ];
  return problems.length > TOLD * 4
    ? [...problems.slice(0, TOLD * 4), `and ${problems.length - TOLD * 4} more`]
    : problems;
}

function onceProblems({ id }: Sent, found: (field: string) => string[]): string[] {
  const attempts = found(`once ${id}`);
  if (attempts.length === 0) return [`${id} is lost`];
  if (attempts.length > 1) return [`${id} was settled ${attempts.length} times: ${attempts.join("; ")}`];
  return wordOf(attempts[0]) === "1" ? [] : [`${id} failed before attempt ${attempts[0]}`];
}

function orderProblems(hooks: readonly Sent[], found: (field: string) => string[]): string[] {
  const keys = Map.groupBy(
    hooks.filter(({ key }) => key !== ""),
    ({ key }) => key,
  );
  return [...keys].flatMap(([key, sent]) => {
    const settledIds = found(`order ${key}`);
    const first = sent.findIndex(({ id }, index) => wordOf(settledIds[index]) !== id);
    if (first < 0 && settledIds.length === sent.length) return [];
    const at = first < 0 ? sent.length : first;
    const told = `${key}: ${settledIds.length} of ${sent.length} settled`;
    const before = at === 0 ? "" : ` after ${settledIds[at - 1]}`;
    return [
      `${told}, number ${at + 1} is ${settledIds[at] ?? "missing"} and should be ${sent[at]?.id ?? "nothing"}${before}`,
    ];
  });
}

/** The handler adds where it ran. */
function wordOf(settledOne: string | undefined): string | undefined {
  return settledOne?.split(" ", 1)[0];
}

async function letters({ queue }: Store): Promise<string[]> {
  const { found } = await queue.search({ states: ["dead"], limit: TOLD });
  return found.map(({ id, route, reason }) => `${route} ${id} is dead: ${reason}`);
}
