// The process that holds the streams of a benchmark. It reads bytes and counts messages in them, the same way for every
// subject, so that no client's parser is measured.

import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { CHANNEL, type FromLoad, NEEDLE, type Speech, STAMP_DIGITS, stampNow, type ToLoad } from "./protocol.ts";

const AT_ONCE = 50;
const SAMPLE_EVERY = 16;
const POLL_MS = 2;
const LATE_MS = 60_000;
const needle = Buffer.from(NEEDLE);
const LONGEST = NEEDLE.length + STAMP_DIGITS;

const streams: Stream[] = [];
const tally = { counted: 0, lastAt: 0, latenciesMs: [] as number[] };

class Stream {
  readonly socket: Socket;
  readonly isOpen: Promise<void>;
  #isJoining = false;
  #tail: Buffer = Buffer.alloc(0);

  constructor(port: number, speech: Speech, number: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.setNoDelay(true);
    this.socket.on("error", () => {});
    this.socket.write(request(speech, number));
    this.isOpen = new Promise((resolve) => {
      let said = "";
      const first = (bytes: Buffer): void => {
        said += bytes.toString("latin1");
        if (speech === "websocket" && said.includes('0{"sid"') && !said.includes('40{"sid"')) this.#join();
        if (!isAnswered(speech, said)) return;
        this.socket.off("data", first);
        this.socket.on("data", (more) => this.#count(more));
        resolve();
      };
      this.socket.on("data", first);
    });
  }

  /** Socket.IO's own hello, in a masked frame. */
  #join(): void {
    if (this.#isJoining) return;
    this.#isJoining = true;
    this.socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]));
  }

  #count(bytes: Buffer): void {
    const all = this.#tail.length === 0 ? bytes : Buffer.concat([this.#tail, bytes]);
    let from = 0;
    for (let at = all.indexOf(needle); at !== -1; at = all.indexOf(needle, from)) {
      if (at + LONGEST > all.length) break;
      from = at + LONGEST;
      if (++tally.counted % SAMPLE_EVERY === 0) {
        tally.latenciesMs.push((stampNow() - Number(all.toString("latin1", at + NEEDLE.length, from))) / 1_000);
      }
    }
    this.#tail = all.subarray(Math.max(from, all.length - LONGEST + 1));
    tally.lastAt = performance.now();
  }
}

function request(speech: Speech, number: number): string {
  if (speech === "poll") {
    const body = new URLSearchParams({ [CHANNEL]: "-1", __seq: "1" }).toString();
    const head = ["Host: x", "Content-Type: application/x-www-form-urlencoded", `Content-Length: ${body.length}`];
    return [`POST /message-bus/bench${number}/poll HTTP/1.1`, ...head, "", body].join("\r\n");
  }
  if (speech !== "websocket") return "GET /bench HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";
  const key = randomBytes(16).toString("base64");
  const head = ["Host: x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  return ["GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", ...head, `Sec-WebSocket-Key: ${key}`, "", ""].join(
    "\r\n",
  );
}

function isAnswered(speech: Speech, said: string): boolean {
  if (speech === "poll") return said.includes("__status");
  if (speech === "websocket") return said.includes('40{"sid"');
  return /\r\n\r\n[^]/.test(said);
}

async function open({ port, speech, streams: count }: Extract<ToLoad, { type: "open" }>): Promise<void> {
  let number = 0;
  const one = async (): Promise<void> => {
    while (number < count) {
      const stream = new Stream(port, speech, number++);
      streams.push(stream);
      await stream.isOpen;
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, one));
}

/** From the call until so many messages have come. */
async function count(deliveries: number): Promise<FromLoad> {
  Object.assign(tally, { counted: 0, latenciesMs: [] });
  const startedAt = performance.now();
  while (tally.counted < deliveries && performance.now() - startedAt < LATE_MS) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const { counted, lastAt, latenciesMs } = tally;
  return { type: "counted", deliveries: counted, ms: lastAt - startedAt, latenciesMs };
}

process.once("disconnect", () => process.exit(0));
process.on("message", (message: ToLoad) => {
  if (message.type === "open") void open(message).then(() => process.send?.({ type: "opened" } satisfies FromLoad));
  else if (message.type === "stall") streams[0]?.socket.pause();
  else void count(message.deliveries).then((told) => process.send?.(told));
});
