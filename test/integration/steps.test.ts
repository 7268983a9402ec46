// Remembered steps of a run whose worker process is killed.

import { afterEach, beforeEach, expect, test } from "vitest";
import { Lab } from "../support/handling.ts";
import { eachServer } from "../support/redis.ts";
import { spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const MAIN = new URL("../../services/main.ts", import.meta.url);

eachServer((_name, url) => {
  let lab: Lab;
  beforeEach(() => {
    lab = new Lab(url());
  });
  afterEach(() => lab.stop());

  const times = (line: string): number => lab.lines.filter((one) => one === line).length;
  const said = (line: string): Promise<unknown> =>
    waitFor(() => lab.lines.includes(line), { what: line, timeoutMs: 60_000 });

  test("SIGKILL after the record of a step and before that of the next: the first one is not made again, the other is", async () => {
    const env = {
      REDIS_URL: url(),
      ANTIPHON_NAMESPACE: lab.namespace,
      ANTIPHON_HANDLERS: "test/fixtures/handlers/lab.ts",
      ANTIPHON_HANDLER_LAB_JOURNAL: lab.journal,
      ANTIPHON_HTTP_PORT: "0",
      ANTIPHON_ADMIN_PORT: "0",
      LOG_FORMAT: "json",
    };
    const child = spawnNode(MAIN, { args: ["worker"], env });
    await lab.enqueue("stepped", "a", { key: "k" });
    await lab.enqueue("note", "behind it", { key: "k" });
    await said("two a");
    child.kill("SIGKILL");
    await child.exited;
    expect(lab.lines).toEqual(["one a", "two a"]);
    lab.openGate();
    await lab.work();
    await said("note behind it");
    expect([times("one a"), times("two a"), times("stepped a")]).toEqual([1, 2, 1]);
    expect(lab.lines.slice(-2)).toEqual(["stepped a", "note behind it"]);
  });
});
