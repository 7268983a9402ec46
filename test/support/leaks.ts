// Fails a test file that leaves a connection, a server, a thread, a child process or a timer. Loaded before every test file.

import { afterAll } from "vitest";
import { waitFor } from "./wait-for.ts";

/** Long, for a machine that does other things; a file that leaves nothing waits for nothing. */
const SETTLE_MS = 10_000;
/** The timer of the hook that looks. */
const OWN_TIMERS = 1;

const before = count();

// Registered first, therefore run last: after the hooks of the test file and of what it imports.
afterAll(async () => {
  await waitFor(() => left().length === 0, { timeoutMs: SETTLE_MS }).catch(() => {
    throw new Error(`This file leaves behind: ${left().join(", ")}`);
  });
});

/** What keeps this process alive and did not when the file began, e.g. `2 TCPSocketWrap`. What is unreferenced does not count. */
function left(): string[] {
  return [...count()].flatMap(([kind, now]) => {
    const more = now - Math.max(before.get(kind) ?? 0, kind === "Timeout" ? OWN_TIMERS : 0);
    return more > 0 ? [`${more} ${kind}`] : [];
  });
}

function count(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
