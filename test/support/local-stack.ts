// `antiphon dev` as a process group for tests: what it logs, what is said in its web chat, which processes it has.

import { createHmac, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChatLine, ChatLines } from "../../services/cli/lines.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { type Exit, type SpawnedNode, spawnNode } from "./spawn.ts";
import { waitFor } from "./wait-for.ts";

const ROOT = new URL("../../", import.meta.url);

/** Whether there is a process of this number. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export interface LogLine {
  readonly process: string;
  readonly level: string;
  readonly event?: string;
  readonly msg?: string;
  readonly pid?: number;
  readonly [field: string]: unknown;
}

export interface StackOptions {
  /** Instead of the examples. */
  readonly handlers?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** As on a machine where no server is on PATH. */
  readonly embedded?: boolean;
}

/** A folder to start in: what one run keeps the next one finds. */
export class LocalStack {
  readonly folder = mkdtempSync(join(tmpdir(), "antiphon-dev-"));
  readonly heard: ChatLine[] = [];
  readonly #options: StackOptions;
  #process: SpawnedNode | undefined;
  #lines: ChatLines | undefined;
  #url = "";
  #admin = "";
  #redisUrl = "";

  constructor(options: StackOptions = {}) {
    this.#options = options;
    for (const [name, text] of Object.entries(options.handlers ?? {})) this.save(name, text);
  }

  /** Saves a file in the folder of handlers. */
  save(name: string, text: string): void {
    mkdirSync(join(this.folder, "handlers"), { recursive: true });
    writeFileSync(join(this.folder, "handlers", name), text);
  }

  /** Resolves at `antiphon is ready`. */
  async start(): Promise<void> {
    const started = this.spawn();
    const line = await started.waitForLine(/^antiphon is ready/, 60_000);
    this.#url = /http:\S+(?=\/chat)/.exec(line)?.[0] ?? "";
    this.#admin = /dashboard (http:\S+)\//.exec(line)?.[1] ?? "";
    this.#redisUrl = /redis (redis:\S+)/.exec(line)?.[1] ?? "";
  }

  spawn(env: Readonly<Record<string, string>> = {}): SpawnedNode {
    this.#process = spawnNode(new URL("services/main.ts", ROOT), {
      args: this.#options.handlers
        ? ["dev"]
        : ["dev", "--config", new URL("examples/antiphon.config.yaml", ROOT).pathname],
      cwd: this.folder,
      group: true,
      env: {
        ANTIPHON_HTTP_PORT: "0",
        ANTIPHON_ADMIN_PORT: "0",
        REDIS_URL: undefined,
        LOG_LEVEL: "info",
        ...(this.#options.embedded && { PATH: "" }),
        ...this.#options.env,
        ...env,
      },
    });
    return this.#process;
  }

  get process(): SpawnedNode {
    if (this.#process === undefined) throw new Error("not started");
    return this.#process;
  }

  get url(): string {
    return this.#url;
  }

  get admin(): string {
    return this.#admin;
  }

  get redisUrl(): string {
    return this.#redisUrl;
  }

  get logs(): LogLine[] {
    return this.process.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogLine);
  }

  /** The newest log line of the process that ran what was logged. */
  async logged(text: string, timeoutMs = 60_000): Promise<LogLine> {
    const find = (): LogLine | undefined => this.logs.findLast((line) => line.msg?.includes(text));
    return waitFor(find, { what: `the log line "${text}"`, timeoutMs }).catch((error: unknown) => {
      throw new Error([String(error), ...this.process.lines.slice(-40)].join("\n"), { cause: error });
    });
  }

  /** The process number of `worker-1` and the like, as it is now. */
  pidOf(name: string): number {
    const started = this.logs.findLast((line) => line.process === name && line.event === "process.started");
    return started?.pid ?? 0;
  }

  /** Gathers what is said in a session from now on, over as many connections as it takes. */
  async listen(session = "lobby"): Promise<void> {
    let isConnected = false;
    const lines = new ChatLines({
      url: this.url,
      session,
      recent: 0,
      clock: systemClock,
      random: Math.random,
      onLine: (line) => this.heard.push(line),
      onState: () => (isConnected = true),
    });
    this.#lines = lines;
    void lines.run();
    await waitFor(() => isConnected, { what: "the stream of the chat", timeoutMs: 20_000 });
  }

  /** Over a connection of its own. @returns the status */
  say(text: string, session = "lobby"): Promise<number> {
    return new Promise((resolve, reject) => {
      const asked = request(`${this.url}/chat/${session}/messages`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        agent: false,
      });
      asked.once("error", reject).once("response", (answer) => {
        answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
      });
      asked.end(JSON.stringify({ text, id: randomUUID() }));
    });
  }

  async hears(text: string | RegExp, timeoutMs = 40_000): Promise<ChatLine> {
    const fits = (line: ChatLine): boolean => (typeof text === "string" ? line.text === text : text.test(line.text));
    return waitFor(() => this.heard.find(fits), { what: `${text} in the chat`, timeoutMs }).catch((error: unknown) => {
      const last = this.heard.slice(-5).map((line) => line.text);
      const logs = this.process.lines.slice(-40);
      throw new Error([String(error), "Heard last:", ...last, "Logged last:", ...logs].join("\n"), { cause: error });
    });
  }

  /** A payload as GitHub sends it. */
  async github(event: "push" | "pull_request", secret: string): Promise<Response> {
    const body = readFileSync(new URL(`test/fixtures/github/${event}.json`, ROOT));
    return fetch(`${this.url}/hooks/github`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": randomUUID(),
        "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
      },
      body,
    });
  }

  /** Ctrl-C reaches every process of the terminal's group. */
  async ctrlC(): Promise<Exit> {
    this.#lines?.stop();
    return this.process.killGroup("SIGINT");
  }

  async sigkillAll(): Promise<Exit> {
    this.#lines?.stop();
    return this.process.killGroup("SIGKILL");
  }

  /** What is left of the group, and of servers that work in the folder. */
  async leftovers(): Promise<string[]> {
    const found: string[] = [];
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const [, state, , group] =
          /^\S+ \(.*\) (\S) (\S+) (\S+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        if (state === "Z") continue;
        if (Number(group) === this.#process?.pid || command.includes(this.folder)) found.push(`${pid} ${command}`);
      } catch {
        // It has just ended.
      }
    }
    for (const url of [this.url, this.admin]) if (url !== "" && (await answers(url))) found.push(url);
    return found;
  }

  async remove(): Promise<void> {
    this.#lines?.stop();
    await this.#process?.end();
    await waitFor(async () => (await this.leftovers()).length === 0, {
      what: "all processes are gone",
      timeoutMs: 20_000,
    });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function answers(url: string): Promise<boolean> {
  const { port, hostname } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once("connect", () => resolve(socket.destroy().destroyed));
    socket.once("error", () => resolve(false));
  });
}
