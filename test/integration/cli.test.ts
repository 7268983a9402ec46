// The command line as scripts meet it: exit codes, what is printed where, and the commands that look into Redis.

import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { VERSION } from "../../services/runtime/version.ts";
import { type Ran, runCommand } from "../support/command.ts";
import { LocalStack } from "../support/local-stack.ts";
import { waitFor } from "../support/wait-for.ts";

const SETTINGS = new URL("../../examples/antiphon.config.yaml", import.meta.url).pathname;
const stack = new LocalStack();
const folder = mkdtempSync(join(tmpdir(), "antiphon-cli-"));

beforeAll(() => stack.start());
afterAll(async () => {
  await stack.remove();
  rmSync(folder, { recursive: true });
});

const antiphon = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Ran =>
  runCommand(args, { cwd: folder, env });

test("a command line that is not understood ends with 2 and a hint", () => {
  expect(antiphon([])).toMatchObject({ code: 2, out: "" });
  expect(antiphon(["wroker"])).toMatchObject({
    code: 2,
    problems: expect.stringContaining("Did you mean worker?") as string,
  });
  expect(antiphon(["wroker"]).problems).toContain("Try: antiphon --help\n");
  expect(antiphon(["worker", "--dve"])).toMatchObject({
    code: 2,
    problems: expect.stringContaining("--dev") as string,
  });
  expect(antiphon(["worker", "dance"])).toMatchObject({ code: 2 });
  expect(antiphon(["queue", "lss"])).toMatchObject({ code: 2, problems: expect.stringContaining("ls") as string });
});

test("help is there for everything, on standard output", () => {
  expect(antiphon(["--help"])).toMatchObject({ code: 0, out: expect.stringContaining("antiphon worker") as string });
  expect(antiphon(["worker", "--help"])).toMatchObject({ code: 0, out: expect.stringContaining("--dev") as string });
});

test("wrong settings end a start with 1, all of them told with the remedy", () => {
  const ran = antiphon(["worker"], { ANTIPHON_HTTP_PORT: "x", ANTIPHON_NAMESPCE: "y" });
  expect(ran).toMatchObject({ code: 1, out: "" });
  for (const part of [
    "ANTIPHON_HTTP_PORT must be",
    "Did you mean ANTIPHON_NAMESPACE",
    "REDIS_URL is missing",
    "Remedy:",
  ])
    expect(ran.problems).toContain(part);
});

test("validate finds nothing wrong with the examples", () => {
  const ran = antiphon(["validate", "--json", "--config", SETTINGS]);
  expect(ran.code).toBe(0);
  const found = JSON.parse(ran.out) as {
    ok: boolean;
    warnings: string[];
    routes: { id: string }[];
    schedules: string[];
  };
  expect(found).toMatchObject({ ok: true, warnings: [], schedules: ["digest.morning 0 9 * * 1-5 Europe/Paris"] });
  expect(found.routes.map(({ id }) => id)).toEqual(
    expect.arrayContaining(["github.webhook", "deploy.ship", "help.help"]),
  );
});

test("validate names file, line and reason of each problem and ends with 1", () => {
  writeFileSync(join(folder, "broken.ts"), "export default {\n  name: 1 +,\n};\n");
  const good = `import { defineHandler } from "antiphon";
    export default defineHandler({
      name: "open",
      routes: (r) => ({
        secret: r.command("secret", { restrictTo: ["nobody"], run: () => "psst" }),
      }),
    });`;
  writeFileSync(join(folder, "open.ts"), good);
  const ran = antiphon(["validate"], { ANTIPHON_HANDLERS: "./broken.ts,./open.ts", REDIS_URL: "redis://host:99999" });
  expect(ran.code).toBe(1);
  expect(ran.out).toMatch(/^broken\.ts:2: /m);
  expect(ran.out).toMatch(/^open\.ts:5: open\.secret: the group "nobody" is not declared/m);
  expect(ran.out).toContain("99999");
  expect(ran.out).toMatch(/^3 problems\.$/m);
});

test("leader says who leads `control`, under which epoch and since when", async () => {
  const ran = await waitFor(() => {
    const one = antiphon(["leader", "--json"], { REDIS_URL: stack.redisUrl });
    return one.out.includes('"leader":"') ? one : undefined;
  });
  const [control] = JSON.parse(ran.out) as {
    unit: string;
    leader: string;
    epoch: string;
    ageMs: number;
    remainingMs: number;
    revision: string;
  }[];
  expect(control?.revision).toBe(VERSION);
  expect(control?.unit).toBe("control");
  expect(Number(control?.epoch)).toBeGreaterThan(1e12);
  expect(control?.ageMs).toBeLessThan(60_000);
  expect(control?.remainingMs).toBeLessThanOrEqual(6000);
  expect(antiphon(["leader"], { REDIS_URL: stack.redisUrl }).out).toMatch(
    /UNIT +LEADER +EPOCH +AGE[^]*control +\S+\/\S+ +\d{13}[^]*MASTER +REVISION +LEADS[^]* 1 of 1/,
  );
});

test("queue lists the queues with what is in them", async () => {
  await fetch(`${stack.url}/?name=foo`);
  await stack.logged("worker-test: foo begins");
  const ran = antiphon(["queue", "ls", "--json"], { REDIS_URL: stack.redisUrl });
  const queues = JSON.parse(ran.out) as { name: string; claimed: number }[];
  expect(queues.find(({ name }) => name === "default")?.claimed).toBe(1);
  expect(queues.map(({ name }) => name)).toContain("chat");
});

test("dead lists what failed for good by the id that was told, runs it again and forgets it", async () => {
  const env = { REDIS_URL: stack.redisUrl };
  const body = "{not json";
  const signature = `sha256=${createHmac("sha256", "development").update(body).digest("hex")}`;
  const sent = await fetch(`${stack.url}/hooks/github`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", "x-hub-signature-256": signature },
  });
  const { id } = (await sent.json()) as { id: string };
  const letters = (): { id: string; reason: string }[] =>
    JSON.parse(antiphon(["dead", "ls", "--json"], env).out) as { id: string; reason: string }[];
  await waitFor(() => letters().some((letter) => letter.id === id && letter.reason.includes("INPUT_INVALID")));
  expect(antiphon(["dead"], env).out).toMatch(new RegExp(`${id} +default +github\\.webhook`));
  expect(antiphon(["dead", "retry", id], env).out).toContain("1 will run again");
  await waitFor(() => letters().length === 1);
  expect(antiphon(["dead", "purge", id, "nosuchid"], env)).toMatchObject({ code: 1 });
  expect(letters()).toEqual([]);
  expect(antiphon(["dead", "purge"], env).code).toBe(2);
  expect(antiphon(["dead", "retyr", id], env).problems).toContain("Did you mean retry?");
});

test("without a Redis that answers the commands end with 1 and say so", () => {
  expect(antiphon(["leader"])).toMatchObject({
    code: 1,
    problems: expect.stringContaining("REDIS_URL is missing") as string,
  });
  const ran = antiphon(["queue"], { REDIS_URL: "redis://127.0.0.1:1" });
  expect(ran).toMatchObject({ code: 1, problems: expect.stringContaining("Redis does not answer") as string });
});
