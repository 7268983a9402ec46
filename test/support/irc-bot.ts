// A whole bot on a real IRC server: masters and workers as processes, started as an operator starts them.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomId } from "../../services/runtime/ids.ts";
import type { IrcServer } from "./irc-server.ts";
import { MasterProcess } from "./master-kit.ts";
import { type SpawnedNode, spawnNode } from "./spawn.ts";
import { waitFor } from "./wait-for.ts";

const ENTRY = new URL("../../services/main.ts", import.meta.url);
const HANDLERS = new URL("../fixtures/irc", import.meta.url).pathname;
const START_MS = 60_000;

export interface IrcBotOptions {
  readonly redisUrl: string;
  readonly server: IrcServer;
  readonly leaseMs: number;
  readonly env?: Readonly<Record<string, string>>;
}

export class IrcBot {
  readonly masters: MasterProcess[] = [];
  readonly #options: IrcBotOptions;
  readonly #namespace = `irc-${randomId()}`;
  readonly #workers: SpawnedNode[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "antiphon-irc-"));

  constructor(options: IrcBotOptions) {
    this.#options = options;
    writeFileSync(this.#notes, "");
  }

  master(): MasterProcess {
    const { redisUrl, leaseMs, server, env } = this.#options;
    const irc = {
      ANTIPHON_ADAPTERS: "irc",
      IRC_HOST: "127.0.0.1",
      IRC_PORT: String(server.port),
      IRC_TLS: "off",
      IRC_CHANNELS: "#ops",
      IRC_BURST: "100",
      IRC_LINE_MS: "0",
    };
    const chat = { url: "tcp://127.0.0.1:1" }; // not used: the adapter is another
    const all = { ...irc, ANTIPHON_HANDLERS: HANDLERS, ...env };
    const master = new MasterProcess({ redisUrl, namespace: this.#namespace, chat, leaseMs, env: all });
    this.masters.push(master);
    return master;
  }

  async worker(): Promise<void> {
    const worker = spawnNode(ENTRY, {
      args: ["worker"],
      env: {
        REDIS_URL: this.#options.redisUrl,
        ANTIPHON_NAMESPACE: this.#namespace,
        ANTIPHON_ADAPTERS: "irc",
        ANTIPHON_HANDLERS: HANDLERS,
        ANTIPHON_WORKER_THREADS: "2",
        ANTIPHON_HTTP_HOST: "127.0.0.1",
        ANTIPHON_HTTP_PORT: "0",
        ANTIPHON_ADMIN_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: "0",
        LOG_FORMAT: "json",
        PINGER_NOTES: this.#notes,
      },
    });
    this.#workers.push(worker);
    await worker.waitForLine('"process.started"', START_MS);
  }

  /** Who leads the unit and is ready to speak. */
  async speaker(among: readonly MasterProcess[] = this.masters): Promise<MasterProcess> {
    const isReady = (master: MasterProcess): boolean =>
      master.node.child.exitCode === null &&
      master.node.child.signalCode === null &&
      master.of("adapter.state").findLast((line) => line["unit"] === "irc")?.["state"] === "ready";
    return waitFor(() => among.find(isReady), { timeoutMs: START_MS, what: "one that speaks" }).catch(
      (error: unknown) => {
        throw new Error([String(error), ...among.flatMap(({ node }) => node.lines.slice(-15))].join("\n"), {
          cause: error,
        });
      },
    );
  }

  /** Which questions a handler ran for, each once. */
  get asked(): Set<string> {
    return new Set(readFileSync(this.#notes, "utf8").split("\n").filter(Boolean));
  }

  /** Events of all masters that ever were. */
  count(event: string): number {
    return this.masters.flatMap((master) => master.of(event)).length;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.masters.map(({ node }) => node), ...this.#workers].map((node) => node.kill("SIGKILL")));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #notes(): string {
    return join(this.#folder, "notes");
  }
}
