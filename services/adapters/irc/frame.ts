// Bytes of a socket to texts of lines. Memory is bounded whatever is sent: what is longer than any line is thrown away
// up to its end, and told.

import { isUtf8 } from "node:buffer";

/** Tags may have 8191 bytes, what follows them 512 or what the server says; with room for the generous. */
export const LINE_BYTES_MAX = 16_384;

const LF = 10;

export class Frame {
  /** Lines that were too long to be kept. */
  overlong = 0;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #skipping = false;

  /** Every complete line in `bytes`, without its end, empty ones left out. */
  *push(bytes: Buffer): Generator<string> {
    let from = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      const text = this.#line(bytes.subarray(from, end));
      from = end + 1;
      if (text !== "") yield text;
    }
    this.#hold(bytes.subarray(from));
  }

  #line(last: Buffer): string {
    this.#hold(last);
    const line = this.#skipping ? Buffer.alloc(0) : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.#skipping = false;
    return decode(line);
  }

  #hold(bytes: Buffer): void {
    if (bytes.length === 0 || this.#skipping) return;
    if (this.#heldBytes + bytes.length > LINE_BYTES_MAX) {
      this.overlong++;
      this.#skipping = true;
      this.#held = [];
      this.#heldBytes = 0;
      return;
    }
    // A copy: a slice would keep the whole chunk that came from the socket.
    this.#held.push(Buffer.from(bytes));
    this.#heldBytes += bytes.length;
  }
}

/** What is no UTF-8 is read as Latin-1, as people with old clients mean it. */
function decode(line: Buffer): string {
  const text = isUtf8(line) ? line.toString("utf8") : line.toString("latin1");
  return text.replaceAll(/[\r\0]/g, "");
}
