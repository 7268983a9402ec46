// Four workers and a master under load; some workers die by SIGKILL, others take their places when all of it ran again.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FakeChat } from "../../support/fake-chat.ts";
import { type Mode, type ModeOptions, startMode } from "../flood/antiphon.ts";
import { sleep } from "../flood/measure.ts";
import { Tally } from "../flood/tally.ts";
import { type BenchRedis, startRedis } from "../redis.ts";
import { Load } from "./load.ts";

export const WORKERS = 4;
const HANDLERS = fileURLToPath(new URL("./handlers", import.meta.url));
/** A master that has just begun to lead reaps nobody for five seconds. */
export const QUIET_MS = 6_000;
const STEADY_MS = 1_000;
const AGAIN_MS = 20_000;
const LOOK_MS = 5;

export class Scene {
  /** From a kill to the start of each of its deliveries elsewhere. */
  readonly againMs: number[] = [];
  /** Deliveries under way at a kill that never began again. */
  lost = 0;
  kills = 0;
  readonly #options: ModeOptions;
  readonly #chat: FakeChat;
  readonly #redis: BenchRedis;
  readonly #tally: Tally;
  readonly #load: Load;
  #master: Mode | undefined;
  #workers: Mode[] = [];

  private constructor(parts: { chat: FakeChat; redis: BenchRedis; tally: Tally }) {
    const { chat, redis, tally } = parts;
    this.#chat = chat;
    this.#redis = redis;
    this.#tally = tally;
    this.#load = new Load(redis.url, tally);
    this.#options = {
      redisUrl: redis.url,
      cwd: mkdtempSync(join(tmpdir(), "antiphon-bench-")),
      tallyPort: tally.port,
      chatPort: Number(new URL(chat.url).port),
      handlers: HANDLERS,
    };
  }

  static async open({ withMaster }: { readonly withMaster: boolean }): Promise<Scene> {
    const parts = { chat: await FakeChat.start(), redis: await startRedis("AOF off"), tally: await Tally.start() };
    const scene = new Scene(parts);
    if (withMaster) scene.#master = await startMode("master", scene.#options);
    await scene.#fill();
    await scene.#load.start();
    await sleep(withMaster ? QUIET_MS : STEADY_MS);
    return scene;
  }

  /** Kills so many workers at once. */
  async kill(count: number): Promise<void> {
    const victims = this.#workers.splice(0, count);
    const numbers = this.#load.interrupt(victims.map(({ process }) => process.pid));
    const at = performance.now();
    for (const { process } of victims) process.child.kill("SIGKILL");
    const isBack = (number: string): boolean => this.#load.againAt(number) !== undefined;
    while (!numbers.every(isBack) && performance.now() - at < AGAIN_MS) await sleep(LOOK_MS);
    for (const number of numbers) {
      const againAt = this.#load.againAt(number);
      if (againAt === undefined) this.lost++;
      else this.againMs.push(againAt - at);
    }
    this.kills += count;
    await this.#fill();
    await sleep(STEADY_MS);
  }

  /** @returns how many of all jobs have never begun */
  async close(): Promise<number> {
    const never = await this.#load.end(AGAIN_MS);
    await this.#load.close();
    const all = [...this.#workers, ...(this.#master ? [this.#master] : [])];
    await Promise.all(all.map((mode) => mode.process.end("SIGKILL")));
    await this.#redis.stop();
    await this.#chat.stop();
    await this.#tally.stop();
    rmSync(this.#options.cwd, { recursive: true, force: true });
    return never;
  }

  async #fill(): Promise<void> {
    while (this.#workers.length < WORKERS) this.#workers.push(await startMode("worker", this.#options));
  }
}
