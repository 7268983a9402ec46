// Reads few bodies at once; the others wait unread in their sockets. That keeps the loop short, so a flood of large bodies
// delays nobody else, and it bounds memory. Who sends nothing while others wait loses its place, not its upload.
//
//   idle ──bytes──▶ waiting ──place──▶ reading ──end──▶ held (the body is used) ──▶ gone
//    ▲              (paused)              │
//    └────── no bytes, others wait ───────┘
//
// Not promised: an order. One that comes back after a pause takes turns with those that are new.

import type { IncomingMessage } from "node:http";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { beginUpload, discard, expected, type Upload } from "./upload.ts";

export interface BodyGateOptions {
  readonly clock: Clock;
  /** How many bodies are read or being stored at once. */
  readonly places?: number;
  /** Bytes in memory, of all bodies. */
  readonly bytesMax?: number;
  /** How long a sender may take for a body, not counting the time that it waits for a place. */
  readonly bodyMs?: number;
}

export interface Body {
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
}

const PLACES = 16;
const BYTES_MAX = 64 * 1024 * 1024;
const BODY_MS = 30_000;
const PACE_CHECK_MS = 5;
/** Who sends less between two checks is slow. */
const PACE_BYTES = 4 * 1024;
/** Slow checks in a row that cost a place. More than one, because bytes may just have waited for the loop. */
const SLOW_CHECKS_FIRST = 4;
const SLOW_CHECKS_LATER = 2;
/** While new ones wait, those that lost their place before may have one in so many places. */
const RETURNING_SHARE = 4;
/** Who holds memory and was silent for so long may have to give way. */
const SILENT_MS = 100;
const DEADLINE_CHECK_MS = 1_000;

export class BodyGate {
  readonly #clock: Clock;
  readonly #places: number;
  readonly #bytesMax: number;
  readonly #bodyMs: number;
  readonly #uploads = new Set<Upload>();
  readonly #placed = new Set<Upload>();
  /** Stored, and not acknowledged yet. */
  readonly #acknowledging = new Set<Upload>();
  readonly #fresh: Upload[] = [];
  readonly #returning: Upload[] = [];
  /** Bytes that are in memory, and that may come for those with a place. */
  #held = 0;
  #reserved = 0;
  #paceCheck: NodeJS.Timeout | undefined;
  #deadlineCheck: NodeJS.Timeout | undefined;

  constructor(options: BodyGateOptions) {
    this.#clock = options.clock;
    this.#places = options.places ?? PLACES;
    this.#bytesMax = options.bytesMax ?? BYTES_MAX;
    this.#bodyMs = options.bodyMs ?? BODY_MS;
  }

  /**
   * Reads the body, then calls `use` with it, and keeps the place until that has settled or said that the body is stored:
   * what is stored at once is limited too. Throws BODY_TOO_LARGE, BODY_STALLED or TOO_MANY_REQUESTS.
   */
  async pass<T>(
    stream: IncomingMessage,
    limitBytes: number,
    use: (body: Body, stored: () => void) => Promise<T>,
  ): Promise<T> {
    const upload = this.#open(stream, limitBytes);
    try {
      await upload.done.promise;
      return await use(upload, () => this.#stored(upload));
    } finally {
      this.#leave(upload);
    }
  }

  /** Bytes of bodies in memory. */
  get held(): number {
    return this.#held;
  }

  #open(stream: IncomingMessage, limitBytes: number): Upload {
    const upload = beginUpload(stream, limitBytes, this.#clock.monotonic());
    this.#uploads.add(upload);
    stream.on("data", (chunk: Buffer) => this.#bytes(upload, chunk));
    stream.once("end", () => this.#end(upload));
    const broken = (): void => {
      if (!upload.ended) this.#fail(upload, new AntiphonError("BODY_STALLED", "The connection broke."));
    };
    stream.once("error", broken);
    stream.once("close", broken);
    this.#armDeadlines();
    return upload;
  }

  #bytes(upload: Upload, chunk: Buffer): void {
    if (upload.state === "gone") return;
    upload.chunks.push(chunk);
    upload.bytes += chunk.byteLength;
    upload.lastBytesAt = this.#clock.monotonic();
    this.#held += chunk.byteLength;
    if (upload.bytes > upload.limitBytes) {
      return this.#fail(upload, new AntiphonError("BODY_TOO_LARGE", `It may have ${upload.limitBytes} bytes.`));
    }
    if (upload.state === "reading") return this.#reserve(upload, expected(upload) - upload.bytes);
    if (this.#held > this.#bytesMax && !this.#makeRoom(upload)) {
      return this.#fail(upload, new AntiphonError("TOO_MANY_REQUESTS", ""));
    }
    if (upload.state === "idle") this.#ask(upload);
  }

  #end(upload: Upload): void {
    if (upload.state === "gone") return;
    upload.ended = true;
    if (upload.state === "reading") this.#hold(upload);
    else if (upload.state === "idle") this.#ask(upload);
  }

  /** Waits for a place, unread. */
  #ask(upload: Upload): void {
    upload.state = "waiting";
    upload.takenMs += this.#clock.monotonic() - upload.since;
    (upload.returning ? this.#returning : this.#fresh).push(upload);
    this.#give();
    if (upload.state !== "waiting") return;
    upload.stream.pause();
    upload.stream.socket.pause();
    this.#armPace();
  }

  /** Gives free places to those that wait. */
  #give(): void {
    while (this.#placed.size < this.#places) {
      const upload = this.#next();
      if (upload === undefined) return;
      this.#placed.add(upload);
      this.#reserve(upload, expected(upload) - upload.bytes);
      upload.state = "reading";
      upload.checkedBytes = upload.slowChecks = 0;
      upload.since = this.#clock.monotonic();
      if (upload.ended) this.#hold(upload);
      else {
        upload.stream.socket.resume();
        upload.stream.resume();
      }
    }
  }

