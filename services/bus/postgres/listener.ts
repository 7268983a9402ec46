// The connection that hears doorbells: one, for nothing else. It is opened again when it breaks or falls silent, asks for the
// same bells, and then says that some may have been missed.

import type { Client } from "pg";
import type { Clock, Random } from "../../runtime/clock.ts";
import { Loop } from "../../runtime/loop.ts";
import { withDeadline } from "../../runtime/part.ts";
import { clientConfig, loadPg, prepare } from "./driver.ts";

export interface ListenerOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly onText: (text: string) => void;
  readonly onGap: () => void;
  readonly onState: (state: "ready" | "away", detail?: string) => void;
}

/** How often it is asked whether it still answers. */
const PING_MS = 2_000;
const PING_LATE_MS = 1_500;
const RETRY_MS = 50;
/** How long whoever wants to listen waits for a connection that is being opened again. */
const BACK_MS = 2_000;
const CLOSE_MS = 500;
const ALIVE_MS = 3_600_000;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #loop: Loop;
  #client: Client | undefined;
  /** The bells that are heard, or are on the way to be, on this connection. */
  #heard = new Map<string, Promise<unknown>>();
  readonly #wanted = new Set<string>();
  #back = Promise.withResolvers<Client>();
  #stopped = false;
  #told = "";
  /** While the server is away no connection keeps a process alive that does nothing but listen. */
  #alive: NodeJS.Timeout | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#loop = new Loop({
      name: "bus listener",
      intervalMs: () => (this.#client === undefined ? RETRY_MS : PING_MS),
      tick: () => this.#tick(),
      onError: (error) => this.#tell("away", error instanceof Error ? error.message : ""),
      clock,
      random,
    });
  }

  /** Does not wait for the connection. */
  async start(): Promise<void> {
    this.#alive = setInterval(() => {}, ALIVE_MS);
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#alive);
    const client = this.#client;
    this.#client = undefined;
    if (client) await end(client);
    await this.#loop.stop();
  }

  /** Bells are heard just now, as far as this process can know. */
  get hears(): boolean {
    return this.#client !== undefined;
  }

  /** Resolves when the bell is heard. @throws when that fails, or there is no connection for a while */
  async listen(bell: string): Promise<void> {
    this.#wanted.add(bell);
    const client = this.#client ?? (await withDeadline(this.#back.promise, BACK_MS, "Connecting"));
    const heard = this.#heard.get(bell) ?? client.query(`LISTEN ${bell}`);
    this.#heard.set(bell, heard);
    heard.catch(() => this.#heard.delete(bell));
    await heard;
  }

  /** On one connection a later LISTEN wins. */
  async listenOnly(isWanted: (bell: string) => boolean): Promise<void> {
    for (const bell of this.#wanted) {
      if (isWanted(bell)) continue;
      this.#wanted.delete(bell);
      this.#heard.delete(bell);
      await this.#client?.query(`UNLISTEN ${bell}`);
    }
  }

  async #tick(): Promise<void> {
    if (this.#stopped) return;
    const client = this.#client;
    if (client === undefined) return this.#connect();
    try {
      await client.query("SELECT 1");
    } catch (error) {
      this.#lost(client);
      throw error;
    }
  }

  async #connect(): Promise<void> {
    const { Client } = await loadPg();
    const { url, onGap, onText } = this.#options;
    const client = new Client(clientConfig({ url, name: "bus-listener", statementMs: PING_LATE_MS }));
    client.on("error", ({ message }) => this.#lost(client, message));
    client.on("end", () => this.#lost(client));
    client.on("notification", ({ payload }) => onText(payload ?? ""));
    try {
      await client.connect();
      await prepare(client, { statementMs: PING_LATE_MS });
      const bells = [...this.#wanted];
      // Their names are ours alone.
      if (bells.length > 0) await client.query(bells.map((bell) => `LISTEN ${bell}`).join(";"));
      if (this.#stopped) return await end(client);
      this.#heard = new Map(bells.map((bell) => [bell, Promise.resolve()]));
    } catch (error) {
      await end(client);
      throw error;
    }
    this.#client = client;
    this.#back.resolve(client);
    this.#tell("ready");
    onGap();
  }

  /** Each change once, with what is known first. */
  #tell(state: "ready" | "away", detail?: string): void {
    if (state === this.#told || this.#stopped) return;
    this.#told = state;
    this.#options.onState(state, detail);
  }

  #lost(client: Client, why?: string): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#heard.clear();
    this.#back = Promise.withResolvers();
    this.#tell("away", why);
    void end(client);
    this.#loop.wake();
  }
}

async function end(client: Client): Promise<void> {
  await withDeadline(client.end(), CLOSE_MS, "Closing the connection").catch(() => {});
}
