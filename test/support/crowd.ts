// Thousands of readers on one server: raw sockets that remember the end of what they were told.

import { connect, type Socket } from "node:net";

export interface CrowdOptions {
  readonly port: number;
  readonly size: number;
  /** Of all of them, or of each by its number. */
  readonly channel: string | ((member: number) => string);
  /** A streamed poll unless said otherwise. One that is held says nothing until there is something to say. */
  readonly face?: "stream" | "poll" | "sse";
}

interface Member {
  readonly id: string;
  readonly channel: string;
  /** Where it stands; -1: where the channel stands. */
  position: string;
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
    const { size, channel, face = "stream" } = options;
    this.#members = Array.from({ length: size }, (_, n) => {
      const read = typeof channel === "string" ? channel : channel(n);
      return {
        id: `${face === "stream" ? "crowd" : face}${n}`,
        channel: read,
        position: "-1",
        socket: undefined,
        tail: "",
        head: "",
        isOpen: false,
        failed: false,
      };
    });
    for (let n = 0; n < AT_ONCE; n++) this.#openNext();
  }

  #openNext(): void {
    const member = this.#members[this.#next++];
    if (member !== undefined) this.#open(member);
  }

  #open(member: Member): void {
    this.#opening++;
    const socket = connect(this.#options.port, "127.0.0.1");
    Object.assign(member, { socket, tail: "", head: "", isOpen: false, failed: false });
    const { face = "stream" } = this.#options;
    socket.write(requestOf(member, face));
    if (face === "poll") socket.once("connect", () => this.#isThere(member));
    socket.on("data", (bytes) => this.#hear(member, bytes));
    socket.on("error", () => (member.failed = true));
    socket.on("close", () => {
      if (face === "poll") member.position = positionOf(member);
      if (!member.isOpen) this.#opening--;
      member.isOpen = false;
      // A stream that is over is asked for again, as clients do.
      if (this.#isComingBack) this.#open(member);
    });
  }

  #hear(member: Member, bytes: Buffer): void {
    if (member.head === "") member.head = bytes.toString("latin1", 0, 15);
    member.tail = (member.tail + bytes.toString("latin1")).slice(-TAIL_CHARS);
    this.#isThere(member);
  }

  #isThere(member: Member): void {
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

/** As an answer tells it. */
function positionOf({ tail, position }: Member): string {
  const [, said] =
    [...tail.matchAll(/"message_id":(\d+)/g)].at(-1) ?? /__status","data":\{"[^"]*":(\d+)/.exec(tail) ?? [];
  return said ?? position;
}

function requestOf({ id, channel, position }: Member, face: NonNullable<CrowdOptions["face"]>): string {
  const name = encodeURIComponent(channel);
  if (face === "sse") return `GET /bus/sse?channel=${name} HTTP/1.1\r\nhost: x\r\n\r\n`;
  const body = `${name}=${position}`;
  const head = [
    `POST /message-bus/${id}/poll HTTP/1.1`,
    "host: x",
    "content-type: application/x-www-form-urlencoded",
    `content-length: ${body.length}`,
    ...(face === "poll" ? ["dont-chunk: true"] : []),
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
