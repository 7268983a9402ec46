// The web chat in a terminal: what is typed is said, what is said is printed. `antiphon shell` and `antiphon dev` show it.

import { stripVTControlCharacters } from "node:util";
import { type ChatLine, ChatLines, type ChatOptions } from "./lines.ts";
import { Terminal } from "./terminal.ts";

export interface TalkOptions extends Omit<ChatOptions, "onLine" | "onState"> {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Ctrl-C or Ctrl-D. */
  onEnd(): void;
}

export interface Talk {
  /** Rejects when the server refuses us for good; resolves after `close`. */
  readonly ended: Promise<void>;
  /** Writes above the prompt. */
  print(text: string): void;
  close(): void;
}

export function talk(options: TalkOptions): Talk {
  const lines = new ChatLines({
    ...options,
    onLine: (line, own) => {
      // What was typed here stands in the terminal already.
      if (!own) terminal.print(lineText(line));
    },
    onState: (state, detail) => {
      if (state === "away") terminal.print(`-- ${options.url} is away (${detail}); trying again`);
      else if (wasAway) terminal.print("-- back again");
      wasAway = state === "away";
    },
  });
  let wasAway = false;
  const terminal = new Terminal({
    ...options,
    prompt: "> ",
    onText: (text) => {
      lines.send(text).catch((error: unknown) => terminal.print(`-- not sent: ${messageOf(error)}`));
    },
  });
  const ended = lines.run();
  return {
    ended,
    print: (text) => terminal.print(text),
    close: () => {
      lines.stop();
      terminal.close();
    },
  };
}

/** Chat text is other people's: it must not move our cursor. */
export function lineText(line: ChatLine): string {
  return stripVTControlCharacters(`${line.from}${line.edited ? " (edited)" : ""}: ${line.text}`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
