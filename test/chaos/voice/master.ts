// One master of a bot, as an operator starts it; signals break it.

import { beside } from "../product.ts";
import { type Exit, type SpawnedNode, spawnNode } from "../../support/spawn.ts";

const BURN = new URL("./burn.mjs", import.meta.url);

export interface MasterOptions {
  /** services/main.ts, or what was built of it. */
  readonly entry: string;
  readonly redisUrl: string;
  readonly namespace: string;
  readonly chatUrl: string;
  readonly leaseMs: number;
  /** How long a blocked main thread is blocked. */
  readonly burnMs: number;
}

export class Master {
  readonly #node: SpawnedNode;
  readonly #bornAt = performance.now();
  #read = 0;
  #epochs: number[] = [];
  #isDead = false;

  constructor(options: MasterOptions) {
    this.#node = spawnNode(options.entry, {
      args: ["master"],
      env: {
        NODE_OPTIONS: `--import ${BURN.href}`,
        BURN_MS: String(options.burnMs),
        REDIS_URL: options.redisUrl,
        ANTIPHON_NAMESPACE: options.namespace,
        ANTIPHON_ADAPTERS: "fake",
        FAKE_URL: options.chatUrl,
        ANTIPHON_LEASE_MS: String(options.leaseMs),
        ANTIPHON_HANDLERS: beside(options.entry, "test/fixtures/timed"),
        ANTIPHON_ADMIN_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: "0",
        LOG_FORMAT: "json",
        LOG_LEVEL: "info",
      },
    });
    void this.#node.exited.then(() => (this.#isDead = true));
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get ageMs(): number {
    return performance.now() - this.#bornAt;
  }

  get lines(): readonly string[] {
    return this.#node.lines;
  }

  get hasStarted(): boolean {
    return this.lines.some((line) => line.includes('"process.started"'));
  }

  /** The epochs under which it led the fake chat service, oldest first, as far as it has said. */
  get epochs(): readonly number[] {
    for (; this.#read < this.lines.length; this.#read++) {
      const line = this.lines[this.#read] ?? "";
      const epoch = /"leader\.acquired"/.test(line) && /"unit":"fake"/.test(line) && /"epoch":"(\d+)"/.exec(line)?.[1];
      if (epoch) this.#epochs.push(Number(epoch));
    }
    return this.#epochs;
  }

  get exited(): Promise<Exit> {
    return this.#node.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#node.child.kill(signal);
  }

  end(): Promise<Exit> {
    return this.#node.kill("SIGKILL");
  }
}
