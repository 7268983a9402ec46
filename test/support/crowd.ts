// Thousands of streamed polls on one server: raw sockets that remember the end of what they were told.

import { connect, type Socket } from "node:net";

export interface CrowdOptions {
  readonly port: number;
  readonly size: number;
  readonly channel: string;
}

interface Member {
  readonly id: string;
  socket: Socket | undefined;
  /** What it was told at last, of this connection. */
  tail: string;
  head: string;
  isOpen: boolean;
  failed: boolean;
}

const AT_ONCE = 100;
const TAIL_CHARS = 200;

export class Crowd {
  readonly #options: CrowdOptions;
  readonly #members: Member[];
  #isComingBack = true;
  #opening = 0;
  #next = 0;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#members = Array.from({ length: options.size }, (_, n) => {
      return { id: `crowd${n}`, socket: undefined, tail: "", head: "", isOpen: false, failed: false };
    });
    for (let n = 0; n < AT_ONCE; n++) this.#openNext();
  }

  #openNext(): void {
    const member = this.#members[this.#next++];
    if (member !== undefined) this.#open(member);
  }

  #open(member: Member): void {
    this.#opening++;
    const body = `${encodeURIComponent(this.#options.channel)}=-1`;
    const socket = connect(this.#options.port, "127.0.0.1");
    Object.assign(member, { socket, tail: "", head: "", isOpen: false, failed: false });
    socket.write(
      `POST /message-bus/${member.id}/poll HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n` +
        `content-length: ${body.length}\r\n\r\n${body}`,
    );
    socket.on("data", (bytes) => this.#hear(member, bytes));
    socket.on("error", () => (member.failed = true));
    socket.on("close", () => {
      if (!member.isOpen) this.#opening--;
      member.isOpen = false;
      // A stream that is over is asked for again, as clients do.
      if (this.#isComingBack) this.#open(member);
    });
  }

  #hear(member: Member, bytes: Buffer): void {
    if (member.head === "") member.head = bytes.toString("latin1", 0, 15);
    member.tail = (member.tail + bytes.toString("latin1")).slice(-TAIL_CHARS);
    if (member.isOpen) return;
    member.isOpen = true;
    this.#opening--;
    if (this.#opening < AT_ONCE) this.#openNext();
  }

  get open(): number {
    return this.#members.filter(({ isOpen }) => isOpen).length;
  }

  /** Those whose last words contain this. */
  heard(text: string): number {
    return this.#members.filter(({ tail }) => tail.includes(text)).length;
  }

  /** From now on what ends stays so. */
  stay(): void {
    this.#isComingBack = false;
  }

  /** Ended as a stream ends: an empty array, and the end of the answer. */
  get endedWell(): number {
    return this.#members.filter(({ tail, failed }) => !failed && tail.endsWith("7\r\n[]\r\n|\r\n\r\n0\r\n\r\n")).length;
  }

  leave(): void {
    this.stay();
    for (const { socket } of this.#members) socket?.destroy();
  }
}
