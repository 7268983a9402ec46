// Draws frames over one another in a terminal, and gives it back as it was.

export interface ScreenOptions {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  /** q, Escape or Ctrl-C. */
  readonly onEnd: () => void;
}

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";
const KEYS = new Set(["q", "Q", "\u001b", "\u0003", "\u0004"]);

export class Screen {
  readonly #options: ScreenOptions;
  readonly #onKey = (key: Buffer): void => {
    if (KEYS.has(key.toString())) this.#options.onEnd();
  };

  constructor(options: ScreenOptions) {
    this.#options = options;
    const { input, output } = options;
    output.write(ENTER);
    if (input.isTTY) input.setRawMode(true);
    input.on("data", this.#onKey);
    input.resume();
  }

  get size(): { readonly width: number; readonly height: number } {
    const { columns, rows } = this.#options.output;
    // A terminal that does not know its size says 0.
    return { width: columns || 80, height: rows || 24 };
  }

  draw(lines: readonly string[]): void {
    const text = lines.map((line) => `${line}${CLEAR_LINE}`).join("\r\n");
    this.#options.output.write(`${HOME}${text}${CLEAR_BELOW}`);
  }

  close(): void {
    const { input, output } = this.#options;
    input.off("data", this.#onKey);
    if (input.isTTY) input.setRawMode(false);
    input.pause();
    output.write(LEAVE);
  }
}
