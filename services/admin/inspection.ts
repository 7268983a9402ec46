// Looks into a thread of this process from another one, as a debugger would: through V8's inspector, with no port opened.
//
//   a worker:  this is its HTTP thread ── main ── all other threads
//   a master:  this is main            ────────── its threads
// Not promised: that the thread goes on meanwhile. One of which a heap snapshot is taken stands still.

import { Session } from "node:inspector";
import { isMainThread } from "node:worker_threads";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { withDeadline } from "../runtime/part.ts";

export interface ThreadRow {
  /** `main`, or the number of the thread. */
  readonly thread: string;
  readonly title: string;
}

/** A thread that can be asked. */
export interface Inspected {
  post(method: string, params?: object): Promise<Record<string, unknown>>;
}

export interface InspectOptions {
  readonly thread: string;
  readonly clock: Clock;
  /** Parts of a heap snapshot, as they come. */
  readonly onChunk?: (chunk: string) => void;
}

const POST_MS = 150_000;
/** Threads whose memory is too small for being looked into: a snapshot would end them. */
const SMALL = ["watchdog", "valkey"];
const PROBE_MS = 5_000;
/** How long threads take to say that they are there. */
const ATTACH_MS = 2_000;
const LOOK_MS = 20;

export async function threadsOf(clock: Clock): Promise<ThreadRow[]> {
  const inspector = new Inspector(clock);
  try {
    const workers = await inspector.attach();
    return [{ thread: "main", title: "main" }, ...workers.map(({ thread, title }) => ({ thread, title }))];
  } finally {
    inspector.close();
  }
}

/** Throws NOT_FOUND for a thread that there is not. */
export async function inspect<T>(options: InspectOptions, use: (thread: Inspected) => Promise<T>): Promise<T> {
  const inspector = new Inspector(options.clock, options.onChunk);
  try {
    return await use(await inspector.thread(options.thread));
  } finally {
    inspector.close();
  }
}

interface Attached extends ThreadRow {
  readonly sessionId: string;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

type Post = (method: string, params: object, done: (error: Error | null, result?: object) => void) => void;

class Inspector {
  readonly #session = new Session();
  readonly #clock: Clock;
  readonly #onChunk: ((chunk: string) => void) | undefined;
  readonly #attached: Attached[] = [];
  readonly #waiting = new Map<number, (message: Message) => void>();
  #number = 0;

  constructor(clock: Clock, onChunk?: (chunk: string) => void) {
    this.#clock = clock;
    this.#onChunk = onChunk;
    if (isMainThread) this.#session.connect();
    else this.#session.connectToMainThread();
    this.#session.on("inspectorNotification", (message) => this.#heard(message as Message));
  }

  async thread(name: string): Promise<Inspected> {
    if (name === "main") return { post: (method, params) => this.#post(method, params) };
    const worker = (await this.attach()).find(({ thread }) => thread === name);
    if (worker === undefined) throw new AntiphonError("NOT_FOUND", `This process has no thread ${name}.`);
    await this.#probe(worker);
    return { post: (method, params) => this.#postTo(worker.sessionId, method, params) };
  }

  /** One that is outside of JavaScript for long hears nothing. */
  async #probe({ sessionId, title }: Attached): Promise<void> {
    const answer = this.#postTo(sessionId, "Runtime.evaluate", { expression: "1" });
    answer.catch(() => {});
    await withDeadline(answer, PROBE_MS, title).catch((cause: unknown) => {
      throw new AntiphonError("REQUEST_INVALID", `The thread ${title} does not answer.`, { cause });
    });
  }

  async attach(): Promise<readonly Attached[]> {
    await this.#post("NodeWorker.enable", { waitForDebuggerOnStart: false });
    let known = -1;
    // They tell it one after the other, and nobody says which was the last.
    for (let waited = 0; waited < ATTACH_MS && known !== this.#attached.length; waited += LOOK_MS * 5) {
      known = this.#attached.length;
      await this.#clock.sleep(LOOK_MS * 5);
    }
    return this.#attached;
  }

  close(): void {
    this.#session.disconnect();
    for (const done of this.#waiting.values()) done({ error: { message: "The inspection has ended." } });
  }

  #post(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const post = this.#session.post.bind(this.#session) as unknown as Post;
    const answer = new Promise<Record<string, unknown>>((resolve, reject) => {
      post(method, params, (error, result) => {
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve({ ...result });
      });
    });
    return withDeadline(answer, POST_MS, method);
  }

  async #postTo(sessionId: string, method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#number;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    await this.#post("NodeWorker.sendMessageToWorker", { sessionId, message: JSON.stringify({ id, method, params }) });
    const { result = {}, error } = await withDeadline(answer, POST_MS, method);
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  #heard({ method, params = {} }: Message): void {
    if (method === "HeapProfiler.addHeapSnapshotChunk") this.#onChunk?.(String(params["chunk"]));
    if (method === "NodeWorker.receivedMessageFromWorker") {
      const message = JSON.parse(String(params["message"])) as Message;
      if (message.id === undefined) this.#heard(message);
      else this.#waiting.get(message.id)?.(message);
    }
    if (method === "NodeWorker.attachedToWorker") {
      const { workerId, title } = params["workerInfo"] as { readonly workerId: string; readonly title: string };
      const name = title.replace(/^\[worker \d+\] ?/, "");
      if (SMALL.includes(name)) return;
      this.#attached.push({
        sessionId: String(params["sessionId"]),
        thread: workerId,
        title: name || `thread ${workerId}`,
      });
    }
  }
}
