// One round of checks: runs a script on one thing at one moment, and keeps what it says.

import { type Argument, loadScript, type Reply, runScriptWith, text } from "../redis/scripts.ts";
import type { LargeValue } from "../redis/transaction.ts";
import { type BrokerContext, translate, withOffset } from "./connection.ts";
import { type Code, isHarmless, isMendable, sentenceOf } from "./doctor-sentences.ts";

const SCRIPTS = {
  key: loadScript(new URL("./lua/doctor-key.lua", import.meta.url)),
  worker: loadScript(new URL("./lua/doctor-worker.lua", import.meta.url)),
  copies: loadScript(new URL("./lua/doctor-copies.lua", import.meta.url)),
  letter: loadScript(new URL("./lua/doctor-letter.lua", import.meta.url)),
  stored: loadScript(new URL("./lua/doctor-stored.lua", import.meta.url)),
  body: loadScript(new URL("./lua/doctor-body.lua", import.meta.url)),
  origin: loadScript(new URL("./lua/doctor-origin.lua", import.meta.url)),
  held: loadScript(new URL("./lua/doctor-held.lua", import.meta.url)),
  entry: loadScript(new URL("./lua/doctor-entry.lua", import.meta.url)),
  litter: loadScript(new URL("./lua/doctor-litter.lua", import.meta.url)),
  meter: loadScript(new URL("./lua/doctor-meter.lua", import.meta.url)),
} as const;

export interface Finding {
  /** "" = of no queue. */
  readonly queue: string;
  readonly code: Code;
  /** A key, an id, a worker …, as the sentence names it. */
  readonly about: string;
  readonly sentence: string;
  /** A repair has put it right. */
  readonly mended: boolean;
  /** Ordinary life leaves it behind, and cleans it up in time. */
  readonly harmless: boolean;
}

export interface Check {
  readonly script: keyof typeof SCRIPTS;
  /** "" = of no queue. */
  readonly queue: string;
  readonly about: string;
  readonly args: readonly Argument[];
  readonly apart?: LargeValue;
}

/** More are counted, and mended, but not kept. */
const KEPT_MAX = 1000;

export class Checkup {
  readonly context: BrokerContext;
  readonly repair: boolean;
  readonly findings: Finding[] = [];
  /** Findings beyond those kept. */
  more = 0;
  /** What is not harmless. */
  problems = 0;

  readonly #signal: AbortSignal | undefined;

  constructor(context: BrokerContext, repair: boolean, signal?: AbortSignal) {
    this.context = context;
    this.repair = repair;
    this.#signal = signal;
  }

  /** @throws when it is told to end */
  goOn(): void {
    this.#signal?.throwIfAborted();
  }

  async check(check: Check): Promise<void> {
    for (const code of await this.#ask(check, this.repair)) this.found(code, check.queue, check.about);
  }

  /** Whether something is wrong just now; it is neither kept nor mended. */
  async probe(check: Check): Promise<boolean> {
    return (await this.#ask(check, false)).size > 0;
  }

  async #ask({ script, queue, args, apart }: Check, repair: boolean): Promise<Set<Code>> {
    const { keys, client } = this.context;
    const key = queue === "" ? keys.queues() : keys.queue(queue);
    const call = withOffset(this.context, {
      script: SCRIPTS[script],
      keys: [key],
      args: [repair ? "1" : "", ...args],
    });
    try {
      const codes = (await runScriptWith(client, apart ? [apart] : [], call)) as Reply[];
      return new Set(codes.map((said) => text(said) as Code));
    } catch (error) {
      throw translate(error);
    }
  }

  found(code: Code, queue: string, about: string): void {
    const mended = this.repair && isMendable(code);
    const harmless = isHarmless(code);
    if (!harmless) this.problems++;
    if (this.findings.length === KEPT_MAX) this.more++;
    else this.findings.push({ queue, code, about, sentence: sentenceOf(code, about, mended), mended, harmless });
  }
}
