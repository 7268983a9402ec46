// The servers themselves: probes, refusals in one form, and an end that waits for nobody who has nothing to say.

import type { FastifyPluginAsync } from "fastify";
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { adminServer } from "../../../services/http/admin.ts";
import type { Check, HealthSource } from "../../../services/http/health.ts";
import { HttpServer } from "../../../services/http/server.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { AntiphonError } from "../../../services/runtime/errors.ts";
import { workerHealth } from "../../../services/worker/health.ts";
import { Pulse } from "../../../services/worker/pulse.ts";
import { waitFor } from "../../support/wait-for.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const base = { host: "127.0.0.1", port: 0, random: () => 0.5 };

const answering: FastifyPluginAsync = async (app) => {
  app.get("/", () => "here");
};

/** What the answer says of its connection. */
function ask(url: string, agent: Agent): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const asked = get(url, { agent }, (answer) =>
      answer.resume().once("end", () => resolve(answer.headers.connection)),
    );
    asked.once("error", reject);
  });
}

async function open(server: HttpServer): Promise<string> {
  await server.start();
  closers.push(() => server.stop(1_000));
  return `http://127.0.0.1:${server.port}`;
}

describe("the public server", () => {
  const failures: unknown[] = [];
  let slowBegan = false;
  const server = (): HttpServer =>
    new HttpServer({
      ...base,
      name: "http",
      emit: (name, fields) => name === "http.failed" && failures.push(fields),
      plugins: [
        async (app) => {
          app.get("/fail", () => {
            throw new Error("a secret detail");
          });
          app.get("/away", () => {
            throw new AntiphonError("REDIS_UNAVAILABLE", "connect ECONNREFUSED 10.0.0.1:6379");
          });
          app.get("/many", () => {
            throw new AntiphonError("TOO_MANY_REQUESTS", "");
          });
          app.get("/slow", async () => {
            slowBegan = true;
            await systemClock.sleep(300);
            return "done";
          });
        },
      ],
    });

  it("lets connections that are in use bring one more request, so that none is reset while it is written", async () => {
    const waiting = new HttpServer({ ...base, name: "http", emit: () => {}, lingerMs: 400, plugins: [answering] });
    const url = await open(waiting);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await ask(url, agent)).toBe("keep-alive");
    const stopped = waiting.stop(2_000);
    await systemClock.sleep(50);
    expect(await ask(url, agent)).toBe("close");
    await stopped;
    agent.destroy();
  });

  it("tells the log what went wrong and the sender only that something did", async () => {
    const url = await open(server());
    const response = await fetch(`${url}/fail?token=x`);
    const text = await response.text();
    expect([response.status, JSON.parse(text)]).toEqual([
      500,
      { error: { code: "INTERNAL", message: expect.any(String) } },
    ]);
    expect(text).not.toContain("secret");
    expect(failures).toEqual([{ path: "/fail", error: expect.any(Error) }]);
    expect(await (await fetch(`${url}/away`)).text()).not.toContain("10.0.0.1");
  });

  it("says when to come back", async () => {
    const url = await open(server());
    for (const [path, status] of [
      ["/away", 503],
      ["/many", 429],
    ] as const) {
      const response = await fetch(`${url}${path}`);
      expect([response.status, response.headers.get("retry-after")]).toEqual([status, "2"]);
    }
  });

  it("answers what is no HTTP", async () => {
    const url = new URL(await open(server()));
    const socket = connect(Number(url.port), "127.0.0.1");
    let answer = "";
    socket.on("data", (bytes) => (answer += bytes.toString()));
    socket.write("nonsense\r\n\r\n");
    await waitFor(() => socket.closed);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"REQUEST_INVALID"');
  });

  it("stops at once, whatever connections are open in advance, and lets what is being answered end", async () => {
    const own = server();
    const url = new URL(await open(own));
    const idle = connect(Number(url.port), "127.0.0.1");
    await waitFor(() => !idle.connecting);
    const slow = fetch(`${url}slow`);
    await waitFor(() => slowBegan);
    const begun = performance.now();
    await own.stop(5_000);
    expect(performance.now() - begun).toBeLessThan(3_000);
    expect(await (await slow).text()).toBe("done");
    await waitFor(() => idle.destroyed || idle.readableEnded || idle.closed);
  });

  it("fails to start where somebody else listens", async () => {
    const first = server();
    await open(first);
    const second = new HttpServer({ ...base, port: first.port, name: "http", emit: () => {}, plugins: [] });
    await expect(second.start()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

describe("probes", () => {
  const bad: Check = { name: "x", ok: false, detail: "away" };
  const good: Check = { name: "y", ok: true, detail: "there" };

  it("are 200 when every check holds, 503 when one does not, and list all of them", async () => {
    const source: HealthSource = { live: () => [good], ready: () => [good, bad], serving: () => [good] };
    const url = await open(adminServer({ ...base, health: source, emit: () => {} }));
    const ask = async (path: string) => {
      const response = await fetch(`${url}${path}`);
      return [response.status, await response.json()];
    };
    expect(await ask("/livez")).toEqual([200, { ok: true, checks: [good] }]);
    expect(await ask("/readyz")).toEqual([503, { ok: false, checks: [good, bad] }]);
    expect(await ask("/readyz?serving")).toEqual([200, { ok: true, checks: [good] }]);
  });

  it("of a worker follow its main thread's pulse", () => {
    let now = 1_000_000;
    const pulse = new Pulse();
    const connection = { name: "bodies", state: "ready" };
    const clock = { ...systemClock, now: () => now };
    const health = workerHealth({ pulse, connections: [connection], clock });
    const holds = (checks: readonly Check[]): boolean => checks.every(({ ok }) => ok);
    const all = () => [holds(health.live()), holds(health.ready()), holds(health.serving())];
    expect(all()).toEqual([true, false, false]);
    pulse.tick(now, { slots: 8, busy: 0 });
    pulse.redis("ready", now);
    expect(all()).toEqual([true, false, true]);
    pulse.phase("running");
    pulse.beat(now);
    expect(all()).toEqual([true, true, true]);
    pulse.redis("away", now);
    expect(all()).toEqual([true, false, true]);
    pulse.redis("ready", now);
    connection.state = "away: refused";
    expect(all()).toEqual([true, false, true]);
    connection.state = "ready: Redis 7.0";
    now += 6_000;
    expect(all()).toEqual([false, false, true]);
    pulse.tick(now, { slots: 8, busy: 0 });
    expect(all()).toEqual([true, false, true]);
    pulse.beat(now);
    pulse.phase("draining");
    expect(all()).toEqual([true, false, false]);
  });
});
