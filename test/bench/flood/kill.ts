// A worker dies by SIGKILL in the middle of its runs: how long until they run elsewhere, counted from the kill.

import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis } from "../redis.ts";
import { FakeChat } from "../../support/fake-chat.ts";
import { type Mode, type ModeOptions, startMode } from "./antiphon.ts";
import { Tally } from "./tally.ts";

/** Runs that are under way at each kill, on both workers together. */
const RUNS = 8;
const HELD_MS = 10_000;
const ELSEWHERE_MS = 20_000;

export interface Kills {
  /** From a kill to each of its deliveries' start elsewhere, ms. */
  readonly elsewhereMs: readonly number[];
  /** Deliveries that never ran again. */
  readonly lost: number;
  readonly kills: number;
}

/**
 * With a master, which sees that the worker's connection to Redis closed; without one, only the other worker is left to
 * notice by time.
 */
export async function killWorkers(kills: number, withMaster: boolean): Promise<Kills> {
  const cwd = mkdtempSync(join(tmpdir(), "antiphon-bench-"));
  const tally = await Tally.start();
  const chat = await FakeChat.start();
  const redis = await startRedis("AOF off");
  const chatPort = Number(new URL(chat.url).port);
  const scene = new Scene({ redisUrl: redis.url, cwd, tallyPort: tally.port, chatPort }, tally);
  try {
    await scene.open(withMaster);
    for (let kill = 0; kill < kills; kill++) await scene.kill();
    return { elsewhereMs: scene.elsewhereMs, lost: scene.lost, kills };
  } finally {
    await scene.close();
    await redis.stop();
    await chat.stop();
    await tally.stop();
    rmSync(cwd, { recursive: true, force: true });
  }
}

class Scene {
  readonly elsewhereMs: number[] = [];
  lost = 0;
  readonly #options: ModeOptions;
  readonly #tally: Tally;
  #master: Mode | undefined;
  #workers: Mode[] = [];
  #numbers = 0;

  constructor(options: ModeOptions, tally: Tally) {
    this.#options = options;
    this.#tally = tally;
  }

  async open(withMaster: boolean): Promise<void> {
    if (withMaster) this.#master = await startMode("master", this.#options);
    this.#workers = [await this.#worker(), await this.#worker()];
  }

  /** Kills the older worker once runs are under way on both, and starts another in its place. */
  async kill(): Promise<void> {
    const [victim, other] = this.#workers as [Mode, Mode];
    const numbers = await this.#hold(victim, other);
    const interrupted = this.#tally.held.filter(({ pid }) => pid === victim.process.pid).map(({ number }) => number);
    const at = performance.now();
    victim.process.child.kill("SIGKILL");
    const elsewhere = (number: string): number | undefined =>
      this.#tally.held.find((held) => held.number === number && held.pid !== victim.process.pid)?.at;
    await this.#tally.waitHeld(() => interrupted.every((number) => elsewhere(number) !== undefined), ELSEWHERE_MS);
    for (const number of interrupted) {
      const startedAt = elsewhere(number);
      if (startedAt === undefined) this.lost++;
      else this.elsewhereMs.push(startedAt - at);
    }
    for (const number of numbers) this.#tally.letGo(number);
    this.#tally.clear();
    this.#workers = [other, await this.#worker()];
  }

  async close(): Promise<void> {
    const all = [...this.#workers, ...(this.#master ? [this.#master] : [])];
    await Promise.all(all.map((mode) => mode.process.end("SIGKILL")));
  }

  async #hold(victim: Mode, other: Mode): Promise<string[]> {
    const numbers = Array.from({ length: RUNS }, () => `hold-${++this.#numbers}`);
    for (const number of numbers) await post(other.httpPort, number);
    const isHeld = (pid: number): boolean => this.#tally.held.some((held) => held.pid === pid);
    // Whoever wakes first takes most: so more are sent until both have some.
    const enough = (): boolean => this.#tally.held.length >= numbers.length && isHeld(victim.process.pid);
    while (!(await this.#tally.waitHeld(enough, HELD_MS / 20))) {
      if (numbers.length > RUNS * 8) throw new Error("no run began on the worker that is to be killed");
      const number = `hold-${++this.#numbers}`;
      await post(victim.httpPort, number);
      numbers.push(number);
    }
    return numbers;
  }

  #worker(): Promise<Mode> {
    return startMode("worker", this.#options);
  }
}

function post(port: number, number: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "x-github-delivery": number };
    const asked = request({ port, host: "127.0.0.1", method: "POST", path: "/hooks/hold", headers, agent: false });
    // Kept for good: the connection may break again when the worker that answered is killed.
    asked.on("error", reject).once("response", (answer) => {
      answer.on("error", reject);
      answer.resume();
      if (answer.statusCode === 202) answer.once("end", resolve);
      else reject(new Error(`/hooks/hold answered ${answer.statusCode}`));
    });
    asked.end("{}");
  });
}