  #next(): Upload | undefined {
    let slow = 0;
    for (const upload of this.#placed) if (upload.returning) slow++;
    const [first, second] =
      slow < this.#places / RETURNING_SHARE ? [this.#returning, this.#fresh] : [this.#fresh, this.#returning];
    const queue = first.length > 0 ? first : second;
    const upload = queue[0];
    if (upload === undefined) return undefined;
    const fits = this.#held + this.#reserved + expected(upload) - upload.bytes <= this.#bytesMax;
    return fits || this.#placed.size + this.#acknowledging.size === 0 ? queue.shift() : undefined;
  }

  #hold(upload: Upload): void {
    upload.state = "held";
    this.#reserve(upload, 0);
    upload.done.resolve();
  }

  /** Others may be read while it waits for its acknowledgement; its bytes count until then. */
  #stored(upload: Upload): void {
    if (upload.state !== "held" || !this.#placed.delete(upload)) return;
    this.#acknowledging.add(upload);
    this.#give();
  }

  #leave(upload: Upload): void {
    if (upload.state === "gone") return;
    this.#forget(upload);
    this.#give();
  }

  #forget(upload: Upload): void {
    const queue = upload.returning ? this.#returning : this.#fresh;
    if (upload.state === "waiting") queue.splice(queue.indexOf(upload), 1);
    upload.state = "gone";
    this.#held -= upload.bytes;
    this.#reserve(upload, 0);
    this.#uploads.delete(upload);
    this.#placed.delete(upload);
    this.#acknowledging.delete(upload);
  }

  #fail(upload: Upload, error: AntiphonError): void {
    if (upload.state === "gone" || upload.state === "held") return;
    this.#forget(upload);
    upload.chunks.length = 0;
    upload.done.reject(error);
    discard(upload.stream);
    this.#give();
  }

  /** Ends the uploads that have been silent longest, until the memory that is left is enough. */
  #makeRoom(besides: Upload): boolean {
    const now = this.#clock.monotonic();
    const silent = [...this.#uploads].filter(
      ({ state, bytes, lastBytesAt }) =>
        (state === "idle" && bytes > 0) || (state === "reading" && now - lastBytesAt >= SILENT_MS),
    );
    for (const upload of silent.sort((a, b) => a.lastBytesAt - b.lastBytesAt)) {
      if (this.#held <= this.#bytesMax) return true;
      if (upload !== besides) this.#fail(upload, new AntiphonError("BODY_STALLED", "Others needed the memory."));
    }
    return this.#held <= this.#bytesMax;
  }

  #reserve(upload: Upload, bytes: number): void {
    this.#reserved += bytes - upload.reserved;
    upload.reserved = bytes;
  }

  /** Looks from time to time, while anybody waits, whether those that have a place use it. */
  #armPace(): void {
    if (this.#paceCheck) return;
    this.#paceCheck = setTimeout(() => {
      this.#paceCheck = undefined;
      for (const upload of this.#placed) this.#checkPace(upload);
      this.#give();
      if (this.#fresh.length + this.#returning.length > 0) this.#armPace();
    }, PACE_CHECK_MS).unref();
  }

  #checkPace(upload: Upload): void {
    if (upload.state !== "reading") return;
    const slow = upload.bytes - upload.checkedBytes < PACE_BYTES;
    upload.checkedBytes = upload.bytes;
    upload.slowChecks = slow ? upload.slowChecks + 1 : 0;
    if (upload.slowChecks < (upload.returning ? SLOW_CHECKS_LATER : SLOW_CHECKS_FIRST)) return;
    this.#placed.delete(upload);
    this.#reserve(upload, 0);
    upload.state = "idle";
    upload.returning = true;
  }

  #armDeadlines(): void {
    if (this.#deadlineCheck) return;
    this.#deadlineCheck = setTimeout(() => {
      this.#deadlineCheck = undefined;
      const now = this.#clock.monotonic();
      for (const upload of this.#uploads) {
        const sending = upload.state === "idle" || upload.state === "reading";
        if (!sending || upload.takenMs + now - upload.since < this.#bodyMs) continue;
        this.#fail(upload, new AntiphonError("BODY_STALLED", ""));
      }
      if (this.#uploads.size > 0) this.#armDeadlines();
    }, DEADLINE_CHECK_MS).unref();
  }
}
