// What a route says about its rate and about how many of it run at a time holds over all workers.

import { afterEach, beforeEach, expect, test } from "vitest";
import { Lab } from "../support/handling.ts";
import { eachServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

const HANDLERS = { handlers: "test/fixtures/handlers/limited.ts" };

let lab: Lab;
afterEach(() => lab.stop());

const begun = (): string[] => lab.lines.filter((line) => line.startsWith("in "));

eachServer((_name, url) => {
  beforeEach(() => {
    lab = new Lab(url());
  });

  test("of a route with concurrency 2, two run at a time, in two workers together", async () => {
    await lab.work(HANDLERS);
    await lab.work(HANDLERS);
    for (let n = 0; n < 8; n++) await lab.enqueue("few", `${n}`, { ms: 50 });
    await waitFor(() => lab.lines.length === 16, { what: "all of them", timeoutMs: 20_000 });
    let running = 0;
    let most = 0;
    for (const line of lab.lines) {
      running += line.startsWith("in ") ? 1 : -1;
      most = Math.max(most, running);
    }
    expect(most).toBe(2);
  });

  test("of a route with 10 a second, no more begin", async () => {
    await lab.work(HANDLERS);
    await lab.work(HANDLERS);
    for (let n = 0; n < 15; n++) await lab.enqueue("slow", `${n}`);
    await waitFor(() => begun().length === 15, { what: "all of them", timeoutMs: 20_000 });
    const times = begun().map((line) => Number(line.split(" ")[2]));
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1200);
  });

  test("a rate by key holds one key back and no other", async () => {
    await lab.work(HANDLERS);
    for (const key of ["a", "a", "b", "c"]) await lab.enqueue("each", key, { key });
    await waitFor(() => begun().length === 3, { what: "one of each key" });
    expect(
      begun()
        .map((line) => line.split(" ")[1])
        .toSorted(),
    ).toEqual(["a", "b", "c"]);
  });
});
