// A message of the bus as it is stored and as it travels: the bytes of its data, and before them what only some messages have.
//
//   payload = [ETX global offset LF] [SOH targets as JSON LF] data          data begins with no control character

import type { Position } from "./position.ts";
import type { Targets } from "./targets.ts";

const SOH = 1;
const ETX = 3;
const LF = 10;

/** The same instance for all readers of this process, so that each face makes its bytes once. */
export class BusMessage implements Position {
  readonly epoch: string;
  readonly offset: number;
  /** What was published, encoded: JSON unless the bus has another codec. */
  readonly data: Buffer;
  readonly targets: Targets | undefined;
  /** By the server's clock, ms; undefined where the backend does not say. */
  readonly storedAt: number | undefined;
  /** Its offset in the index of all channels; 0 without one. */
  readonly globalOffset: number;
  /** By the face's slot. */
  readonly frames: (Buffer | undefined)[] = [];
  /** What the filters of its channel said, once asked. */
  passes: boolean | undefined;

  constructor({ epoch, offset }: Position, payload: Buffer, storedAt?: number) {
    this.storedAt = storedAt;
    this.epoch = epoch;
    this.offset = offset;
    let at = 0;
    this.globalOffset = 0;
    if (payload[0] === ETX) {
      at = payload.indexOf(LF) + 1;
      this.globalOffset = Number(payload.toString("latin1", 1, at - 1));
    }
    if (payload[at] === SOH) {
      const end = payload.indexOf(LF, at);
      this.targets = JSON.parse(payload.toString("utf8", at + 1, end)) as Targets;
      at = end + 1;
    }
    this.data = at === 0 ? payload : payload.subarray(at);
  }
}

/** Without targets it is the data alone. */
export function encodePayload(data: Buffer, targets: Targets | undefined): Buffer {
  if (targets === undefined) return data;
  return Buffer.concat([Buffer.from(`\u0001${JSON.stringify(targets)}\n`), data]);
}
