// How far a run is, for whoever looks: written now and then, of several values the last one.

import { AntiphonError } from "../runtime/errors.ts";
import type { Clock } from "../runtime/clock.ts";
import { jsonProblems } from "../sdk/json.ts";

export interface ProgressOptions {
  readonly clock: Clock;
  /** Writes it while the run owns its claim. */
  readonly write: (text: string) => Promise<unknown>;
}

const PAUSE_MS = 500;
const BYTES_MAX = 4096;

export class Progress {
  readonly #options: ProgressOptions;
  #latest: string | undefined;
  #isPausing = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  tell(value: unknown): void {
    const [problem] = jsonProblems("progress", value);
    if (problem !== undefined) throw new AntiphonError("VALUE_NOT_JSON", problem);
    const text = JSON.stringify(value);
    if (Buffer.byteLength(text) > BYTES_MAX)
      throw new AntiphonError("VALUE_TOO_LARGE", `progress may have ${BYTES_MAX} bytes.`);
    this.#latest = text;
    if (!this.#isPausing) void this.#writeAndPause();
  }

  /** The run ends: what was told last is written now. */
  async end(): Promise<void> {
    await this.#write();
  }

  async #writeAndPause(): Promise<void> {
    this.#isPausing = true;
    while (this.#latest !== undefined) {
      await this.#write();
      await this.#options.clock.sleep(PAUSE_MS);
    }
    this.#isPausing = false;
  }

  /** It is for people: that it could not be written is no failure of the run. */
  async #write(): Promise<void> {
    const text = this.#latest;
    this.#latest = undefined;
    if (text !== undefined) await this.#options.write(text).catch(() => {});
  }
}
