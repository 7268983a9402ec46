// The processes of the soak test: workers and masters as an operator starts them, each replaced when it is killed.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Line, MasterProcess } from "../support/master-kit.ts";
import type { FakeChat } from "../support/fake-chat.ts";
import { type SpawnedNode, spawnNode } from "../support/spawn.ts";
import { waitFor } from "../support/wait-for.ts";
import { beside, SOURCES } from "./product.ts";
import { HANDLER } from "./soak-words.ts";

const START_MS = 60_000;

export interface FleetOptions {
  readonly redisUrl: string;
  readonly namespace: string;
  readonly chat: FakeChat;
  /** services/main.ts unless given. */
  readonly entry?: string;
  /** Where runs are noted. */
  readonly notesUrl: string;
  readonly list: string;
  readonly durability?: string;
  readonly leaseMs: number;
  readonly concurrency: number;
}

export class WorkerProcess {
  readonly name: string;
  readonly #node: SpawnedNode;
  #url: string | undefined;
  #since = 0;
  #isDead = false;

  constructor(name: string, entry: string, env: Readonly<Record<string, string>>) {
    this.name = name;
    this.#node = spawnNode(entry, { args: ["worker"], env: { ...env, [variable("worker")]: name } });
  }

  /** For how long it has been seen to serve. */
  get servingMs(): number {
    return this.url === undefined ? 0 : performance.now() - this.#since;
  }

  /** Where it serves; undefined before that and after its end. */
  get url(): string | undefined {
    if (this.isDead) return undefined;
    if (this.#url === undefined) this.#since = performance.now();
    this.#url ??= this.#node.lines
      .map((line) => /"process\.started".*?(http:\/\/[^ "]+)/.exec(line)?.[1])
      .find((url) => url !== undefined);
    return this.#url;
  }

  get isDead(): boolean {
    return this.#isDead || this.#node.child.exitCode !== null || this.#node.child.signalCode !== null;
  }

  get lines(): readonly string[] {
    return this.#node.lines;
  }

  async kill(): Promise<void> {
    this.#isDead = true;
    await this.#node.kill("SIGKILL");
  }
}

export class Fleet {
  /** All that ever were. */
  readonly workers: WorkerProcess[] = [];
  readonly masters: MasterProcess[] = [];
  readonly killedWorkers: WorkerProcess[] = [];
  readonly killedMasters: MasterProcess[] = [];
  readonly #options: FleetOptions;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  addWorker(): WorkerProcess {
    const { entry = SOURCES } = this.#options;
    const worker = new WorkerProcess(`worker-${this.workers.length + 1}`, entry, {
      ...this.#env(),
      REDIS_URL: this.#options.redisUrl,
      ANTIPHON_NAMESPACE: this.#options.namespace,
      ANTIPHON_ADAPTERS: "web,fake",
      ANTIPHON_WORKER_THREADS: "2",
      ANTIPHON_WORKER_CONCURRENCY: String(this.#options.concurrency),
      FAKE_URL: this.#options.chat.url,
      ANTIPHON_HTTP_HOST: "127.0.0.1",
      ANTIPHON_HTTP_PORT: "0",
      ANTIPHON_ADMIN_HOST: "127.0.0.1",
      ANTIPHON_ADMIN_PORT: "0",
    });
    this.workers.push(worker);
    return worker;
  }

  addMaster(): MasterProcess {
    const { entry = SOURCES, redisUrl, namespace, chat, leaseMs } = this.#options;
    const master = new MasterProcess({ entry, redisUrl, namespace, chat, leaseMs, env: this.#env() });
    this.masters.push(master);
    return master;
  }

  /** Masters that nobody has killed and that have not ended. */
  get livingMasters(): readonly MasterProcess[] {
    const lives = ({ child }: SpawnedNode): boolean => child.exitCode === null && child.signalCode === null;
    return this.masters.filter(({ node }) => lives(node));
  }

  /** Also those that do not serve yet. */
  get livingWorkers(): readonly WorkerProcess[] {
    return this.workers.filter((worker) => !worker.isDead);
  }

  get serving(): readonly WorkerProcess[] {
    return this.workers.filter((worker) => worker.url !== undefined);
  }

  /** Waits until so many workers have been serving for so long. */
  async serve(count: number, sinceMs = 0): Promise<void> {
    const serve = (): boolean => this.serving.filter(({ servingMs }) => servingMs >= sinceMs).length >= count;
    await waitFor(serve, { timeoutMs: START_MS, what: `${count} workers serve` }).catch((error: unknown) => {
      throw new Error([String(error), ...this.workers.flatMap(({ lines }) => lines.slice(-5))].join("\n"), {
        cause: error,
      });
    });
  }

  async killWorker(victim: WorkerProcess): Promise<void> {
    this.killedWorkers.push(victim);
    await victim.kill();
    this.addWorker();
  }

  /** The one that leads the fake chat service, as far as it has said. */
  get leader(): MasterProcess | undefined {
    const leads = ({ node }: MasterProcess): boolean => {
      const last = node.lines.findLast((line) => /"leader\.(acquired|lost)","unit":"fake"/.test(line));
      return last?.includes("acquired") ?? false;
    };
    return this.masters.find((master) => !this.killedMasters.includes(master) && leads(master));
  }

  /** How often the right to speak in the fake chat service changed hands, by a kill or because a master stood still too long. */
  get takeovers(): number {
    return this.logged("leader.acquired").filter((line) => line["unit"] === "fake").length - 1;
  }

  async killMaster(victim: MasterProcess): Promise<void> {
    this.killedMasters.push(victim);
    await victim.kill("SIGKILL");
    this.addMaster();
  }

  async stop(): Promise<void> {
    const dead = new Set<unknown>([...this.killedWorkers, ...this.killedMasters]);
    await Promise.all([
      ...this.workers.filter((worker) => !dead.has(worker)).map((worker) => worker.kill()),
      ...this.masters.filter((master) => !dead.has(master)).map((master) => master.node.end()),
    ]);
  }

  /** What all processes logged under this event. */
  logged(event: string): Line[] {
    return [...this.workers.map(({ lines }) => lines), ...this.masters.map(({ node }) => node.lines)]
      .flat()
      .filter((line) => line.includes(`"event":"${event}"`))
      .map((line) => JSON.parse(line) as Line);
  }

  /** For whoever wants to know why. Answers the file. */
  keepLogs(): string {
    const file = join(mkdtempSync(join(tmpdir(), "antiphon-soak-")), "logs");
    const lines = [
      ...this.workers.flatMap(({ name, lines }) => lines.map((line) => `${name} ${line}`)),
      ...this.masters.flatMap(({ node }) => node.lines.map((line) => `master-${node.pid} ${line}`)),
    ];
    writeFileSync(file, lines.join("\n"));
    return file;
  }

  #env(): Record<string, string> {
    return {
      ANTIPHON_HANDLERS: beside(this.#options.entry ?? SOURCES, "test/chaos/handlers"),
      LOG_LEVEL: "info",
      LOG_FORMAT: "json",
      ANTIPHON_DURABILITY: this.#options.durability ?? "default",
      [variable("redis")]: this.#options.notesUrl,
      [variable("list")]: this.#options.list,
      [variable("worker")]: "none",
    };
  }
}

function variable(setting: string): string {
  return `ANTIPHON_HANDLER_${HANDLER}_${setting}`.toUpperCase();
}
