// Words on their way: which of them the server has confirmed. The best sign that it offers is used:
// a label on the answer, else our own echo, else the answer to a PING that was sent behind the words.
//
// Promised: exactly one outcome each. `ambiguous` when it was written and the connection ended before a sign came.

import type { ActionOutcome } from "../../sdk/adapter.ts";
import type { Isupport } from "./isupport.ts";
import { formatLine, type Line } from "./line.ts";
import type { Outgoing } from "./outgoing.ts";
import { failureOf } from "./failure.ts";

export interface Words {
  /** For the tag by which the words can be recognised later. */
  readonly actionId: string;
  /** A channel or a nick, as the server will name it in errors. */
  readonly target: string;
  readonly command: string;
  /** The parameters of each line. */
  readonly lines: readonly (readonly string[])[];
}

export interface SayingsOptions {
  readonly outgoing: Outgoing;
  readonly isupport: Isupport;
  readonly has: (capability: string) => boolean;
  /** Whether we are in a channel that we should be in; if not, a refusal is a matter of time. */
  readonly isAway: (target: string) => boolean;
}

/** What is said, as opposed to JOIN, TOPIC … */
const SPEECH: ReadonlySet<string> = new Set(["PRIVMSG", "NOTICE"]);

interface Saying {
  readonly words: Words;
  readonly lane: string;
  readonly settle: (outcome: ActionOutcome) => void;
  /** Lines without a sign. */
  open: number;
  written: number;
  messageId?: string;
}

type Sign = "label" | "echo" | "ping";

/** Vendor tag: other clients pass it by, and servers with history keep it. */
export const ACTION_TAG = "+antiphon.dev/action";
const LABELS_MAX = 200;

export class Sayings {
  readonly #options: SayingsOptions;
  readonly #sayings = new Set<Saying>();
  /** Label or PING text -> whose. */
  readonly #marks = new Map<string, Saying>();
  /** References of batches that answer a label. */
  readonly #batches = new Map<string, string>();
  #count = 0;
  #over = false;

  constructor(options: SayingsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sayings.size;
  }

  /** Never rejects. When `signal` aborts, what is not written stays unwritten. */
  say(words: Words, signal: AbortSignal): Promise<ActionOutcome> {
    if (this.#over || signal.aborted) return Promise.resolve(unsaid("not connected"));
    return new Promise((resolve) => {
      const lane = `${words.target} ${++this.#count}`;
      const stop = (): void => this.#giveUp(saying, "stopped while waiting");
      const settle = (outcome: ActionOutcome): void => {
        signal.removeEventListener("abort", stop);
        this.#forget(saying);
        resolve(outcome);
      };
      const saying: Saying = { words, lane, settle, open: words.lines.length, written: 0 };
      this.#sayings.add(saying);
      signal.addEventListener("abort", stop, { once: true });
      this.#write(saying);
    });
  }

  /** Every line that comes. True when it was a sign for words of ours and means nothing else. */
  heard(line: Line): boolean {
    const label = this.#labelOf(line);
    if (label !== undefined) return this.#labelled(label, line);
    if (line.command === "PONG") return this.#ponged(line.params.at(-1) ?? "");
    return this.#failed(line);
  }

  /** Our own words, told back. Answers the Action that they are of. */
  echoed(line: Line): string | undefined {
    const tagged = line.tags.get(ACTION_TAG);
    const target = line.params[0] ?? "";
    const found = [...this.#sayings].find(({ words }) =>
      tagged === undefined ? this.#isSame(words.target, target) : words.actionId === tagged,
    );
    if (found && this.#signFor(found.words) === "echo") this.#confirm(found, line.tags.get("msgid"));
    return tagged ?? found?.words.actionId;
  }

  /** The connection is over. */
  close(): void {
    this.#over = true;
    for (const saying of this.#sayings) this.#giveUp(saying, "the connection was lost");
  }

  #signFor(words: Words): Sign {
    const { has } = this.#options;
    if (has("labeled-response") && has("batch")) return "label";
    return has("echo-message") && words.command === "PRIVMSG" ? "echo" : "ping";
  }

  #write(saying: Saying): void {
    const { words, lane } = saying;
    const sign = this.#signFor(words);
    const canTag = this.#options.has("message-tags") && words.command === "PRIVMSG";
    for (const [index, params] of words.lines.entries()) {
      // The last alone: who finds it later knows that all of them were said.
      const isLast = index === words.lines.length - 1;
      const tags: Record<string, string> = canTag && isLast ? { [ACTION_TAG]: words.actionId } : {};
      if (sign === "label") tags["label"] = this.#mark(saying);
      const line = formatLine(words.command, params, tags);
      const written = (): void => this.#written(saying, sign);
      if (!this.#options.outgoing.push(lane, line, written)) return this.#giveUp(saying, "too much waits to be said");
    }
  }

  #written(saying: Saying, sign: Sign): void {
    saying.written++;
    if (sign !== "ping" || saying.written < saying.words.lines.length) return;
    saying.open = 1;
    this.#options.outgoing.urgent(formatLine("PING", [this.#mark(saying)]));
  }

  #mark(saying: Saying): string {
    const mark = `a${++this.#count}`;
    this.#marks.set(mark, saying);
    return mark;
  }

