// What was said while we were away, where the server kept it: played at the join, or asked for. And whether that is all.

import type { ActionOutcome } from "../../sdk/adapter.ts";
import type { Action } from "../../sdk/action.ts";
import type { Line } from "./line.ts";
import { type Marks, missedSince, timeOf } from "./marks.ts";
import { isVariant } from "./nick.ts";
import { Playback } from "./playback.ts";
import type { Welcome } from "./registration.ts";
import { ACTION_TAG } from "./sayings.ts";

export interface HistoriesOptions {
  readonly welcome: Welcome;
  readonly wanted: string;
  /** As they were when the connection began. */
  readonly before: Marks;
  /** As they are. */
  readonly marks: Marks;
  readonly isOurs: (nick: string) => boolean;
}

interface History {
  lines: Line[];
  /** Asked for with success, so nothing is missing although the mark is not in it. */
  complete: boolean;
}

interface Answer {
  readonly lines: readonly Line[] | "refused";
}

const PAGE_MAX = 100;
const PAGES_MAX = 20;
const ANSWER_MS = 5_000;

export class Histories {
  readonly #options: HistoriesOptions;
  readonly #playback = new Playback();
  readonly #histories = new Map<string, History>();
  #waiting: { readonly channel: string; readonly answer: (answer: Answer) => void } | undefined;

  constructor(options: HistoriesOptions) {
    this.#options = options;
  }

  /** Undefined: not of a history. Else the lines of it that are to be told now; none while all is being caught up. */
  heard(line: Line, catchingUp: boolean): readonly Line[] | undefined {
    if (line.command === "FAIL" && line.params[0] === "CHATHISTORY") {
      this.#waiting?.answer({ lines: "refused" });
      return [];
    }
    const played = this.#playback.heard(line);
    if (played === undefined) return undefined;
    if (played === "held") return [];
    const channel = this.#options.welcome.isupport.fold(played.channel);
    if (this.#waiting?.channel === channel) this.#waiting.answer({ lines: played.lines });
    else if (!catchingUp) return this.#played(channel, played.lines);
    else this.#keep(channel, played.lines);
    return [];
  }

  /** Asks for what came after each mark, where the server can be asked; one channel after the other. */
  async ask(
    channels: ReadonlySet<string>,
    send: (line: string) => void,
    sleep: (ms: number) => Promise<void>,
  ): Promise<void> {
    const { capabilities, isupport } = this.#options.welcome;
    const can = capabilities.has("chathistory") || capabilities.has("draft/chathistory");
    if (!can || !capabilities.has("batch")) return;
    const pageSize = Math.min(PAGE_MAX, isupport.size("CHATHISTORY") || PAGE_MAX);
    for (const channel of channels) {
      const mark = this.#options.before.get(channel);
      if (mark === undefined) continue;
      const time = `timestamp=${new Date(mark.at).toISOString()}`;
      let after = mark.id !== undefined && this.#knowsIds ? `msgid=${mark.id}` : time;
      for (let page = 0; page < PAGES_MAX; page++) {
        const answer = this.#answered(channel, sleep);
        send(`CHATHISTORY AFTER ${channel} ${after} ${pageSize}`);
        const { lines } = await answer;
        if (lines === "refused" && after !== time && page === 0) {
          after = time;
          continue;
        }
        if (lines === "refused") break;
        const history = this.#keep(channel, lines);
        if (lines.length < pageSize) {
          history.complete = true;
          break;
        }
        const last = lines.at(-1);
        const id = last?.tags.get("msgid");
        if (last)
          after = id !== undefined && this.#knowsIds ? `msgid=${id}` : `timestamp=${last.tags.get("time") ?? ""}`;
      }
    }
  }

  missed(channel: string): readonly Line[] {
    const history = this.#histories.get(channel);
    return history ? missedSince(this.#options.before.get(channel), history.lines).lines : [];
  }

  isComplete(channel: string): boolean {
    const mark = this.#options.before.get(channel);
    const history = this.#histories.get(channel);
    if (mark === undefined || history?.complete) return true;
    return history !== undefined && missedSince(mark, history.lines).complete;
  }

  /** Was it said before this connection began? Known only where the history keeps our tag. */
  find(action: Action, channel: string): ActionOutcome | "absent" | "unknown" {
    const ours = (this.#histories.get(channel)?.lines ?? []).filter(({ source }) => this.#isOurs(source?.nick ?? ""));
    const found = ours.find((line) => line.tags.get(ACTION_TAG) === action.id);
    if (found) {
      const messageId = found.tags.get("msgid");
      return messageId === undefined ? { ok: true } : { ok: true, messageId };
    }
    const mark = this.#options.before.get(channel);
    const keepsTags = ours.length === 0 || ours.some((line) => line.tags.has(ACTION_TAG));
    return mark !== undefined && keepsTags && this.isComplete(channel) ? "absent" : "unknown";
  }

  close(): void {
    this.#waiting?.answer({ lines: "refused" });
  }

  get #knowsIds(): boolean {
    return this.#options.welcome.isupport.text("MSGREFTYPES")?.includes("msgid") ?? true;
  }

  #isOurs(nick: string): boolean {
    return this.#options.isOurs(nick) || isVariant(nick, this.#options.wanted);
  }

  /** Told at a join later on: what came after the last words that we heard there. */
  #played(channel: string, lines: readonly Line[]): readonly Line[] {
    const mark = this.#options.marks.get(channel);
    return mark === undefined ? [] : missedSince(mark, lines).lines;
  }

  #keep(channel: string, lines: readonly Line[]): History {
    const history = this.#histories.get(channel) ?? { lines: [], complete: false };
    const known = new Set(history.lines.map((line) => line.tags.get("msgid")).filter((id) => id !== undefined));
    const fresh = lines.filter((line) => !known.has(line.tags.get("msgid") ?? ""));
    history.lines = [...history.lines, ...fresh].sort((one, other) => timeOf(one, 0) - timeOf(other, 0));
    this.#histories.set(channel, history);
    return history;
  }

  async #answered(channel: string, sleep: (ms: number) => Promise<void>): Promise<Answer> {
    const answer = new Promise<Answer>((resolve) => (this.#waiting = { channel, answer: resolve }));
    const late = sleep(ANSWER_MS).then((): Answer => ({ lines: "refused" }));
    const given = await Promise.race([answer, late]);
    this.#waiting = undefined;
    return given;
  }
}
