import { expect, test } from "vitest";
import { isFitVersion, verdictOf } from "../../../services/redis/fitness.ts";

/** The text of INFO, as Redis sends it. */
function info(fields: Record<string, string>): string {
  const fit = { redis_version: "7.0.0", redis_mode: "standalone", maxmemory_policy: "noeviction", role: "master" };
  const lines = Object.entries({ ...fit, ...fields }).map(([name, value]) => `${name}:${value}`);
  return `# Server\r\n${lines.join("\r\n")}\r\n`;
}

test.each([
  ["Redis", "7.0", true],
  ["Redis", "6.2.14", false],
  ["Redis", "8.10.1", true],
  ["Valkey", "7.2.4", true],
  ["Valkey", "7.0.15", false],
  ["Valkey", "9.1.1", true],
  ["Redis", "", false],
  ["Redis", "10.0", true],
] as const)("%s %s is fit: %s", (product, version, fit) => {
  expect(isFitVersion(product, version)).toBe(fit);
});

test("a fit server is named; Valkey says its own version and not the Redis version it stands for", () => {
  expect(verdictOf(info({}), false)).toEqual({ ok: true, server: "Redis 7.0.0" });
  expect(verdictOf(info({ redis_version: "7.2.4", valkey_version: "9.1.1" }), false)).toEqual({
    ok: true,
    server: "Valkey 9.1.1",
  });
});

test("everything that is wrong is said at once, each with its remedy", () => {
  const verdict = verdictOf(
    info({ redis_version: "6.2.1", maxmemory_policy: "allkeys-lru", redis_mode: "cluster", role: "slave" }),
    false,
  );
  expect(verdict.ok).toBe(false);
  const detail = verdict.ok ? "" : verdict.detail;
  expect(detail).toMatch(/Redis 6\.2\.1.*Remedy: use Redis 7\.0 or Valkey 7\.2/);
  expect(detail).toMatch(/allkeys-lru.*Remedy: CONFIG SET maxmemory-policy noeviction/);
  expect(detail).toMatch(/cluster.*Remedy: write REDIS_URL as redis\+cluster/);
  expect(detail).toMatch(/replica.*Remedy: point REDIS_URL at the primary/);
});

test("a node of a cluster that was asked for as one is fit", () => {
  expect(verdictOf(info({ redis_mode: "cluster" }), true).ok).toBe(true);
});

test("an answer without the facts is not taken for fit", () => {
  expect(verdictOf("", false)).toMatchObject({ ok: false, detail: expect.stringContaining("unknown") });
});
