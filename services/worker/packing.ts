// How runs and answers are packed on their way between main and a thread: structured clone pays for every property name of
// every object, for every string, and for the whole 64 KiB chunk behind every Buffer that was cut from a socket's data.

import type { Claim } from "../broker/claims.ts";
import { decodeElement } from "../broker/delivery.ts";
import type { Failure, Settled, ThreadClaim, ThreadRun } from "./protocol.ts";

type Value = string | number | null;

/**
 * One flat list. Of each run: queue and wid (null = those of the run before), slot, number of deliveries, serial of the
 * first, key, fence (null = that of the run before), failure (null, or code, detail, afterMs, route); then of each delivery
 * its element and where its body is: how many bytes of `bodies`, a token, or null.
 */
export interface PackedRuns {
  readonly flat: readonly Value[];
  /** The inline bodies, end to end. */
  readonly bodies: Uint8Array<ArrayBuffer>;
}

/** A claim with the serial that main gave it; those of a run follow each other. */
export interface NumberedClaim {
  readonly serial: number;
  readonly claim: Claim;
}

export interface OutgoingRun {
  readonly queue: string;
  readonly wid: string;
  readonly slot: number;
  readonly claims: readonly NumberedClaim[];
  readonly failed?: Failure;
}

/** `bodies.buffer` may be transferred. */
export function packRuns(runs: readonly OutgoingRun[]): PackedRuns {
  const flat: Value[] = [];
  let bytes = 0;
  for (const run of runs) for (const { claim } of run.claims) bytes += claim.body?.byteLength ?? 0;
  const bodies = new Uint8Array(bytes);
  let end = 0;
  let before: OutgoingRun | undefined;
  for (const run of runs) {
    packHead(flat, run, before);
    before = run;
    for (const { claim } of run.claims) {
      const { body, bodyToken } = claim;
      flat.push(claim.elementText, body?.byteLength ?? (bodyToken === "" ? null : bodyToken));
      if (body === null) continue;
      bodies.set(body, end);
      end += body.byteLength;
    }
  }
  return { flat, bodies };
}

function packHead(flat: Value[], run: OutgoingRun, before: OutgoingRun | undefined): void {
  const { queue, wid, slot, claims, failed } = run;
  const [first] = claims;
  if (before?.queue === queue && before.wid === wid) flat.push(null);
  else flat.push(queue, wid);
  const fence = first?.claim.fence ?? "";
  flat.push(slot, claims.length, first?.serial ?? 0, first?.claim.key ?? "");
  flat.push(before?.claims[0]?.claim.fence === fence ? null : fence);
  if (failed === undefined) flat.push(null);
  else flat.push(failed.code, failed.detail, failed.afterMs, failed.route ?? 0);
}

export function unpackRuns(packed: PackedRuns): ThreadRun[] {
  const reading = new Reading(packed);
  const runs: ThreadRun[] = [];
  while (!reading.isOver) runs.push(reading.run());
  return runs;
}

class Reading {
  readonly #flat: readonly Value[];
  readonly #bodies: Uint8Array<ArrayBuffer>;
  #at = 0;
  #end = 0;
  #queue = "";
  #wid = "";
  #fence = "";

  constructor({ flat, bodies }: PackedRuns) {
    this.#flat = flat;
    this.#bodies = bodies;
  }

  get isOver(): boolean {
    return this.#at >= this.#flat.length;
  }

  run(): ThreadRun {
    const queue = this.#next();
    if (queue !== null) {
      this.#queue = queue as string;
      this.#wid = this.#next() as string;
    }
    const slot = this.#next() as number;
    const count = this.#next() as number;
    const serial = this.#next() as number;
    const key = this.#next() as string;
    this.#fence = (this.#next() as string | null) ?? this.#fence;
    const failed = this.#failure();
    const claims: ThreadClaim[] = [];
    for (let index = 0; index < count; index++) claims.push(this.#claim(serial + index, key));
    const run = { queue: this.#queue, wid: this.#wid, slot, claims };
    return failed === undefined ? run : { ...run, failed };
  }

  #next(): Value {
    return this.#flat[this.#at++] ?? null;
  }

  #failure(): Failure | undefined {
    const code = this.#next();
    if (code === null) return undefined;
    const [detail, afterMs, route] = [this.#next(), this.#next(), this.#next()];
    return { code, detail, afterMs, ...(route === 0 ? {} : { route }) } as Failure;
  }

  #claim(serial: number, key: string): ThreadClaim {
    const elementText = this.#next() as string;
    const place = this.#next();
    const element = decodeElement(elementText);
    const body = typeof place === "number" ? this.#body(place) : null;
    const bodyToken = typeof place === "string" ? place : "";
    return { serial, id: element.id, fence: this.#fence, elementText, key, bodyToken, body, element };
  }

  #body(bytes: number): Buffer {
    const { buffer, byteOffset } = this.#bodies;
    const body = Buffer.from(buffer, byteOffset + this.#end, bytes);
    this.#end += bytes;
    return body;
  }
}

/** What came of deliveries, in order. Most are done and say nothing more: of those two lines of text, of the others themselves. */
export interface PackedAnswers {
  readonly serials: readonly number[];
  /** Origin and history of each, a line each; two empty ones for each of `others`. */
  readonly lines: string;
  readonly others: readonly Settled[];
}

export function packAnswers(list: readonly Settled[]): PackedAnswers {
  const serials: number[] = [];
  const lines: string[] = [];
  const others: Settled[] = [];
  for (const settled of list) {
    serials.push(settled.serial);
    if (isPlain(settled)) {
      lines.push(settled.origin, settled.history);
    } else {
      lines.push("", "");
      others.push(settled);
    }
  }
  return { serials, lines: lines.join("\n"), others };
}

function isPlain({ kind, effects, origin, history, delayMs, error, trace }: Settled): boolean {
  const isMore = effects.length > 0 || delayMs !== undefined || error !== undefined || trace !== undefined;
  const saysMore = isMore || history.includes("\n");
  return kind === "done" && origin !== "" && !saysMore;
}

const NOTHING: Settled["effects"] = Object.freeze([]);

export function unpackAnswers({ serials, lines, others }: PackedAnswers): Settled[] {
  const texts = lines.split("\n");
  let other = 0;
  return serials.map((serial, index): Settled => {
    const origin = texts[2 * index] ?? "";
    if (origin === "") return others[other++] as Settled;
    return { serial, kind: "done", origin, effects: NOTHING, history: texts[2 * index + 1] ?? "" };
  });
}
