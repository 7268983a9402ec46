// The commands for jobs, queues and workers, as processes against a running bot: what they say is so, what they do happens.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openQueue, type Queue } from "../../services/queue/queue.ts";
import { closeRedis, openRedis } from "../../services/redis/connect.ts";
import { type Ran, runCommand } from "../support/command.ts";
import { LocalStack } from "../support/local-stack.ts";
import { waitFor } from "../support/wait-for.ts";

const MAIN = new URL("../../services/main.ts", import.meta.url).pathname;
const LAB = new URL("../fixtures/handlers/lab.ts", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "antiphon-cli-jobs-"));
const journal = join(folder, "journal");
const ANSWER = `import { defineHandler, job } from "antiphon";
const anything = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } } as const;
const answer = job("answer", anything);
export default defineHandler({
  name: "oracle",
  routes: (r) => ({ answer: r.job(answer, { run: ({ input }) => "42, " + (input as { name: string }).name }) }),
});
`;
const stack = new LocalStack({
  handlers: { "answer.ts": ANSWER },
  env: { ANTIPHON_HANDLERS: `${LAB},./handlers`, ANTIPHON_HANDLER_LAB_JOURNAL: journal },
});
/** What is only waited for is asked here: each command costs a process. */
let queue: Queue;

beforeAll(async () => {
  await stack.start();
  queue = await openQueue({ url: stack.redisUrl });
});
afterAll(async () => {
  await queue.close();
  writeFileSync(`${journal}.open`, "");
  await stack.remove();
  rmSync(folder, { recursive: true });
});

function antiphon(...args: readonly string[]): Ran {
  const ran = runCommand(args, { cwd: folder, env: { REDIS_URL: stack.redisUrl } });
  return { ...ran, out: ran.out.trim() };
}

function json<T>(...args: readonly string[]): T {
  const ran = antiphon(...args, "--json");
  expect(ran).toMatchObject({ problems: "" });
  return JSON.parse(ran.out) as T;
}

interface Job {
  readonly id: string;
  readonly state: string;
  readonly route: string;
  readonly body: string;
}

function enqueue(name: string, input: object, ...options: readonly string[]): string {
  return json<Job>("job", "enqueue", name, "--input", JSON.stringify(input), ...options).id;
}

const isGone = async (id: string): Promise<boolean> => (await queue.find(id)) === undefined;
const journalHas = (line: string): boolean => existsSync(journal) && readFileSync(journal, "utf8").includes(line);

test("a job is enqueued by name or route, runs, and its result is awaited", async () => {
  enqueue("lab.note", { name: "first" });
  await waitFor(() => journalHas("note first"));
  for (const name of ["answer", "oracle.answer"]) {
    const args = ["job", "enqueue", name, "--input", '{"name":"he said"}', "--wait", "20s"];
    expect(json<{ result: unknown }>(...args).result).toBe("42, he said");
  }
  const id = enqueue("answer", {});
  await waitFor(() => isGone(id));
  const { history } = json<{ history: { id: string; outcome: string }[] }>("queue", "show", "default");
  expect(history.find((entry) => entry.id === id)?.outcome).toBe("done");
  expect(antiphon("job", "show", id)).toMatchObject({ code: 1, out: expect.stringContaining("no delivery") as string });
});

test("what waits is found by what is known of it, changed, and forgotten", async () => {
  const far = enqueue(
    "lab.note",
    { name: "needle" },
    "--delay",
    "1h",
    "--key",
    "k",
    "--tags",
    "blue,red",
    "--class",
    "2",
  );
  enqueue("lab.note", { name: "other" }, "--delay", "1h");
  for (const filter of [
    ["--tag", "blue"],
    ["--text", "needle"],
    ["--key", "k"],
    ["--state", "delayed", "--route", "lab.note", "--tag", "red"],
  ])
    expect(json<Job[]>("job", "ls", ...filter).map(({ id }) => id)).toEqual([far]);
  expect(json<Job[]>("job", "ls", "--route", "lab").length).toBe(2);
  expect(antiphon("job", "ls", "--older", "5m").out).not.toContain(far);
  expect(antiphon("job", "edit", far, "--input", '{"name":"thread"}').out).toBe(`${far} is changed`);
  expect(antiphon("job", "reschedule", far, "--at", "2999-01-01").code).toBe(0);
  expect(json<Job & { due: string }>("job", "show", far)).toMatchObject({
    state: "delayed",
    body: '{"name":"thread"}',
    due: "2999-01-01T00:00:00.000Z",
  });
  expect(antiphon("job", "show", far).out).toMatch(/tags +blue red/);
  expect(antiphon("job", "delete", far).out).toBe(`${far} is deleted`);
  expect(antiphon("job", "delete", far, "nosuchid")).toMatchObject({ code: 1 });
  expect(await isGone(far)).toBe(true);
});

test("what runs is listed by how long it runs, and ended", async () => {
  const id = enqueue("lab.hold", { name: "long" });
  await waitFor(() => journalHas("hold long"));
  expect(json<Job[]>("job", "ls", "--running").map((job) => job.id)).toContain(id);
  expect(json<Job[]>("job", "ls", "--running", "--older", "1h")).toEqual([]);
  expect(antiphon("job", "edit", id, "--class", "0")).toMatchObject({ code: 1 });
  expect(antiphon("job", "delete", id).out).toContain("job kill");
  expect(antiphon("job", "kill", id).out).toBe(`${id} is being ended`);
  await waitFor(() => isGone(id), { timeoutMs: 20_000 });
});

