// The workers of a bot as an operator sees and steers them: which pods there are, what each has in hand, what it was told.

import { type BrokerContext, translate } from "../broker/connection.ts";
import { orderWorker, ordersOf } from "../broker/orders.ts";
import { podOf, podsOf } from "../broker/pods.ts";
import { registeredWorkers } from "../broker/registered.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { suggestion } from "../runtime/suggest.ts";
import { workQueues } from "./looking.ts";

export interface WorkerInfo {
  readonly pod: string;
  /** Random names of its processes that tell theirs. */
  readonly processes: readonly string[];
  /** That it serves. */
  readonly queues: readonly string[];
  /** Deliveries that it has taken and not finished. */
  readonly claimed: number;
  /** How many it runs at once; undefined where it does not say so. */
  readonly slots?: number;
  readonly threads?: number;
  /** Those that are scaled together with it. */
  readonly pool?: string;
  /** By the server's clock. */
  readonly startedAt?: Date;
  /** `quiet`: it takes nothing more. `stop`: it was told to end. */
  readonly order: "quiet" | "stop" | "";
}

export class Workers {
  readonly #context: BrokerContext;

  constructor(context: BrokerContext) {
    this.#context = context;
  }

  async list(): Promise<WorkerInfo[]> {
    const context = this.#context;
    const [registered, orders] = await Promise.all([
      workQueues(context).then((queues) => registeredWorkers(context, queues)),
      ordersOf(context),
    ]);
    const claims = registered.map(({ queue, wid }) => context.client.hlen(`${context.keys.queue(queue)}:c:${wid}`));
    const held = await Promise.all(claims).catch((error: unknown) => {
      throw translate(error);
    });
    const pods = podsOf(registered.map((one, index) => ({ ...one, pod: podOf(one.wid), claimed: held[index] ?? 0 })));
    return pods.map(({ startedAtMs, ...pod }): WorkerInfo => ({
      ...pod,
      order: orders.get(pod.pod) ?? "",
      ...(startedAtMs !== undefined && { startedAt: new Date(startedAtMs) }),
    }));
  }

  /** It finishes what it has and takes nothing more, until `resume`. @throws AntiphonError WORKER_UNKNOWN */
  quiet(pod: string): Promise<void> {
    return this.#order(pod, "quiet");
  }

  resume(pod: string): Promise<void> {
    return this.#order(pod, null);
  }

  /** As SIGTERM: it drains and ends. Whoever started it decides whether another one starts. */
  stop(pod: string): Promise<void> {
    return this.#order(pod, "stop");
  }

  async #order(pod: string, order: "quiet" | "stop" | null): Promise<void> {
    const pods = (await this.list()).map((worker) => worker.pod);
    if (!pods.includes(pod)) throw new AntiphonError("WORKER_UNKNOWN", `${pod}.${suggestion(pod, pods)}`);
    await orderWorker(this.#context, pod, order);
  }
}
