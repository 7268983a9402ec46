// A whole bot for the dashboard's tests and pictures: redis-server, a fake chat service, a master and a worker under a small
// load, and a browser that looks at it.

import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { openQueue, type Queue } from "../../services/queue/queue.ts";
import { FakeChat } from "./fake-chat.ts";
import { freePort, type RedisServer, startRedisServer } from "./redis.ts";
import { type SpawnedNode, spawnNode } from "./spawn.ts";
import { waitFor } from "./wait-for.ts";

const MAIN = new URL("../../services/main.ts", import.meta.url);
const HANDLERS = new URL("../fixtures/dashboard", import.meta.url).pathname;
const READY_MS = 90_000;
const SHOWN_MS = 60_000;

export const TOKENS = {
  viewer: "wall-secret-0123456789",
  operator: "ann-secret-0123456789",
  admin: "root-secret-0123456789",
} as const;

export interface ShopOptions {
  readonly env?: Readonly<Record<string, string>>;
}

export class Shop {
  readonly chat: FakeChat;
  readonly queue: Queue;
  readonly adminPort: number;
  /** Of the worker. */
  readonly httpPort: number;
  #redis: RedisServer;
  readonly #processes: SpawnedNode[] = [];
  readonly #options: ShopOptions;
  #load: ReturnType<typeof setInterval> | undefined;

  private constructor(parts: {
    chat: FakeChat;
    queue: Queue;
    redis: RedisServer;
    adminPort: number;
    httpPort: number;
    options: ShopOptions;
  }) {
    this.chat = parts.chat;
    this.queue = parts.queue;
    this.adminPort = parts.adminPort;
    this.httpPort = parts.httpPort;
    this.#redis = parts.redis;
    this.#options = parts.options;
  }

  static async open(options: ShopOptions = {}): Promise<Shop> {
    const redis = await startRedisServer();
    const queue = await openQueue({ url: redis.url });
    const shop = new Shop({
      chat: await FakeChat.start(),
      queue,
      redis,
      adminPort: await freePort(),
      httpPort: await freePort(),
      options,
    });
    await shop.#start("master").catch(async (error: unknown) => {
      await shop.close();
      throw error;
    });
    await shop.#start("worker").catch(async (error: unknown) => {
      await shop.close();
      throw error;
    });
    return shop;
  }

  get url(): string {
    return `http://127.0.0.1:${this.adminPort}/`;
  }

  get redisUrl(): string {
    return this.#redis.url;
  }

  /** Fails when a process of it has ended: what follows would only say that nobody answers. */
  check(): void {
    for (const { child, lines } of this.#processes)
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`It has ended:\n${lines.slice(-40).join("\n")}`);
  }

  async #start(mode: "master" | "worker"): Promise<void> {
    const started = spawnNode(MAIN, {
      args: [mode],
      env: {
        REDIS_URL: this.#redis.url,
        ANTIPHON_ADAPTERS: "web,fake",
        FAKE_URL: this.chat.url,
        ANTIPHON_HANDLERS: HANDLERS,
        ANTIPHON_ADMIN_HOST: "127.0.0.1",
        ANTIPHON_ADMIN_PORT: mode === "master" ? String(this.adminPort) : "0",
        ANTIPHON_HTTP_HOST: "127.0.0.1",
        ANTIPHON_HTTP_PORT: String(this.httpPort),
        ANTIPHON_ADMIN_TOKENS: Object.entries(TOKENS)
          .map(([role, secret]) => `${role === "operator" ? "ann" : role}:${role}:${secret}`)
          .join(","),
        LOG_FORMAT: "json",
        ...this.#options.env,
      },
    });
    this.#processes.push(started);
    await started.waitForLine("process.started", READY_MS);
  }

  /** So many mails a second, and now and then something else. */
  startLoad(perSecond = 10): void {
    let turn = 0;
    const tell = (): void => {
      turn++;
      const mail = this.queue.enqueue("mail.send", { to: `person-${turn}@example.org`, ms: 20 + ((turn * 37) % 140) });
      const ship =
        turn % 10 === 0 &&
        this.queue.enqueue(
          "deploy.ship",
          { app: ["api", "web", "docs"][turn % 3] ?? "api", env: "prod", ms: 80 },
          { key: ["api", "web", "docs"][turn % 3] ?? "api", tags: ["eu"] },
        );
      void Promise.all([mail, ship]).catch(() => {}); // Redis may be away: some tests are about that
    };
    this.#load = setInterval(tell, 1000 / perSecond);
  }

  stopLoad(): void {
    clearInterval(this.#load);
  }

  async stopRedis(): Promise<void> {
    await this.#redis.stop();
  }

  /** On the same port, and empty. */
  async startRedis(): Promise<void> {
    this.#redis = await startRedisServer(["--port", String(this.#redis.port)]);
  }

  async close(): Promise<void> {
    this.stopLoad();
    for (const node of this.#processes) await node.end();
    await this.queue.close();
    await this.chat.stop();
    await this.#redis.stop();
  }
}

export interface Look {
  readonly page: Page;
  /** What the page complained about: errors, refused by its policy, failed scripts. */
  readonly problems: string[];
}

export interface LookOptions extends BrowserContextOptions {
  /** Nobody signs in where it is left out. */
  readonly role?: keyof typeof TOKENS;
  /** The fragment, such as `queues/default`. */
  readonly at?: string;
  readonly url?: string;
}

export class Browsing {
  readonly #browser: Browser;
  readonly #contexts: BrowserContext[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async open(): Promise<Browsing> {
    const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
    return new Browsing(await chromium.launch({ executablePath: "/usr/bin/chromium", args }));
  }

  async look(
    shop: Pick<Shop, "url"> & Partial<Pick<Shop, "check">>,
    { role, at = "", url = shop.url, ...options }: LookOptions = {},
  ): Promise<Look> {
    shop.check?.();
    const context = await this.#browser.newContext(options);
    context.setDefaultTimeout(SHOWN_MS);
    this.#contexts.push(context);
    const page = await context.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("dialog", (dialog) => {
      problems.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      // The browser reports each answer that is no success; that is what some of the tests are about.
      const isAnswer = /net::ERR_|the server responded with a status/.test(message.text());
      if (message.type() === "error" && !isAnswer) problems.push(message.text());
    });
    await page.goto(`${url}#/${at}`);
    if (role !== undefined) {
      await page.getByLabel("Token").fill(TOKENS[role]);
      await page.keyboard.press("Enter");
      await page.getByRole("navigation", { name: "Pages" }).waitFor();
    }
    return { page, problems };
  }

  async closeAll(): Promise<void> {
    for (const context of this.#contexts.splice(0)) await context.close();
  }

  async close(): Promise<void> {
    await this.closeAll();
    await this.#browser.close();
  }
}

/** To another page of the dashboard. */
export async function goTo(page: Page, at: string): Promise<void> {
  await page.evaluate((hash) => (location.hash = hash), `#/${at}`);
  await page.locator("main h1").waitFor();
}

export function eventually(condition: () => Promise<boolean> | boolean, what: string): Promise<unknown> {
  return waitFor(condition, { timeoutMs: SHOWN_MS, what });
}