  /** Of the line, or of the batch that it stands in. */
  #labelOf({ command, params, tags }: Line): string | undefined {
    const label = tags.get("label");
    if (command === "BATCH" && params[0]?.startsWith("+") && label !== undefined) {
      if (this.#batches.size < LABELS_MAX) this.#batches.set(params[0].slice(1), label);
    }
    return label ?? this.#batches.get(tags.get("batch") ?? "");
  }

  #labelled(label: string, line: Line): boolean {
    const saying = this.#marks.get(label);
    if (line.command === "BATCH" || saying === undefined) return false;
    const failure = failureOf(line, this.#isAway(saying));
    if (failure) {
      saying.settle(failure);
      return true;
    }
    // An ACK says that it is done; a numeric beside it (301: the person is away) says nothing of it.
    if (line.command !== saying.words.command && line.command !== "ACK") return false;
    this.#marks.delete(label);
    this.#confirm(saying, line.tags.get("msgid"));
    return line.command === "ACK";
  }

  #ponged(text: string): boolean {
    const saying = this.#marks.get(text);
    if (saying) this.#confirm(saying, undefined);
    return saying !== undefined;
  }

  /** Without labels an error names its target; it is of the words said there first. */
  #failed(line: Line): boolean {
    for (const saying of this.#sayings) {
      if (saying.written === 0) continue;
      const failure = failureOf(line, this.#isAway(saying));
      if (!failure) return false;
      if (!line.params.slice(0, -1).some((param) => this.#isSame(param, saying.words.target))) continue;
      saying.settle(failure);
      return true;
    }
    return false;
  }

  #confirm(saying: Saying, messageId: string | undefined): void {
    if (messageId !== undefined) saying.messageId ??= messageId;
    if (--saying.open > 0) return;
    saying.settle(saying.messageId === undefined ? { ok: true } : { ok: true, messageId: saying.messageId });
  }

  #giveUp(saying: Saying, error: string): void {
    saying.settle(saying.written === 0 ? unsaid(error) : { ok: false, kind: "ambiguous", error });
  }

  #forget(saying: Saying): void {
    this.#sayings.delete(saying);
    this.#options.outgoing.drop(saying.lane);
    for (const [mark, whose] of this.#marks) if (whose === saying) this.#marks.delete(mark);
    for (const [batch, label] of this.#batches) if (!this.#marks.has(label)) this.#batches.delete(batch);
  }

  #isAway(saying: Saying): boolean {
    return SPEECH.has(saying.words.command) && this.#options.isAway(saying.words.target);
  }

  #isSame(one: string, other: string): boolean {
    return this.#options.isupport.isSame(one, other);
  }
}

function unsaid(error: string): ActionOutcome {
  return { ok: false, kind: "transient", error };
}
