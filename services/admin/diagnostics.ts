// /api/diagnostics: what a process spends its time and its memory on, asked of it while it lives: of the one that answers, or of
// another one through it. For admins: a heap snapshot holds everything that the process knows, secrets too.

import type { Readable } from "node:stream";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { type Static, Type } from "typebox";
import { change, look } from "./declared.ts";
import type { FarLooks } from "./far-looks.ts";
import type { LookDoor } from "./look-door.ts";
import type { Looks } from "./looks.ts";

const tag = "diagnostics";
const SECONDS = 10;
const SECONDS_MAX = 60;

const Process = Type.Optional(Type.String({ minLength: 1, maxLength: 256 }));
const Thread = Type.Optional(Type.String({ pattern: "^(main|[0-9]{1,9})$" }));
const Processes = Type.Object({
  items: Type.Array(
    Type.Object({
      /** What `process=` takes. */
      process: Type.String(),
      mode: Type.Enum(["master", "worker"]),
      version: Type.String(),
      upSeconds: Type.Number(),
      rssBytes: Type.Number(),
      /** The one that answers. */
      here: Type.Boolean(),
    }),
  ),
});
const Threads = Type.Object({
  process: Type.String(),
  threads: Type.Array(Type.Object({ thread: Type.String(), title: Type.String() })),
});
const File = Type.Unsafe<unknown>({ description: "A file for the developer tools of a browser." });

export interface DiagnosticsOptions {
  readonly door: Pick<LookDoor, "process" | "row" | "looks">;
  readonly far: FarLooks;
}

/** Into one process. */
interface Glass {
  readonly process: string;
  readonly threads: Looks["threads"];
  readonly profile: Looks["profile"];
  readonly snapshot: Looks["snapshot"];
}

export function diagnosticsRoutes(options: DiagnosticsOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/diagnostics/processes",
      look({ id: "listProcesses", tag, role: "admin", says: "The processes that can be looked into." }, Processes, {}),
      async () => ({ items: await processes(options) }),
    );
    app.get(
      "/diagnostics/threads",
      look({ id: "listThreads", tag, role: "admin", says: "The threads of a process." }, Threads, {
        querystring: Type.Object({ process: Process }),
      }),
      async ({ query }) => {
        const { process, threads } = await glassOf(options, query.process);
        return { process, threads: await threads() };
      },
    );
    app.post(
      "/diagnostics/cpu-profile",
      change({ ...PROFILE, tag, role: "admin", audit: "diagnostics.cpu-profile" }, File, {
        querystring: Type.Object({
          process: Process,
          thread: Thread,
          seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: SECONDS_MAX })),
        }),
      }),
      async ({ query: { thread = "main", seconds = SECONDS, ...query } }, reply) => {
        const gone = new AbortController();
        reply.raw.once("close", () => gone.abort());
        const { process, profile } = await glassOf(options, query.process);
        const file = await profile({ thread, seconds, gone: gone.signal });
        return reply.headers(fileHeaders(process, thread, "cpuprofile")).send(file);
      },
    );
    app.post(
      "/diagnostics/heap-snapshot",
      change({ ...SNAPSHOT, tag, role: "admin", audit: "diagnostics.heap-snapshot" }, File, {
        querystring: Type.Object({ process: Process, thread: Thread, anyway: Type.Optional(Type.Boolean()) }),
      }),
      async ({ query: { thread = "main", anyway = false, ...query } }, reply) => {
        const { process, snapshot } = await glassOf(options, query.process);
        const file: Readable = await snapshot({ thread, anyway });
        return reply.headers(fileHeaders(process, thread, "heapsnapshot")).send(file);
      },
    );
  };
}

const PROFILE = { id: "profileCpu", says: "What a thread spends its time on." };
const SNAPSHOT = {
  id: "takeHeapSnapshot",
  says: "What is in the memory of a thread, which stands still meanwhile. Holds secrets.",
};

/** Where Redis is away, the one that answers can be looked into all the same. */
async function processes({ door, far }: DiagnosticsOptions): Promise<Static<typeof Processes>["items"]> {
  const all = await far.processes().catch(() => []);
  const others = all.filter(({ process }) => process !== door.process);
  const own = { ...door.row, here: true };
  return [own, ...others.map((row) => ({ ...row, here: false }))];
}

async function glassOf({ door, far }: DiagnosticsOptions, process = door.process): Promise<Glass> {
  if (process !== door.process)
    return {
      process,
      threads: () => far.threads(process),
      profile: (wanted) => far.profile(process, wanted),
      snapshot: (wanted) => far.snapshot(process, wanted),
    };
  const looks = await door.looks();
  return {
    process,
    threads: () => looks.threads(),
    profile: (wanted) => looks.profile(wanted),
    snapshot: (wanted) => looks.snapshot(wanted),
  };
}

function fileHeaders(process: string, thread: string, extension: string): Record<string, string> {
  const name = `${process.replace(":", "-")}-${thread}.${extension}`.replaceAll(/[^\w.-]/g, "_");
  return {
    "content-type": "application/octet-stream",
    "content-disposition": `attachment; filename="${name}"`,
    "x-antiphon-process": process,
  };
}
