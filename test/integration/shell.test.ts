// The web chat in a terminal: as a command of its own, in a pipe, and inside `antiphon dev`.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { stripVTControlCharacters } from "node:util";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { LocalStack } from "../support/local-stack.ts";
import { waitFor } from "../support/wait-for.ts";

const MAIN = new URL("../../services/main.ts", import.meta.url).pathname;
const SETTINGS = new URL("../../examples/antiphon.config.yaml", import.meta.url).pathname;

/** The cursor to the left edge and all behind it gone. */
const ERASED = "\x1b[1G\x1b[0J";

/** A command in a terminal of its own: what is typed goes in, what is seen comes out. */
class Typist {
  readonly #process: ChildProcess;
  #screen = "";

  constructor(args: readonly string[], options: { cwd: string; env?: Record<string, string> }) {
    const command = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(" ");
    const env = { ...process.env, TERM: "xterm", ...options.env };
    this.#process = spawn("script", ["-qfec", command, "/dev/null"], { cwd: options.cwd, env, stdio: "pipe" });
    this.#process.stdout?.on("data", (bytes: Buffer) => (this.#screen += bytes.toString()));
  }

  type(text: string): void {
    this.#process.stdin?.write(text);
  }

  /** Waits for a line of its own. */
  async sees(line: RegExp): Promise<void> {
    const seen = (): string[] => stripVTControlCharacters(this.#screen.replaceAll(ERASED, "\n")).split(/[\r\n]+/);
    await waitFor(() => seen().some((text) => line.test(text)), { timeoutMs: 60_000 }).catch((error: unknown) => {
      throw new Error(`${String(error)}\nThe screen:\n${seen().join("\n")}`, { cause: error });
    });
  }

  async exitCode(): Promise<number | null> {
    if (this.#process.exitCode === null) await once(this.#process, "exit");
    return this.#process.exitCode;
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }
}

const stack = new LocalStack();
const others: LocalStack[] = [];
let typist: Typist | undefined;

beforeAll(() => stack.start());
afterEach(() => typist?.kill());
afterAll(async () => {
  for (const one of [stack, ...others]) await one.remove();
});

async function piped(
  input: string,
  ...args: string[]
): Promise<{ code: number | null; out: string; problems: string }> {
  const child = spawn(process.execPath, [MAIN, "shell", ...args], { cwd: stack.folder });
  let [out, problems] = ["", ""];
  child.stdout.on("data", (bytes: Buffer) => (out += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (problems += bytes.toString()));
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, problems };
}

test("in a pipe it says each line, prints the answers and ends", async () => {
  const { code, out } = await piped("antiphon ping\nantiphon nonsense\n", "--url", stack.url, "--session", "pipe");
  expect(code).toBe(0);
  expect(out).toMatch(/^guest: antiphon ping\n/);
  expect(out).toMatch(/^antiphon: pong$/m);
  expect(out).toMatch(/antiphon: I do not know "nonsense"/);
});

test("for machines it prints what the server sends", async () => {
  const { out } = await piped("antiphon ping\n", "--url", stack.url, "--session", "machine", "--json");
  const lines = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { from: string; text: string; ref: string });
  expect(lines.map(({ from, text }) => [from, text])).toEqual([
    ["guest", "antiphon ping"],
    ["antiphon", "pong"],
  ]);
});

test("what the server refuses is told, with exit code 1", async () => {
  expect(await piped("hello\n", "--url", stack.url, "--session", "no such session")).toMatchObject({
    code: 1,
    problems: expect.stringContaining("404") as string,
  });
});

test("in a terminal what others say appears above what is being typed", async () => {
  typist = new Typist(["shell", "--url", stack.url, "--session", "terminal"], { cwd: stack.folder });
  await typist.sees(/^-- http.*session terminal/);
  typist.type("antiphon pi");
  await stack.say("somebody else speaks", "terminal");
  await typist.sees(/^guest: somebody else speaks$/);
  typist.type("ng\r");
  await typist.sees(/^antiphon: pong$/);
  typist.type("\x03");
  expect(await typist.exitCode()).toBe(0);
});

test("in the local stack it is there when all is ready, among the log lines, and Ctrl-C ends everything", async () => {
  const home = new LocalStack();
  others.push(home);
  const env = { ANTIPHON_HTTP_PORT: "0", ANTIPHON_ADMIN_PORT: "0" };
  typist = new Typist(["dev", "--config", SETTINGS], { cwd: home.folder, env });
  await typist.sees(/^antiphon is ready/);
  typist.type("antiphon deploy api\r");
  await typist.sees(/^antiphon \(edited\): Deployed api to staging\.$/);
  await typist.sees(/^worker-[12] +\d\d:\d\d:\d\d\.\d{3} info/);
  typist.type("\x03");
  expect(await typist.exitCode()).toBe(0);
});
