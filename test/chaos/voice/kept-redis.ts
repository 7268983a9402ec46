// A redis-server that keeps what it has, and that a scenario may freeze, kill and start again at the same place.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastingPort, type RedisServer, startRedisServer } from "../../support/redis.ts";

export class KeptRedis {
  readonly port: number;
  /**
   * Of its append-only file. `always` for one that is killed: it may else have answered what it had not written. It makes
   * each single write as slow as the disk.
   */
  readonly #sync: "everysec" | "always";
  readonly #folder: string;
  #server: RedisServer | undefined;

  private constructor(port: number, folder: string, sync: "everysec" | "always") {
    this.port = port;
    this.#sync = sync;
    this.#folder = folder;
  }

  static async start(sync: "everysec" | "always" = "everysec"): Promise<KeptRedis> {
    const redis = new KeptRedis(await lastingPort(), mkdtempSync(join(tmpdir(), "antiphon-chaos-")), sync);
    await redis.comeBack();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Nothing answers any more, and connections stay open. */
  freeze(): void {
    this.#server?.child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#server?.child.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop();
  }

  /** With everything that it had written. */
  async comeBack(): Promise<void> {
    const kept = ["--dir", this.#folder, "--appendonly", "yes", "--appendfsync", this.#sync];
    this.#server = await startRedisServer(["--port", String(this.port), ...kept]);
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
