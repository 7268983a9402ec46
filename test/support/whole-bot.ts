// A whole bot as an operator runs it: a master and a worker, each a process of its own, around one fake chat service.

import { FakeChat } from "./fake-chat.ts";
import { MasterProcess } from "./master-kit.ts";
import { type SpawnedNode, spawnNode } from "./spawn.ts";

const ENTRY = new URL("../../services/main.ts", import.meta.url);
const START_MS = 60_000;

type Environment = Readonly<Record<string, string>>;

export interface WholeBotOptions {
  readonly redisUrl: string;
  readonly namespace: string;
  /** Of both processes. */
  readonly env: Environment;
  /** Of the worker alone. */
  readonly workerEnv?: Environment;
}

export interface BotUrls {
  /** Public HTTP, of the worker. */
  readonly http: string;
  /** The admin ports. */
  readonly worker: string;
  readonly master: string;
}

export class WholeBot {
  readonly chat: FakeChat;
  readonly master: MasterProcess;
  readonly worker: SpawnedNode;
  readonly urls: BotUrls;

  private constructor(chat: FakeChat, master: MasterProcess, worker: SpawnedNode) {
    this.chat = chat;
    this.master = master;
    this.worker = worker;
    const line = worker.lines.find((one) => one.includes('"process.started"')) ?? "{}";
    const [http = "", admin = ""] = (JSON.parse(line) as { urls: string }).urls.split(" ");
    this.urls = { http, worker: admin, master: String(master.of("process.started")[0]?.["urls"]) };
  }

  /** Resolves when the worker takes deliveries and the master leads. */
  static async start({ redisUrl, namespace, env, workerEnv }: WholeBotOptions): Promise<WholeBot> {
    const chat = await FakeChat.start({ idempotency: "key" });
    const master = new MasterProcess({ redisUrl, namespace, chat, env });
    const worker = spawnNode(ENTRY, {
      args: ["worker"],
      env: {
        REDIS_URL: redisUrl,
        ANTIPHON_NAMESPACE: namespace,
        ANTIPHON_ADAPTERS: "fake",
        FAKE_URL: chat.url,
        ANTIPHON_HTTP_HOST: "127.0.0.1",
        ANTIPHON_HTTP_PORT: "0",
        ANTIPHON_ADMIN_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: "0",
        LOG_FORMAT: "json",
        ...env,
        ...workerEnv,
      },
    });
    const isUp = (node: SpawnedNode): Promise<string> => node.waitForLine('"process.started"', START_MS);
    await Promise.all([isUp(master.node), isUp(worker), master.leads("fake", START_MS)]);
    return new WholeBot(chat, master, worker);
  }

  /** Drains what still runs. */
  async stop(): Promise<void> {
    await Promise.all([this.worker.kill("SIGTERM"), this.master.kill("SIGTERM")]);
    await this.chat.stop();
  }
}
