// What docs/operators/access.md tells people to write into nginx, run as it stands there, with a stand-in for oauth2-proxy.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { proxyRoles } from "../../services/config/access.ts";
import { closeRedis, openRedis, type RedisClient } from "../../services/redis/connect.ts";
import { AdminDoor } from "../support/admin-door.ts";
import { freePort, testRedis, withServer } from "../support/redis.ts";
import { endWithThis } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";

const PAGE = readFileSync(new URL("../../docs/operators/access.md", import.meta.url), "utf8");
const WAIT = { timeoutMs: 30_000 };

withServer("nginx", () => {
  let client: RedisClient;
  let door: AdminDoor;
  let oauth: Server;
  let nginx: ChildProcess;
  let folder = "";
  let url = "";
  /** Whom the identity provider knows. */
  let person: Readonly<Record<string, string>> | undefined;

  beforeAll(async () => {
    const { url: redisUrl } = await testRedis();
    client = openRedis({ url: redisUrl, name: "access-proxy", purpose: "commands", onState: () => {} });
    const roles = proxyRoles.read("sre=admin,ops=operator", true) ?? [];
    door = await new AdminDoor({
      client,
      config: { adminTrustedProxies: ["127.0.0.1"], adminProxyRoles: roles },
    }).open();
    oauth = createServer((request, response) => {
      if (request.url === "/oauth2/auth") response.writeHead(person === undefined ? 401 : 202, { ...person }).end();
      else response.end(`log in, then go to ${request.url}`);
    });
    await once(oauth.listen(0, "127.0.0.1"), "listening");
    folder = mkdtempSync(join(tmpdir(), "antiphon-access-"));
    for (const name of ["body", "proxy", "fastcgi", "uwsgi", "scgi"]) mkdirSync(join(folder, name));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    writeFileSync(join(folder, "nginx.conf"), configuration(port, (oauth.address() as AddressInfo).port));
    const args = ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")];
    nginx = endWithThis(spawn("nginx", args, { stdio: "inherit" }));
    await waitFor(async () => (await fetch(`${url}/oauth2/x`)).ok, WAIT);
  }, 60_000);

  afterAll(async () => {
    const ended = once(nginx, "exit");
    nginx.kill();
    await ended;
    oauth.close();
    await door.app.close();
    await closeRedis(client);
    rmSync(folder, { recursive: true });
  });

  function configuration(port: number, oauthPort: number): string {
    const [, block] = /^```nginx\n([^]*?)^```$/m.exec(PAGE) ?? [];
    if (block === undefined) throw new Error("There is no example.");
    const server = block
      .replace("listen 443 ssl;", `listen 127.0.0.1:${port};`)
      .replace(/ssl_certificate.*;/g, "")
      .replaceAll("127.0.0.1:4180", `127.0.0.1:${oauthPort}`)
      .replaceAll("127.0.0.1:9090", `127.0.0.1:${door.port}`);
    const paths = ["client_body_temp_path body", "proxy_temp_path proxy", "fastcgi_temp_path fastcgi"];
    const more = ["uwsgi_temp_path uwsgi", "scgi_temp_path scgi", "access_log off"];
    const http = [...paths, ...more].map((line) => `${line};`).join(" ");
    return `daemon off; pid nginx.pid; worker_processes 1; events {} http { ${http} ${server} }`;
  }

  const known = (email: string, groups: string) => ({
    "X-Auth-Request-User": "1234",
    "X-Auth-Request-Email": email,
    "X-Auth-Request-Groups": groups,
  });

  test("who is not logged in is sent to the login, whatever they say of themselves", async () => {
    person = undefined;
    const headers = { "x-forwarded-user": "ann", "x-forwarded-groups": "sre", "x-forwarded-for": "127.0.0.1" };
    const { status, headers: given } = await fetch(`${url}/api/things`, { headers, redirect: "manual" });
    expect([status, given.get("location")]).toEqual([
      302,
      expect.stringMatching(/\/oauth2\/sign_in\?rd=\/api\/things$/),
    ]);
  });

  test("who is logged in is who the identity provider says, and not who they say", async () => {
    person = known("bob@example.org", "ops,staff");
    const headers = { "x-forwarded-user": "ann", "x-forwarded-email": "ann@example.org", "x-forwarded-groups": "sre" };
    const answer = await fetch(`${url}/api/things`, { headers: { ...headers, "x-forwarded-for": "203.0.113.9" } });
    expect(await answer.json()).toEqual({ name: "bob@example.org", role: "operator", way: "proxy", from: "127.0.0.1" });
  });

  test("what a role allows is done, what it does not is refused, and the audit log says who asked", async () => {
    person = known("bob@example.org", "ops");
    const { csrf } = (await (await fetch(`${url}/api/session`)).json()) as { csrf: string };
    const post = async (path: string, headers: Readonly<Record<string, string>>): Promise<number> =>
      (await fetch(url + path, { method: "POST", headers })).status;
    expect(await post("/api/things/a", {})).toBe(403);
    expect(await post("/api/things/a", { "x-csrf-token": csrf, origin: url })).toBe(200);
    expect(await post("/api/secrets", { "x-csrf-token": csrf })).toBe(403);
    person = known("eve@example.org", "guests");
    expect(await post("/api/things/a", { "x-csrf-token": csrf })).toBe(403);
    const { items } = await door.audit.list({ limit: 10 });
    expect(items.map(({ who, action }) => `${who} ${action}`)).toEqual(["bob@example.org thing.change"]);
  });
});
