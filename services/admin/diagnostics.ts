// /api/diagnostics: what a process spends its time and its memory on, asked of it while it lives. One at a time, for admins: a
// heap snapshot holds everything that the process knows, secrets too.

import { hostname } from "node:os";
import { Readable } from "node:stream";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { change, look } from "./declared.ts";
import { inspect, threadsOf } from "./inspection.ts";

const tag = "diagnostics";
const SECONDS = 10;
const SECONDS_MAX = 60;
const SAMPLE_US = 1_000;
const LEADS =
  "This master leads, and is ended where it stands still for too long: ask another one, or say anyway=true.";
const READ_MS = 300_000;
/** Of a snapshot whose reader is slower than its maker. */
const WAITING_BYTES_MAX = 512 * 1024 ** 2;

const Thread = Type.Optional(Type.String({ pattern: "^(main|[0-9]{1,9})$" }));
const Threads = Type.Object({
  process: Type.String(),
  threads: Type.Array(Type.Object({ thread: Type.String(), title: Type.String() })),
});
const File = Type.Unsafe<unknown>({ description: "A file for the developer tools of a browser." });

export interface DiagnosticsOptions {
  readonly clock: Clock;
  /** This process is a master that leads: its main thread must not stand still. */
  readonly leads: () => Promise<boolean>;
}

export function diagnosticsRoutes({ clock, leads }: DiagnosticsOptions): FastifyPluginAsyncTypebox {
  const turn = new Turn();
  return async (app) => {
    app.get(
      "/diagnostics/threads",
      look({ id: "listThreads", tag, says: "The threads of the process that answers." }, Threads, {}),
      () => turn.take(async () => ({ process: processName(), threads: await threadsOf(clock) })),
    );
    app.post(
      "/diagnostics/cpu-profile",
      change(
        {
          id: "profileCpu",
          tag,
          role: "admin",
          audit: "diagnostics.cpu-profile",
          says: "What a thread spends its time on.",
        },
        File,
        {
          querystring: Type.Object({
            thread: Thread,
            seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: SECONDS_MAX })),
          }),
        },
      ),
      async ({ query: { thread = "main", seconds = SECONDS } }, reply) => {
        const gone = new AbortController();
        reply.raw.once("close", () => gone.abort());
        const profile = await turn.take(() => profileOf({ thread, ms: seconds * 1000, clock, gone: gone.signal }));
        return reply.headers(fileHeaders(thread, "cpuprofile")).send(Buffer.from(profile));
      },
    );
    app.post(
      "/diagnostics/heap-snapshot",
      change(
        {
          id: "takeHeapSnapshot",
          tag,
          role: "admin",
          audit: "diagnostics.heap-snapshot",
          says: "What is in the memory of a thread, which stands still meanwhile. Holds secrets.",
        },
        File,
        { querystring: Type.Object({ thread: Thread, anyway: Type.Optional(Type.Boolean()) }) },
      ),
      async ({ query: { thread = "main", anyway = false } }, reply) => {
        if (thread === "main" && !anyway && (await leads())) throw new AntiphonError("REQUEST_INVALID", LEADS);
        const snapshot = await snapshotOf({ thread, clock, turn });
        return reply.headers(fileHeaders(thread, "heapsnapshot")).send(snapshot);
      },
    );
  };
}

/** One at a time in this process. */
class Turn {
  #isTaken = false;

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isTaken) throw new AntiphonError("TOO_MANY_REQUESTS", "Somebody looks into this process already.");
    this.#isTaken = true;
    try {
      return await work();
    } finally {
      this.#isTaken = false;
    }
  }
}

interface Profiling {
  readonly thread: string;
  readonly ms: number;
  readonly clock: Clock;
  /** Whoever asked has gone. */
  readonly gone: AbortSignal;
}

function profileOf({ thread, ms, clock, gone }: Profiling): Promise<string> {
  return inspect({ thread, clock }, async (inspected) => {
    await inspected.post("Profiler.enable");
    await inspected.post("Profiler.setSamplingInterval", { interval: SAMPLE_US });
    await inspected.post("Profiler.start");
    await clock.sleep(ms, gone);
    const { profile } = await inspected.post("Profiler.stop");
    await inspected.post("Profiler.disable");
    return JSON.stringify(profile);
  });
}

interface Snapshotting {
  readonly thread: string;
  readonly clock: Clock;
  readonly turn: Turn;
}

/** Resolves with its first part; a thread that there is not is told before. */
function snapshotOf({ thread, clock, turn }: Snapshotting): Promise<Readable> {
  const stream = new Readable({ read: () => {}, highWaterMark: WAITING_BYTES_MAX });
  // Nobody else listens before it is answered with, and a process must not end by it.
  stream.on("error", () => {});
  return new Promise((resolve, reject) => {
    const onChunk = (chunk: string): void => {
      resolve(stream);
      if (!stream.destroyed && !stream.push(chunk)) stream.destroy(new Error("It is read too slowly."));
    };
    const taken = turn.take(async () => {
      await inspect({ thread, clock, onChunk }, (inspected) =>
        inspected.post("HeapProfiler.takeHeapSnapshot", { reportProgress: false }),
      );
      stream.push(null);
      // Until it is read it is in our memory.
      const isRead = new AbortController();
      stream.once("close", () => isRead.abort());
      if (!stream.destroyed) await clock.sleep(READ_MS, isRead.signal);
      stream.destroy();
    });
    taken.catch((error: Error) => {
      reject(error);
      stream.destroy(error);
    });
  });
}

function processName(): string {
  return `${hostname()}:${process.pid}`;
}

function fileHeaders(thread: string, extension: string): Record<string, string> {
  const name = `${hostname()}-${process.pid}-${thread}.${extension}`.replaceAll(/[^\w.-]/g, "_");
  return {
    "content-type": "application/octet-stream",
    "content-disposition": `attachment; filename="${name}"`,
    "x-antiphon-process": processName(),
  };
}
