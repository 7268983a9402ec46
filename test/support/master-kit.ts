// Masters as processes of their own, started as an operator starts them, around one fake chat service.

import type { FakeChat } from "./fake-chat.ts";
import { type Exit, type SpawnedNode, spawnNode } from "./spawn.ts";
import { waitFor } from "./wait-for.ts";

const ENTRY = new URL("../../services/main.ts", import.meta.url);
const HANDLERS = new URL("../fixtures/timed", import.meta.url).pathname;

export interface MasterProcessOptions {
  /** services/main.ts unless given. */
  readonly entry?: string;
  readonly redisUrl: string;
  readonly namespace: string;
  readonly chat: Pick<FakeChat, "url">;
  readonly leaseMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** One line of the log. */
export type Line = Readonly<Record<string, unknown>> & { readonly event: string };

export class MasterProcess {
  readonly node: SpawnedNode;

  constructor(options: MasterProcessOptions) {
    this.node = spawnNode(options.entry ?? ENTRY, {
      args: ["master"],
      env: {
        REDIS_URL: options.redisUrl,
        ANTIPHON_NAMESPACE: options.namespace,
        ANTIPHON_ADAPTERS: "fake",
        FAKE_URL: options.chat.url,
        ANTIPHON_LEASE_MS: String(options.leaseMs ?? 1_500),
        ANTIPHON_HANDLERS: HANDLERS,
        ANTIPHON_ADMIN_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: "0",
        LOG_FORMAT: "json",
        LOG_LEVEL: "debug",
        ...options.env,
      },
    });
  }

  get lines(): Line[] {
    return this.node.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Line);
  }

  of(event: string): Line[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** The epochs under which it led the unit, oldest first. */
  epochs(unit = "fake"): number[] {
    return this.of("leader.acquired")
      .filter((line) => line["unit"] === unit)
      .map((line) => Number(line["epoch"]));
  }

  async started(): Promise<this> {
    await this.node.waitForLine('"process.started"', 60_000);
    return this;
  }

  async leads(unit = "fake", timeoutMs = 60_000): Promise<this> {
    const won = (): boolean => this.epochs(unit).length > 0;
    await waitFor(won, { timeoutMs, what: `it leads ${unit}` }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.node.lines.join("\n")}`, { cause: error });
    });
    return this;
  }

  /** Status and body of a path of the admin server. */
  async ask(path: string): Promise<{ status: number; body: { checks: { name: string; ok: boolean }[] } }> {
    const url = String(this.of("process.started")[0]?.["urls"]);
    const response = await fetch(`${url}${path}`);
    return { status: response.status, body: (await response.json()) as never };
  }

  kill(signal: NodeJS.Signals): Promise<Exit> {
    return this.node.kill(signal);
  }

  signal(signal: NodeJS.Signals): void {
    this.node.child.kill(signal);
  }
}
