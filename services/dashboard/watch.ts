// Looks whether a trouble is over, and tells the pages to read again when it is.

import { get, trouble } from "./ask.ts";
import { findAgain, findSession, session } from "./session.ts";
import { Store } from "./store.ts";

const FIRST_MS = 1000;
const LAST_MS = 5000;

/** Rises whenever what is shown may be out of date. */
export const reads = new Store(0);

export function readAgain(): void {
  reads.set(reads.value + 1);
}

let looking = false;

export function watchTrouble(): void {
  trouble.watch(() => {
    if (trouble.value === "login") return void findAgain().catch(() => {});
    if (trouble.value !== "none" && !looking) void look();
  });
}

async function look(): Promise<void> {
  looking = true;
  for (let waitMs = FIRST_MS; trouble.value === "redis" || trouble.value === "server";) {
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    waitMs = Math.min(LAST_MS, waitMs * 1.5);
    // Where the page was opened in the middle of it, it is not known yet who looks.
    await (session.value ? get("queues", { limit: 1 }) : findSession()).catch(() => {});
  }
  looking = false;
  readAgain();
}
