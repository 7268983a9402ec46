// Hears in each process when another one shall look into it for an admin, and answers: who it is, its threads, a file in pieces.
//
// Nothing of it is loaded before it is asked. Not promised: that it answers; who asks gives up.

import type { Readable } from "node:stream";
import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError, ERROR_TABLE } from "../runtime/errors.ts";
import { addNewest } from "../runtime/newest.ts";
import type { Part } from "../runtime/part.ts";
import { processName } from "../runtime/process-name.ts";
import { VERSION } from "../runtime/version.ts";
import { type Answered, type Asked, type LookConfig, sealOf } from "./look-words.ts";
import type { Looks } from "./looks.ts";

export interface LookDoorOptions {
  readonly config: LookConfig & { readonly leaseMs: number };
  readonly mode: "master" | "worker";
  readonly client: RedisClient;
  readonly subscriber: RedisClient;
  readonly keys: Keys;
  readonly clock: Clock;
}

/** Of one process, as it says of itself. */
export interface ProcessRow {
  readonly process: string;
  readonly mode: "master" | "worker";
  readonly version: string;
  readonly upSeconds: number;
  readonly rssBytes: number;
}

const FILES_MAX = 2;
/** A file that nobody goes on reading is dropped. */
const IDLE_MS = 60_000;
const PIECE_BYTES = 256 * 1024;
/** A file of a gigabyte is asked for as often. */
const HEARD_MAX = 5_000;

interface File {
  readonly stream: Readable;
  readonly pieces: AsyncIterator<Buffer>;
  /** Since it was asked for last. */
  idle: AbortController;
}

export class LookDoor implements Part {
  readonly name = "look door";
  readonly process = processName();
  readonly #options: LookDoorOptions;
  readonly #seal: ReturnType<typeof sealOf>;
  readonly #channel: Buffer;
  readonly #files = new Map<string, File>();
  /** What is being made, by the id of who asked for it. */
  readonly #making = new Map<string, AbortController>();
  /** Ids, the oldest first. */
  readonly #heard = new Set<string>();
  #looks: Promise<Looks> | undefined;

  constructor(options: LookDoorOptions) {
    this.#options = options;
    this.#seal = sealOf(options.config);
    this.#channel = Buffer.from(options.keys.looks());
  }

  /** Into this process. */
  looks(): Promise<Looks> {
    const { client, keys, clock, config } = this.#options;
    const options = { client, keys, clock, leaseMs: config.leaseMs };
    this.#looks ??= import("./looks.ts").then((loaded) => new loaded.Looks(options));
    return this.#looks;
  }

  get row(): ProcessRow {
    const { mode } = this.#options;
    const [upSeconds, rssBytes] = [Math.round(process.uptime()), process.memoryUsage.rss()];
    return { process: this.process, mode, version: VERSION, upSeconds, rssBytes };
  }

  async start(): Promise<void> {
    if (this.#seal === undefined) return;
    const { subscriber } = this.#options;
    subscriber.on("smessageBuffer", this.#hear);
    subscriber.on("ready", this.#listen);
    this.#listen();
  }

  async stop(): Promise<void> {
    const { subscriber } = this.#options;
    subscriber.off("smessageBuffer", this.#hear);
    subscriber.off("ready", this.#listen);
    for (const name of this.#files.keys()) this.#drop(name);
    for (const making of this.#making.values()) making.abort();
  }

  readonly #listen = (): void => {
    const { subscriber, keys } = this.#options;
    subscriber.ssubscribe(keys.looks()).catch(() => {}); // at the next "ready" again
  };

  readonly #hear = (channel: Buffer, message: Buffer): void => {
    if (channel.equals(this.#channel)) void this.#answer(message).catch(() => {}); // it waits in vain
  };

  async #answer(message: Buffer): Promise<void> {
    const { client, keys } = this.#options;
    const asked = (await this.#seal?.open<Asked>(message))?.head;
    if (asked === undefined || (asked.to !== "" && asked.to !== this.process) || this.#isOld(asked)) return;
    const { id, asker } = asked;
    const said: { told?: unknown; bytes?: Buffer; error?: NonNullable<Answered["error"]> } = await this.#act(
      asked,
    ).catch((error: unknown) => ({ error: errorOf(error) }));
    const { bytes, ...rest } = said;
    const head: Answered = { kind: "answer", id, from: this.process, ...rest };
    const closed = await this.#seal?.close(bytes === undefined ? { head } : { head, bytes });
    if (closed !== undefined) await client.spublish(`${keys.looks()}:${asker}`, closed);
  }

  /** Somebody who cannot read it may say it again. */
  #isOld({ id }: Asked): boolean {
    if (this.#heard.has(id)) return true;
    addNewest(this.#heard, id, HEARD_MAX);
    return false;
  }

  async #act(asked: Asked): Promise<{ told?: unknown; bytes?: Buffer }> {
    if (asked.kind === "who") return { told: this.row };
    if (asked.kind === "threads") return { told: await (await this.looks()).threads() };
    if (asked.kind === "profile" || asked.kind === "snapshot") return { told: await this.#begin(asked) };
    if (asked.kind === "next") return await this.#next(asked.file ?? "");
    this.#making.get(asked.file ?? "")?.abort();
    this.#drop(asked.file ?? "");
    return {};
  }

  /** Answers the file's name: the id under which it was asked for. */
  async #begin({ kind, id, thread = "main", seconds = 1, anyway = false }: Asked): Promise<string> {
    if (this.#files.size >= FILES_MAX)
      throw new AntiphonError("TOO_MANY_REQUESTS", "Somebody looks into this process already.");
    const looks = await this.looks();
    const making = new AbortController();
    this.#making.set(id, making);
    try {
      const made =
        kind === "profile"
          ? await looks.profile({ thread, seconds, gone: making.signal })
          : await looks.snapshot({ thread, anyway });
      if (making.signal.aborted) made.destroy();
      else await this.#keep(id, made);
      return id;
    } finally {
      this.#making.delete(id);
    }
  }

  /** Zipped: it is a tenth then. */
  async #keep(name: string, made: Readable): Promise<void> {
    const [{ pipeline }, { createGzip }] = await Promise.all([import("node:stream"), import("node:zlib")]);
    const stream = pipeline(made, createGzip({ level: 1, chunkSize: PIECE_BYTES }), () => {});
    const pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#files.set(name, { stream, pieces, idle: new AbortController() });
    this.#wait(name);
  }

  async #next(name: string): Promise<{ told: { done: boolean }; bytes?: Buffer }> {
    const file = this.#files.get(name);
    if (file === undefined) throw new AntiphonError("NOT_FOUND", "It was not read for too long.");
    this.#wait(name);
    const { done = false, value } = await file.pieces.next();
    if (done) this.#drop(name);
    return done ? { told: { done } } : { told: { done }, bytes: value };
  }

  #wait(name: string): void {
    const file = this.#files.get(name);
    if (file === undefined) return;
    file.idle.abort();
    const idle = new AbortController();
    file.idle = idle;
    void this.#options.clock.sleep(IDLE_MS, idle.signal).then(() => {
      if (!idle.signal.aborted) this.#drop(name);
    });
  }

  #drop(name: string): void {
    const file = this.#files.get(name);
    file?.idle.abort();
    file?.stream.destroy();
    this.#files.delete(name);
  }
}

function errorOf(error: unknown): NonNullable<Answered["error"]> {
  const detail = error instanceof Error ? error.message : String(error);
  if (!(error instanceof AntiphonError)) return { code: "", detail };
  return { code: error.code, detail: detail.replace(ERROR_TABLE[error.code].sentence, "").trimStart() };
}
