// Several processes that serve one bus behind one address, as a Service in Kubernetes would have it: whoever connects gets to
// one that lives, and what was connected to one that is killed is cut off.

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type SpawnedNode, spawnNode } from "../../support/spawn.ts";

const ENTRY = new URL("worker.ts", import.meta.url);
const START_MS = 60_000;

export interface FleetOptions {
  readonly redisUrl: string;
  readonly namespace: string;
  readonly workers: number;
  readonly heldMs?: number;
}

interface Worker {
  readonly node: SpawnedNode;
  readonly port: number;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #front: Server;
  readonly #sockets = new Set<Socket>();
  #workers: Worker[] = [];
  #turn = 0;

  private constructor(options: FleetOptions) {
    this.#options = options;
    this.#front = createServer((near) => this.#forward(near));
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    await new Promise<void>((done) => fleet.#front.listen(0, "127.0.0.1", done));
    await Promise.all(Array.from({ length: options.workers }, () => fleet.add()));
    return fleet;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#front.address() as AddressInfo).port}`;
  }

  /** The ports of those that live. */
  get ports(): number[] {
    return this.#workers.map(({ port }) => port);
  }

  async add(): Promise<void> {
    const { redisUrl, namespace, heldMs } = this.#options;
    const held = heldMs === undefined ? {} : { BUS_HELD_MS: String(heldMs) };
    const node = spawnNode(ENTRY, { env: { REDIS_URL: redisUrl, BUS_NAMESPACE: namespace, ...held } });
    const line = await node.waitForLine("serving ", START_MS);
    this.#workers.push({ node, port: Number(line.split(" ")[1]) });
  }

  /** SIGKILL to one after the other; its connections break. */
  async kill(): Promise<void> {
    const victim = this.#workers.shift();
    await victim?.node.kill("SIGKILL");
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map(({ node }) => node.end()));
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#front.close(done));
  }

  #forward(near: Socket): void {
    const worker = this.#workers[this.#turn++ % Math.max(1, this.#workers.length)];
    if (worker === undefined) return void near.destroy();
    const far = connect(worker.port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.pipe(to);
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
