// What an operator told this worker's pod, heard with its beats: `quiet` until it is taken back, `stop` as on SIGTERM.

import type { Order } from "../broker/claims.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Emit } from "../telemetry/events.ts";
import type { ServedQueues } from "./served-queues.ts";

export interface OrdersOptions {
  readonly queues: Pick<ServedQueues, "pause" | "resume">;
  /** The process should drain and end. */
  readonly stop: () => void;
  /** An order is kept for an hour; one that is obeyed stands until it is taken back. */
  readonly keep: () => Promise<void>;
  readonly emit: Emit;
  readonly clock: Clock;
}

const KEEP_EACH_MS = 600_000;

export class Orders {
  readonly #options: OrdersOptions;
  #order: Order = "";
  #keptAtMs = 0;

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  get present(): Order {
    return this.#order;
  }

  /** Once a second, of each queue that is served. */
  heard(orders: readonly Order[]): void {
    if (this.#order === "stop") return;
    const order = orders.includes("stop") ? "stop" : orders.includes("quiet") ? "quiet" : "";
    const { queues, emit, stop } = this.#options;
    if (order !== this.#order) {
      emit("worker.ordered", { order: order === "" ? "resume" : order });
      this.#keptAtMs = this.#options.clock.monotonic();
      this.#order = order;
      if (order === "stop") stop();
      if (order === "") queues.resume();
    }
    if (order === "quiet") this.#stayQuiet();
  }

  #stayQuiet(): void {
    const { queues, keep, clock } = this.#options;
    queues.pause(); // also bells that a take under way has hung up again
    if (clock.monotonic() - this.#keptAtMs < KEEP_EACH_MS) return;
    this.#keptAtMs = clock.monotonic();
    keep().catch(() => {}); // the next time is soon enough
  }
}
