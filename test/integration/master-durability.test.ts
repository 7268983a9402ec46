// A master on a server that cannot prove the durability asked for.

import { expect, test } from "vitest";
import { readConfig } from "../../services/config/read.ts";
import { startMaster } from "../../services/master/master.ts";
import { randomId } from "../../services/runtime/ids.ts";
import { testRedis } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

test("it stands for election and answers probes, and ends as soon as the server has said so", async () => {
  const env = {
    REDIS_URL: (await testRedis()).url,
    ANTIPHON_NAMESPACE: `m-${randomId()}`,
    ANTIPHON_ADMIN_HOST: "127.0.0.1",
    ANTIPHON_ADMIN_PORT: "0",
    ANTIPHON_HANDLERS: "examples/handlers/ping.ts",
    ANTIPHON_DURABILITY: "fsync",
  };
  const around = { cwd: process.cwd(), cores: 2, terminal: false, dev: false };
  const config = await readConfig("master", { ...around, env });
  const ends: unknown[] = [];
  const died = (error: unknown): void => void ends.push(error);
  const running = startMaster({ config, pod: "test", emit: () => {}, died, onSilence: "bear" });
  try {
    await running.ready;
    await waitFor(() => ends.length > 0);
    expect(ends).toMatchObject([{ code: "DURABILITY_UNSUPPORTED" }]);
  } finally {
    await running.stop();
  }
});
