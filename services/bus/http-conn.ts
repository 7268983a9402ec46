// The HTTP connection of a stream. It holds on to its request only until the answer begins.

import type { Random } from "../runtime/clock.ts";
import type { CloseReason, Conn } from "./face.ts";
import type { Asking } from "./door.ts";
import type { Wire } from "./wire.ts";

const LIFE = { leastMs: 60_000, spreadMs: 60_000 } as const;

/**
 * How long a stream may stay: so that those of a process that is new get their share, and that who asks is looked at anew.
 */
export function streamLifeMs(random: Random): number {
  return LIFE.leastMs + random() * LIFE.spreadMs;
}

export interface HttpConn extends Conn {
  /** To be called when nothing more can be sent. */
  gone: () => void;
}

export abstract class StreamConn implements HttpConn {
  gone: () => void = () => {};
  #asking: Asking | undefined;
  #wire: Wire | undefined;

  constructor(asking: Asking) {
    this.#asking = asking;
    asking.response.once("close", this.#unanswered);
  }

  /** It left before it was answered. */
  readonly #unanswered = (): void => this.gone();

  /** Begins the answer. */
  protected abstract open(asking: Asking): Wire;

  /** What stands at the end of every answer. */
  protected abstract lastWords(): Buffer | undefined;

  send(frame: Buffer): void {
    const asking = this.#asking;
    if (asking !== undefined) {
      this.#asking = undefined;
      asking.response.off("close", this.#unanswered);
      if (asking.response.destroyed) return this.gone();
      this.#wire = this.open(asking);
    }
    this.#wire?.write(frame);
  }

  get bytesQueued(): number {
    return this.#wire?.bytesQueued ?? 0;
  }

  close(reason: CloseReason): void {
    const wire = this.#wire;
    if (wire === undefined) return;
    if (reason === "slow") return wire.destroy();
    const last = this.lastWords();
    if (last !== undefined) wire.write(last);
    wire.end();
  }
}
