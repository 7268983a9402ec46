// What a job needs before it can be enqueued, and an event before it can be emitted: options read, value checked and
// written as JSON. Shared by handlers and by programs that are none.

import type { EnqueueOptions, Job } from "./context.ts";
import { readEnqueueOptions, type ReadOptions } from "./enqueue-options.ts";
import type { Schema } from "./infer.ts";
import { jsonProblems } from "./json.ts";
import { runSchema } from "./schema.ts";

/** Everything that is wrong, under the code of what was found first. */
export interface Refused {
  readonly ok: false;
  readonly code: RefusalCode;
  readonly detail: string;
}

export type RefusalCode = "OPTIONS_INVALID" | "VALUE_NOT_JSON" | "INPUT_INVALID" | "VALUE_TOO_LARGE";

export type Prepared<T> = { readonly ok: true; readonly value: T } | Refused;

export interface ToEnqueue extends ReadOptions {
  /** JSON, or empty for undefined. */
  readonly payload: string;
}

export interface JobCall {
  readonly job: Job;
  readonly input: unknown;
  readonly options: EnqueueOptions;
  readonly random: () => number;
}

const PAYLOAD_BYTES_MAX = 512 * 1024;

/** Throws only what the schema itself throws. */
export async function prepareJob({ job, input, options, random }: JobCall): Promise<Prepared<ToEnqueue>> {
  const found = new Found();
  const read = readEnqueueOptions({ job, options, random }, (text) => found.add("OPTIONS_INVALID", text));
  const payload = await readPayload({ name: "input", schema: job.input, value: input }, found);
  return found.answer(`job ${job.name}`, { ...read, payload });
}

export interface EventCall {
  readonly event: { readonly name: string; readonly payload: Schema };
  readonly payload: unknown;
}

/** Throws only what the schema itself throws. */
export async function prepareEvent({ event, payload }: EventCall): Promise<Prepared<string>> {
  const found = new Found();
  const text = await readPayload({ name: "payload", schema: event.payload, value: payload }, found);
  return found.answer(`event ${event.name}`, text);
}

class Found {
  readonly #texts: string[] = [];
  #code: RefusalCode | undefined;

  add(code: RefusalCode, text: string): void {
    this.#code ??= code;
    this.#texts.push(text);
  }

  answer<T>(what: string, value: T): Prepared<T> {
    if (this.#code === undefined) return { ok: true, value };
    return { ok: false, code: this.#code, detail: `${what}: ${this.#texts.join("; ")}` };
  }
}

interface Named {
  readonly name: string;
  readonly schema: Schema;
  readonly value: unknown;
}

/** Given on is what the author wrote, so that the schema reads it once more on the other side. */
async function readPayload({ name, schema, value }: Named, found: Found): Promise<string> {
  const changes = value === undefined ? [] : jsonProblems(name, value);
  for (const text of changes) found.add("VALUE_NOT_JSON", text);
  const checked = await runSchema(schema, value);
  if (!checked.ok) for (const issue of checked.issues) found.add("INPUT_INVALID", issue);
  if (changes.length > 0) return "";
  const payload = JSON.stringify(value) ?? "";
  const isTooLarge = Buffer.byteLength(payload) > PAYLOAD_BYTES_MAX;
  if (isTooLarge) found.add("VALUE_TOO_LARGE", `its ${name} has more than ${PAYLOAD_BYTES_MAX} bytes`);
  return payload;
}
