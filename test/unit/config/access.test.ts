// Who may use the dashboard, as it is written in the settings: what is taken, what is refused, and that no secret is said.

import { expect, test } from "vitest";
import type { Config } from "../../../services/config/config.ts";
import { readConfig } from "../../../services/config/read.ts";
import { reportsOf } from "../../../services/config/reports.ts";

function read(env: Readonly<Record<string, string>>): Promise<Config> {
  return readConfig("master", {
    env: { REDIS_URL: "redis://r", ...env },
    cwd: import.meta.dirname,
    cores: 2,
    terminal: false,
    dev: false,
  });
}

test("tokens have names and roles, and their secrets reach no error tracker", async () => {
  const config = await read({ ANTIPHON_ADMIN_TOKENS: "ann:operator:secret:with:colons, wall:viewer:0123456789abcdef" });
  expect(config.adminTokens).toEqual([
    { name: "ann", role: "operator", secret: "secret:with:colons" },
    { name: "wall", role: "viewer", secret: "0123456789abcdef" },
  ]);
  const { secrets } = reportsOf({ config, server: "pod", version: "1" });
  expect(secrets).toEqual(expect.arrayContaining(["secret:with:colons", "0123456789abcdef"]));
});

test.each([
  "ann:operator:short-secret",
  "ann:root:0123456789abcdef",
  "0123456789abcdef",
  "ann:operator:0123456789abcdef,ann:viewer:0123456789abcdeg",
  "ann:operator:0123456789abcdef,bob:viewer:0123456789abcdef",
  "ann:operator:0123456789 abcdef",
  "a b:operator:0123456789abcdef",
])("tokens like %s are refused without being told", async (written) => {
  const problem = await read({ ANTIPHON_ADMIN_TOKENS: written }).catch((error: Error) => error.message);
  expect(problem).toContain("ANTIPHON_ADMIN_TOKENS must be a list");
  expect(problem).not.toContain("0123456789");
});

test("proxies, what their users and groups may, and where they say who somebody is", async () => {
  const config = await read({
    ANTIPHON_ADMIN_TRUSTED_PROXIES: "10.0.0.0/8,192.0.2.7,fd00::/8,::1",
    ANTIPHON_ADMIN_PROXY_ROLES: "ops=operator,user:ann@example.org=admin,*=viewer,/team/a b=viewer",
    ANTIPHON_ADMIN_PROXY_HEADERS: "user=X-Auth-Request-User",
  });
  expect(config.adminTrustedProxies).toHaveLength(4);
  expect(config.adminProxyRoles).toEqual([
    { who: "group", name: "ops", role: "operator" },
    { who: "user", name: "ann@example.org", role: "admin" },
    { who: "everybody", name: "", role: "viewer" },
    { who: "group", name: "/team/a b", role: "viewer" },
  ]);
  expect(config.adminProxyHeaders).toEqual({
    user: "x-auth-request-user",
    email: "x-forwarded-email",
    groups: "x-forwarded-groups",
  });
});

test.each([
  ["ANTIPHON_ADMIN_TRUSTED_PROXIES", "10.0.0.0/33"],
  ["ANTIPHON_ADMIN_TRUSTED_PROXIES", "10.0.0.0/8/8"],
  ["ANTIPHON_ADMIN_TRUSTED_PROXIES", "proxy.example.org"],
  ["ANTIPHON_ADMIN_TRUSTED_PROXIES", "*"],
  ["ANTIPHON_ADMIN_PROXY_ROLES", "ops"],
  ["ANTIPHON_ADMIN_PROXY_ROLES", "ops=root"],
  ["ANTIPHON_ADMIN_PROXY_ROLES", "=admin"],
  ["ANTIPHON_ADMIN_PROXY_HEADERS", "user=a b"],
  ["ANTIPHON_ADMIN_PROXY_HEADERS", "user=x,user=y"],
  ["ANTIPHON_ADMIN_PROXY_HEADERS", "user=x-forwarded-groups"],
  ["ANTIPHON_ADMIN_PROXY_HEADERS", "name=x"],
])("%s=%s stops the start", async (variable, written) => {
  await expect(read({ [variable]: written })).rejects.toThrow(`${variable} must be`);
});

test("roles for what a proxy says need a proxy that is trusted; one secret is one person's", async () => {
  await expect(read({ ANTIPHON_ADMIN_PROXY_ROLES: "*=viewer" })).rejects.toThrow(
    "needs ANTIPHON_ADMIN_TRUSTED_PROXIES",
  );
  const secret = "0123456789abcdef";
  const both = { ANTIPHON_ADMIN_TOKEN: secret, ANTIPHON_ADMIN_TOKENS: `ann:viewer:${secret}` };
  await expect(read(both)).rejects.toThrow("holds the secret of ANTIPHON_ADMIN_TOKEN");
});
