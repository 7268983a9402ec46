// A Cluster whose client runs in a thread of its own, so that the master's loop goes on while it loads and works. The thread ends
// with this; of its memory the allocator keeps a part for the next time.

import { Worker } from "node:worker_threads";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { Annotations, Autoscaler, Cluster, Occurrence, Pod, Scale, Verb } from "./cluster.ts";
import { Pace } from "./pace.ts";
import type { Place } from "./place.ts";
import type { Answer, Call } from "./protocol.ts";

/** Also for loading it on a machine that is busy; a request alone ends within 3 s. */
const ANSWER_MS = 10_000;
/** A whole scale-in goes at once; in the long run it is one request a second. */
const PACE = { burst: 40, everyMs: 1_000 };
const MEMORY = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 8 };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class RemoteCluster implements Cluster {
  readonly #place: Place;
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #waiting = new Map<number, Waiting>();
  readonly #closing = new AbortController();
  #thread: Worker | undefined;
  #calls = 0;

  constructor(place: Place, clock: Clock) {
    this.#place = place;
    this.#clock = clock;
    this.#pace = new Pace({ ...PACE, clock });
  }

  scaleOf(deployment: string): Promise<Scale> {
    return this.#call("scaleOf", [deployment]);
  }

  setReplicas(scale: Scale, replicas: number): Promise<Scale> {
    return this.#call("setReplicas", [scale, replicas]);
  }

  pods(selector: string): Promise<Pod[]> {
    return this.#call("pods", [selector]);
  }

  pod(name: string): Promise<Pod> {
    return this.#call("pod", [name]);
  }

  annotate(pod: string, annotations: Annotations): Promise<void> {
    return this.#call("annotate", [pod, annotations]);
  }

  autoscalers(): Promise<Autoscaler[]> {
    return this.#call("autoscalers", []);
  }

  tell(occurrence: Occurrence): Promise<void> {
    return this.#call("tell", [occurrence]);
  }

  /** What is under way is rejected. */
  async close(): Promise<void> {
    this.#closing.abort("closed");
    this.#gone("closed");
    await this.#thread?.terminate();
  }

  async #call<V extends Verb>(verb: V, args: Parameters<Cluster[V]>): Promise<Awaited<ReturnType<Cluster[V]>>> {
    await this.#pace.turn(this.#closing.signal);
    if (this.#closing.signal.aborted) throw unavailable(verb, "closed");
    const thread = (this.#thread ??= this.#spawn());
    const id = ++this.#calls;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    thread.postMessage({ id, verb, args } satisfies Call);
    const answered = new AbortController();
    void this.#clock.sleep(ANSWER_MS, answered.signal).then(() => {
      if (!answered.signal.aborted) reject(unavailable(verb, `no answer within ${ANSWER_MS} ms`));
    });
    try {
      return (await promise) as Awaited<ReturnType<Cluster[V]>>;
    } finally {
      answered.abort("answered");
      this.#waiting.delete(id);
    }
  }

  #spawn(): Worker {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const thread = new Worker(new URL(`./thread.${extension}`, import.meta.url), {
      name: "kubernetes",
      workerData: this.#place,
      execArgv: [],
      resourceLimits: MEMORY,
    });
    thread.unref();
    thread.on("message", (answer: Answer) => this.#answered(answer));
    const died = (why: string): void => {
      if (this.#thread === thread) this.#thread = undefined;
      this.#gone(why);
    };
    thread.on("error", (error) => died(String(error)));
    thread.on("exit", () => died("the thread of the client ended"));
    return thread;
  }

  #answered(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if ("code" in answer) waiting?.reject(new AntiphonError(answer.code, answer.detail));
    else waiting?.resolve(answer.value);
  }

  #gone(why: string): void {
    for (const { reject } of this.#waiting.values()) reject(unavailable("the client", why));
    this.#waiting.clear();
  }
}

function unavailable(what: string, why: string): AntiphonError {
  return new AntiphonError("KUBERNETES_UNAVAILABLE", `${what}: ${why}`);
}
