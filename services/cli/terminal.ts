// A conversation in a terminal: a prompt at the bottom that lines printed meanwhile do not garble.

import { createInterface, cursorTo, type Interface, moveCursor, clearScreenDown } from "node:readline";

export interface TerminalOptions {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly prompt: string;
  /** Something was typed that is not only white space. */
  onText(text: string): void;
  /** Ctrl-C or Ctrl-D. */
  onEnd(): void;
}

export class Terminal {
  readonly #options: TerminalOptions;
  readonly #readline: Interface;
  #closed = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
    const { input, output, prompt } = options;
    this.#readline = createInterface({ input, output, prompt, terminal: true, historySize: 200 });
    this.#readline.on("line", (text) => this.#typed(text));
    this.#readline.on("SIGINT", () => options.onEnd());
    this.#readline.on("close", () => {
      if (!this.#closed) options.onEnd();
      this.#closed = true;
    });
    this.#readline.prompt();
  }

  /** Writes whole lines above the prompt; what is being typed stays. */
  print(text: string): void {
    const { output } = this.#options;
    if (!this.#closed) {
      const { rows } = this.#readline.getCursorPos();
      moveCursor(output, 0, -rows);
      cursorTo(output, 0);
      clearScreenDown(output);
    }
    output.write(text.endsWith("\n") ? text : `${text}\n`);
    if (!this.#closed) this.#readline.prompt(true);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    cursorTo(this.#options.output, 0);
    clearScreenDown(this.#options.output);
    this.#readline.close();
  }

  #typed(text: string): void {
    if (text.trim() !== "") this.#options.onText(text.trim());
    if (!this.#closed) this.#readline.prompt();
  }
}
