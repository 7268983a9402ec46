// Who lost rights, told to every process: a bus message of our own. Until it is heard, what may be read is asked anew every
// minute anyway.

import type { Clock, Random } from "../runtime/clock.ts";
import { Loop } from "../runtime/loop.ts";
import type { Part } from "../runtime/part.ts";
import type { Bus } from "./bus.ts";
import type { Door } from "./door.ts";
import { listen } from "./local.ts";
import type { Stream } from "./stream.ts";

/** Every process reads it for itself. */
export const REVOKED = "/__revoked";
const TRY_MS = 1_000;

export class Revocations implements Part {
  readonly name = "bus revocations";
  readonly #bus: Bus;
  readonly #door: Door;
  readonly #loop: Loop;
  #stream: Stream | undefined;

  constructor({ bus, door, clock, random }: { bus: Bus; door: Door; clock: Clock; random: Random }) {
    this.#bus = bus;
    this.#door = door;
    const tick = (): Promise<void> => this.#keepListening();
    // That the server is away is told by its connection.
    this.#loop = new Loop({ name: this.name, intervalMs: TRY_MS, tick, onError: () => {}, clock, random });
  }

  async start(): Promise<void> {
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    this.#stream?.leave();
  }

  /** Their streams end here at once, and elsewhere when they hear of it. */
  async revoke(user: string): Promise<void> {
    this.#door.revoke(user);
    await this.#bus.publish(REVOKED, Buffer.from(JSON.stringify(user)));
  }

  async #keepListening(): Promise<void> {
    if (this.#stream?.isClosed === false || this.#bus.isStopping) return;
    const listening = { channel: REVOKED, listener: this.#heard, from: { kind: "now" } as const };
    this.#stream = await listen(this.#bus, listening, { decode: JSON.parse, onError: () => {} });
  }

  readonly #heard = ({ data }: { readonly data: unknown }): void => this.#door.revoke(String(data));
}
