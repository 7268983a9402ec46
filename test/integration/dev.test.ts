// `npm start` as a newcomer meets it: everything on one machine, through its one port, and what becomes of it when parts die.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { isAlive, LocalStack } from "../support/local-stack.ts";
import { withServer } from "../support/redis.ts";
import { waitFor } from "../support/wait-for.ts";

let stack: LocalStack | undefined;

afterEach(async () => {
  await stack?.remove();
  stack = undefined;
});

/** A worker that has lost Redis for a moment refuses with 503: then it is said again. */
async function tell(stack: LocalStack, text: string): Promise<void> {
  await waitFor(async () => (await stack.say(text)) === 202, { what: `"${text}" is taken`, timeoutMs: 60_000 });
}

async function start(options: ConstructorParameters<typeof LocalStack>[0]): Promise<LocalStack> {
  stack = new LocalStack(options);
  await stack.start();
  return stack;
}

test("the main job, on a machine without Redis: a chat line and a webhook become words in the chat", async () => {
  const running = await start({ embedded: true });
  expect(running.process.lines.filter((line) => line.startsWith("antiphon is ready"))).toHaveLength(1);
  expect((await fetch(`${running.url}/chat`)).status).toBe(200);
  expect((await fetch(`${running.admin}/readyz`)).status).toBe(200);
  await running.listen();

  expect(await running.say("antiphon ping")).toBe(202);
  expect(await running.hears("pong")).toMatchObject({ from: "antiphon" });

  expect((await running.github("push", "wrong")).status).toBe(401);
  expect((await running.github("push", "development")).status).toBe(202);
  await running.hears(/example-bot pushed 2 commits to main\n6113728 Say hello in the README\n0d1a26e Count/);
  expect((await running.github("pull_request", "development")).status).toBe(202);
  await running.hears(/example-bot opened pull request #2: Update the README/);

  // The guest of the local stack is an admin.
  await running.say("antiphon groups list");
  await running.hears(/deployers/);

  expect(await running.ctrlC()).toEqual({ code: 0, signal: null });
  expect(await running.leftovers()).toEqual([]);
});

describe("one stack, from its start to the death of its own process", () => {
  let running: LocalStack;
  beforeAll(async () => {
    running = new LocalStack({
      env: { ANTIPHON_HANDLER_WORKER_TEST_MS: "2000", ANTIPHON_HANDLER_DEPLOY_STEP_MS: "50" },
    });
    await running.start();
  });
  afterAll(() => running.remove());

  test("a deploy tells its progress by editing one line", async () => {
    await running.listen();
    await tell(running, "antiphon deploy api prod");
    const last = await running.hears("Deployed api to prod.");
    const first = await running.hears(/waiting for its turn/);
    expect(last).toMatchObject({ ref: first.ref, edited: true });
    // The note of it takes three more deliveries: the digest is asked for until it has it.
    const digests = (): string[] =>
      running.heard.map((line) => line.text).filter((text) => text.startsWith("Since the"));
    await waitFor(
      async () => {
        const count = digests().length;
        await tell(running, "antiphon digest");
        await waitFor(() => digests().length > count, { what: "a digest", timeoutMs: 40_000 });
        return digests().includes("Since the last digest:\napi was deployed to prod");
      },
      { timeoutMs: 80_000 },
    );
  });

  test("a job that fails is tried again", async () => {
    await waitFor(async () => (await fetch(`${running.url}/?name=bad`)).status === 202, { timeoutMs: 60_000 });
    await waitFor(() => running.logs.some((line) => line.msg?.includes("bad begins") && line["attempt"] === 2), {
      timeoutMs: 60_000,
    });
  });

  test("a port that is taken is named with its setting, and nothing stays behind", async () => {
    const other = new LocalStack({ embedded: true });
    for (const [variable, url] of [
      ["ANTIPHON_HTTP_PORT", running.url],
      ["ANTIPHON_ADMIN_PORT", running.admin],
    ] as const) {
      const { port } = new URL(url);
      const second = other.spawn({ [variable]: port });
      expect(await second.exited).toMatchObject({ code: 1 });
      expect(second.lines.join("\n")).toContain(`Port ${port} is in use: stop what listens there, or set ${variable}.`);
    }
    await other.remove();
  });

  test("a job goes on elsewhere when its worker is killed, and no new connection fails meanwhile", async () => {
    const answer = await fetch(`${running.url}/?name=foo`);
    expect(answer.status).toBe(202);
    const { process: killed } = await running.logged("worker-test: foo begins");
    const pid = running.pidOf(killed);
    const starts = (): number =>
      running.logs.filter((l) => l.process === killed && l.event === "process.started").length;
    const before = starts();
    process.kill(pid, "SIGKILL");
    await waitFor(() => !isAlive(pid), { timeoutMs: 20_000 });
    for (let time = 0; time < 30; time++) expect(await running.say(`line ${time}`)).toBe(202);
    const done = await running.logged("worker-test: foo succeeded");
    expect(running.pidOf(done.process)).not.toBe(pid);
    // The killed one is started again.
    await waitFor(() => starts() > before, { timeoutMs: 60_000 });
  });

  test("when the stack's own process is killed, its children end too", async () => {
    await running.process.kill("SIGKILL");
    await waitFor(async () => (await running.leftovers()).length === 0, { timeoutMs: 60_000 });
  });
});

describe("the whole stack is killed in the middle of a job", () => {
  const finishes = (embedded: boolean) => async (): Promise<void> => {
    const running = await start({ embedded, env: { ANTIPHON_HANDLER_WORKER_TEST_MS: "4000" } });
    expect(running.process.lines.join("\n")).toMatch(embedded ? /\(embedded/ : /\((redis|valkey)-server/);
    await fetch(`${running.url}/?name=foo`);
    await running.logged("worker-test: foo begins");
    await new Promise((resolve) => setTimeout(resolve, 1500)); // the embedded Valkey has saved it by then
    await running.sigkillAll();
    await waitFor(async () => (await running.leftovers()).length === 0, {
      what: "all processes are gone",
      timeoutMs: 20_000,
    });
    await running.start();
    await running.logged("worker-test: foo succeeded");
    expect(await running.ctrlC()).toEqual({ code: 0, signal: null });
  };
  describe("on the embedded Valkey", () => {
    test("the next start finishes the job", finishes(true));
  });
  describe("on redis-server", () => {
    withServer("redis-server", () => {
      test("the next start finishes the job", finishes(false));
    });
  });
});

const GREET = (text: string, more = ""): string => `
  import { defineHandler } from "antiphon";
  export default defineHandler({
    name: "greet",
    routes: (r) => ({ greet: r.command("greet <name>", { run: ({ args }) => \`${text} \${args.name}\` }), ${more} }),
  });`;

test("saving a handler changes the answers while the conversation goes on; a broken one changes nothing", async () => {
  const running = await start({ handlers: { "greet.ts": GREET("Hello") } });
  await running.listen();
  await running.say("antiphon greet you");
  await running.hears("Hello you");
  const masterPid = running.pidOf("master");

  // 1. A broken one: said with file and line, the old one goes on.
  running.save("greet.ts", GREET("Hello").replace("routes:", "routes"));
  const problem = await waitFor(() => running.logs.find((line) => line.event === "dev.reload-failed"), {
    timeoutMs: 60_000,
  });
  expect(JSON.stringify(problem)).toMatch(/greet\.ts:\d+/);
  await running.say("antiphon greet again");
  await running.hears("Hello again");

  // 2. A good one: people go on talking meanwhile, and everyone is answered.
  running.save("greet.ts", GREET("Welcome"));
  let said = 0;
  while (!running.heard.some((line) => line.text.startsWith("Welcome"))) {
    expect(await running.say(`antiphon greet n${++said}`)).toBe(202);
    await running.hears(new RegExp(`^(Hello|Welcome) n${said}$`));
  }
  await waitFor(() => running.logs.filter((line) => line.event === "process.stopped").length === 2, {
    timeoutMs: 60_000,
  });
  for (let more = 1; more <= 4; more++) {
    await running.say(`antiphon greet m${more}`);
    await running.hears(`Welcome m${more}`);
  }

  // 3. The master keeps its connections, for it knows nothing of commands; schedules it has to know.
  expect(running.pidOf("master")).toBe(masterPid);
  running.save("greet.ts", GREET("Welcome", `tick: r.every("1s", { run: ({ log }) => log.info("a tick") })`));
  await running.logged("a tick");
  expect(running.pidOf("master")).not.toBe(masterPid);
});

test("the first Ctrl-C lets what runs run on, the second ends at once", async () => {
  const running = await start({});
  await fetch(`${running.url}/?name=foo`);
  await running.logged("worker-test: foo begins");
  process.kill(-running.process.pid, "SIGINT");
  const stopping = (): number => running.logs.filter((line) => line.event === "process.stopping").length;
  await waitFor(() => stopping() >= 4, { timeoutMs: 20_000 });
  expect(await running.ctrlC()).toEqual({ code: 1, signal: null });
  await waitFor(async () => (await running.leftovers()).length === 0, { timeoutMs: 20_000 });
});

test("a handler that does not load stops the start and is named with its line", async () => {
  stack = new LocalStack({ handlers: { "broken.ts": "export default {\n  name: 1 +,\n};\n" } });
  const started = stack.spawn();
  expect(await started.exited).toMatchObject({ code: 1 });
  expect(started.lines.join("\n")).toMatch(/broken\.ts:2/);
  expect(await stack.leftovers()).toEqual([]);
});