test("a queue is held back as a whole, by route and by key, and limited", async () => {
  expect(antiphon("queue", "pause", "default").out).toBe("default is paused");
  enqueue("lab.note", { name: "held back" });
  expect(antiphon("queue").out).toMatch(/default .*paused/);
  expect(antiphon("queue", "pause", "default", "--route", "lab.note").code).toBe(0);
  expect(antiphon("queue", "resume", "default").out).toBe("default is resumed");
  expect(json<{ pauses: object[] }>("queue", "show", "default").pauses).toMatchObject([{ route: "lab.note" }]);
  expect(journalHas("note held back")).toBe(false);
  expect(antiphon("queue", "resume", "default", "--route", "lab.note").code).toBe(0);
  await waitFor(() => journalHas("note held back"));
  expect(antiphon("queue", "limit", "default", "--rate", "100/1m", "--concurrency", "5").out).toMatch(
    /rate +100\/60000ms/,
  );
  expect(antiphon("queue", "limit", "default", "--off").out).toBe("default has no limits");
});

test("dead letters are chosen by ids and by what they have in common", async () => {
  const ids = ["a", "b"].map((name) => enqueue("lab.short", { name, ms: 10_000 }));
  const haveDied = async (): Promise<boolean> => (await queue.dead.list({ route: "lab.short" })).length === 2;
  await waitFor(haveDied, { timeoutMs: 20_000 });
  expect(json<Job[]>("dead", "ls", "--route", "lab.short").length).toBe(2);
  expect(antiphon("dead", "ls", "--text", '"a"').out).toContain(ids[0]);
  expect(antiphon("dead", "ls", "--text", '"a"').out).not.toContain(ids[1]);
  expect(antiphon("job", "retry", ids[0] ?? "").out).toBe(`${ids[0]} will run again`);
  await waitFor(haveDied, { timeoutMs: 20_000 });
  expect(antiphon("dead", "purge", "--text", '"a"').out).toBe("1 purged");
  expect(antiphon("dead", "purge", "--all").out).toBe("1 purged");
});

test("workers are listed by name; one that is quiet takes nothing until it is resumed, and one is stopped", async () => {
  const pods = json<{ pod: string; queues: string[] }[]>("worker", "ls");
  expect(pods.length).toBe(2);
  expect(pods[0]?.queues).toEqual(expect.arrayContaining(["chat", "default"]));
  expect(antiphon("worker", "quiet", "--all").code).toBe(0);
  await waitFor(async () => (await queue.workers.list()).every(({ order }) => order === "quiet"));
  expect(antiphon("worker", "resume", "--all").code).toBe(0);
  const stopped = pods[0]?.pod ?? "";
  expect(antiphon("worker", "stop", "nobody")).toMatchObject({ code: 1 });
  expect(antiphon("worker", "stop", stopped).code).toBe(0);
  const isListed = async (): Promise<boolean> => (await queue.workers.list()).some(({ pod }) => pod === stopped);
  await waitFor(async () => !(await isListed()), { timeoutMs: 40_000 });
});

test("doctor finds nothing in ordinary life; what somebody broke it names, mends, and it runs", async () => {
  expect(antiphon("doctor")).toMatchObject({ code: 0, out: expect.stringContaining("All is well.") as string });
  const id = enqueue("lab.note", { name: "was lost" }, "--delay", "1h");
  const client = openRedis({ url: stack.redisUrl, name: "test", purpose: "commands", onState: () => {} });
  await client.del("{antiphon:0}:q:default:d");
  await closeRedis(client);
  // What is new may still be on its way.
  const found = await waitFor(
    () => {
      const ran = antiphon("doctor", "--queue", "default");
      return ran.code === 1 && ran.out.includes(id) ? ran : undefined;
    },
    { timeoutMs: 60_000 },
  );
  expect(found.out).toContain("doctor --repair");
  expect(antiphon("doctor", "--repair").out).toContain("All is well again.");
  await waitFor(() => journalHas("note was lost"), { timeoutMs: 20_000 });
  expect(json("doctor")).toMatchObject({ sound: true, findings: [] });
  expect(antiphon("doctor", "--queue", "defualt").code).toBe(1);
});

test("a wrong use ends with 2 and says on standard error what is right", () => {
  for (const [args, said] of [
    [["queue", "pasue", "default"], "Did you mean pause?"],
    [["dead", "retry"], "--all"],
    [["worker", "dance"], "worker knows no dance"],
  ] as const)
    expect(antiphon(...args)).toMatchObject({ code: 2, out: "", problems: expect.stringContaining(said) as string });
});

test("what cannot be done ends with 1, the code's sentence and its remedy", () => {
  const ran = antiphon("job", "enqueue", "lab.noet");
  expect(ran).toMatchObject({ code: 1, out: "" });
  expect(ran.problems).toContain("Did you mean lab.note?");
  expect(antiphon("queue", "pause", "default", "--route", "lab.noet").problems).toContain("Remedy:");
});

test("a reader that goes away ends a command without a word", async () => {
  const child = spawn(process.execPath, [MAIN, "queue", "--help"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  const problems: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => problems.push(chunk));
  await new Promise((resolve) => child.once("close", resolve));
  expect(Buffer.concat(problems).toString()).toBe("");
});
