// What error trackers are told of this process, and which texts must not reach them.

import { expect, test } from "vitest";
import { readConfig } from "../../../services/config/read.ts";
import { reportsOf } from "../../../services/config/reports.ts";

async function reports(env: Readonly<Record<string, string>>, dev = false): Promise<ReturnType<typeof reportsOf>> {
  const around = { cwd: import.meta.dirname, cores: 2, terminal: false, dev };
  const config = await readConfig("tool", { ...around, env });
  return reportsOf({ config, server: "pod-1", version: "1.2.3" });
}

test("SENTRY_DSN is one more tracker; release and environment have defaults", async () => {
  const { trackers, about } = await reports({
    ANTIPHON_ERROR_TRACKERS: "https://errors.example/x",
    SENTRY_DSN: "https://key@sentry.example/1",
  });
  expect(trackers).toEqual(["https://errors.example/x", "sentry+https://key@sentry.example/1"]);
  expect(about).toEqual({ version: "1.2.3", release: "antiphon@1.2.3", environment: "production", server: "pod-1" });
  expect((await reports({}, true)).about.environment).toBe("development");
});

test("passwords, tokens, keys and the variables of handlers are secrets", async () => {
  const { secrets } = await reports({
    REDIS_URL: "redis+sentinel://user:p%40ss@h1:1,h2:2/name",
    ANTIPHON_ADMIN_TOKEN: "admin-token",
    ANTIPHON_WEB_TOKEN: "ann=anns-secret,bob=bobs-secret",
    ANTIPHON_HANDLER_DEPLOY_HOOK: "hook-secret",
    SENTRY_DSN: "https://dsn-key@sentry.example/1",
  });
  for (const secret of ["p%40ss", "p@ss", "admin-token", "anns-secret", "bobs-secret", "hook-secret", "dsn-key"])
    expect(secrets).toContain(secret);
});
