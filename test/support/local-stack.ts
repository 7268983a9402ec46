// `antiphon dev` as a process group for tests: what it logs, what is said in its web chat, which processes it has.

import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEvents } from "../../services/cli/events.ts";
import type { ChatLine } from "../../services/cli/lines.ts";
import { type Exit, type SpawnedNode, spawnNode } from "./spawn.ts";
import { waitFor } from "./wait-for.ts";

const ROOT = new URL("../../", import.meta.url);

export interface LogLine {
  readonly process: string;
  readonly level: string;
  readonly event?: string;
  readonly msg?: string;
  readonly pid?: number;
  readonly [field: string]: unknown;
}

export interface StackOptions {
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
  #listening = new AbortController();
  #url = "";
  #admin = "";

  constructor(options: StackOptions = {}) {
    this.#options = options;
  }

  /** Resolves at `antiphon is ready`. */
  async start(): Promise<void> {
    const started = this.spawn();
    const line = await started.waitForLine(/^antiphon is ready/, 30_000);
    this.#url = /http:\S+(?=\/chat)/.exec(line)?.[0] ?? "";
    this.#admin = /admin (http:\S+)/.exec(line)?.[1] ?? "";
  }

  spawn(env: Readonly<Record<string, string>> = {}): SpawnedNode {
    this.#process = spawnNode(new URL("services/main.ts", ROOT), {
      args: ["dev", "--config", new URL("examples/antiphon.config.yaml", ROOT).pathname],
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

  get logs(): LogLine[] {
    return this.process.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogLine);
  }

  /** The newest log line of the process that ran what was logged. */
  async logged(text: string, timeoutMs = 30_000): Promise<LogLine> {
    const find = (): LogLine | undefined => this.logs.findLast((line) => line.msg?.includes(text));
    return waitFor(find, { what: `the log line "${text}"`, timeoutMs }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.process.lines.join("\n")}`, { cause: error });
    });
  }

  /** The process number of `worker-1` and the like, as it is now. */
  pidOf(name: string): number {
    const started = this.logs.findLast((line) => line.process === name && line.event === "process.started");
    return started?.pid ?? 0;
  }

  /** Gathers what is said in a session from now on. */
  async listen(session = "lobby"): Promise<void> {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const response = await fetch(`${this.url}/chat/${session}/events?recent=0`, { signal });
    const { body } = response;
    if (body === null) throw new Error("no stream");
    void (async () => {
      for await (const { type, data } of readEvents(body))
        if (type === "message") this.heard.push(JSON.parse(data) as ChatLine);
    })().catch(() => {}); // the stream ends with its worker or with the test
  }

  async say(text: string, session = "lobby"): Promise<Response> {
    return fetch(`${this.url}/chat/${session}/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: JSON.stringify({ text, id: randomUUID() }),
    });
  }

  async hears(text: string | RegExp, timeoutMs = 20_000): Promise<ChatLine> {
    const fits = (line: ChatLine): boolean => (typeof text === "string" ? line.text === text : text.test(line.text));
    return waitFor(() => this.heard.find(fits), { what: `${text} in the chat`, timeoutMs }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${JSON.stringify(this.heard)}\n${this.process.lines.join("\n")}`);
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
    this.#listening.abort();
    return this.process.killGroup("SIGINT");
  }

  async sigkillAll(): Promise<Exit> {
    this.#listening.abort();
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
        if (Number(group) === this.process.pid || command.includes(this.folder)) found.push(`${pid} ${command}`);
      } catch {
        // It has just ended.
      }
    }
    for (const url of [this.url, this.admin]) if (url !== "" && (await answers(url))) found.push(url);
    return found;
  }

  async remove(): Promise<void> {
    this.#listening.abort();
    await this.process.end();
    await waitFor(async () => (await this.leftovers()).length === 0, { what: "all processes are gone" });
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
