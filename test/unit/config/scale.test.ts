// ANTIPHON_SCALE_TARGETS: how it is written, and that all that is wrong in it is told at once.

import { expect, test } from "vitest";
import type { Config } from "../../../services/config/config.ts";
import { readConfig } from "../../../services/config/read.ts";

const read = (targets: string): Promise<Config> =>
  readConfig("tool", { env: { ANTIPHON_SCALE_TARGETS: targets }, cwd: "/", cores: 2, terminal: false, dev: false });

test("each pool names its Deployment and its bounds; without any nothing is scaled", async () => {
  expect((await read("default=antiphon-worker:2-10, heavy=antiphon-worker-heavy:1-4")).scaleTargets).toEqual([
    { pool: "default", deployment: "antiphon-worker", min: 2, max: 10 },
    { pool: "heavy", deployment: "antiphon-worker-heavy", min: 1, max: 4 },
  ]);
  expect((await read("")).scaleTargets).toEqual([]);
});

test.each([
  "worker:2-10",
  "default=worker",
  "default=worker:2",
  "default=Worker:2-10",
  "default=worker:2-",
  "a=b:1-2,",
])("%s is no target", async (targets) => {
  await expect(read(targets)).rejects.toThrow("ANTIPHON_SCALE_TARGETS must be a list (separated by commas) of pool=");
});

test("everything that contradicts itself is told", async () => {
  const problems = String(await read("a=one:0-3,b=one:5-2,a=two:1-1").catch((error: unknown) => error));
  expect(problems).toContain("the minimum of pool a is 0, but somebody must receive webhooks");
  expect(problems).toContain("the minimum of pool b is 5, above its maximum 2.");
  expect(problems).toContain("ANTIPHON_SCALE_TARGETS names the pool a more than once.");
  expect(problems).toContain("ANTIPHON_SCALE_TARGETS names the deployment one more than once.");
});
