// Says `ping` at a steady pace, whatever becomes of the pings before, and measures how long the pong takes: in the web chat
// (POST to event) and in the fake chat service (said to posted), by turns. A process of its own, so that nothing else is in
// its loop.

import { randomUUID } from "node:crypto";
import { Agent, get, request } from "node:http";
import { FakeChat } from "../../support/fake-chat.ts";
import { quantile } from "../statistics.ts";
import type { FromPings, Pinged, ToPings } from "./pings-protocol.ts";

/** In each of the two chats. */
const EVERY_MS = 50;
/** As many pings may be under way; what is due beyond that waits, and the wait counts. */
const SESSIONS = 48;
const LATE_MS = 5_000;
const TEXT = "antiphon ping";
const PONG = "pong";

/** Pings of one kind: sessions that are free take what is due. */
class Series {
  readonly #say: (session: number) => void;
  readonly #free = Array.from({ length: SESSIONS }, (_, index) => index);
  readonly #dueAt = new Map<number, number>();
  #waiting: number[] = [];
  #latencies: number[] = [];
  #since = 0;

  constructor(say: (session: number) => void) {
    this.#say = say;
  }

  /** Counted from now, also when it has to wait for a session. */
  ping(): void {
    this.#waiting.push(performance.now());
    this.#start();
  }

  pong(session: number): void {
    const at = this.#dueAt.get(session);
    if (at === undefined) return;
    this.#dueAt.delete(session);
    if (at >= this.#since) this.#latencies.push(performance.now() - at);
    this.#free.push(session);
    this.#start();
  }

  forget(): void {
    this.#since = performance.now();
    this.#latencies = [];
  }

  get unanswered(): number {
    return [...this.#dueAt.values(), ...this.#waiting].filter((at) => at >= this.#since).length;
  }

  get result(): Pinged {
    const all = this.#latencies;
    const { unanswered } = this;
    return { p50: quantile(all, 0.5), p99: quantile(all, 0.99), max: quantile(all, 1), count: all.length, unanswered };
  }

  #start(): void {
    while (this.#waiting.length > 0) {
      const session = this.#free.shift();
      if (session === undefined) return;
      this.#dueAt.set(session, this.#waiting.shift() as number);
      this.#say(session);
    }
  }
}

const chat = await FakeChat.start();
let port = 0;
/** One connection per session, opened before the load: a person in a web chat has one too. */
const agents = Array.from({ length: SESSIONS }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
const inChat = new Series((session) => chat.say({ room: `r${session}`, user: `u${session}`, text: TEXT }));
const inWeb = new Series((session) => {
  const headers = { "content-type": "application/json" };
  const asked = request({
    agent: agents[session],
    port,
    host: "127.0.0.1",
    method: "POST",
    path: `/chat/s${session}/messages`,
    headers,
  });
  asked.on("response", (answer) => answer.resume()).on("error", () => {});
  asked.end(JSON.stringify({ id: randomUUID(), text: TEXT }));
});

const happen = chat.happen.bind(chat);
chat.happen = (event) => {
  if (event.text === PONG) inChat.pong(Number(event.room?.slice(1)));
  return happen(event);
};

/** Resolves when the stream of the session has begun. */
function listen(session: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = get(
      { port, host: "127.0.0.1", agent: false, path: `/chat/s${session}/events?recent=0` },
      (stream) => {
        stream.setEncoding("utf8");
        let rest = "";
        stream.on("data", (text: string) => {
          const blocks = (rest + text).split("\n\n");
          rest = blocks.pop() ?? "";
          for (const block of blocks) if (block.includes(`"text":"${PONG}"`)) inWeb.pong(session);
          resolve();
        });
      },
    );
    asked.once("error", reject);
  });
}

/** Resolves when each session has been answered once. */
async function open(): Promise<void> {
  for (let session = 0; session < SESSIONS; session++) await listen(session);
  while (chat.connected.length === 0) await sleep(10);
  for (let session = 0; session < SESSIONS; session++) for (const series of [inWeb, inChat]) series.ping();
  while (inWeb.unanswered + inChat.unanswered > 0) await sleep(10);
}

let timer: NodeJS.Timeout | undefined;

/** That this process wakes late is not the bot's doing: it delays a ping and is no part of its time. */
function pace(nextAt: number, series: readonly [Series, Series]): void {
  let [now, other] = series;
  let at = nextAt;
  for (; at <= performance.now(); at += EVERY_MS / 2) {
    now.ping();
    [now, other] = [other, now];
  }
  timer = setTimeout(() => pace(at, [now, other]), Math.max(1, at - performance.now()));
}

async function finish(): Promise<void> {
  const late = performance.now() + LATE_MS;
  while (inWeb.unanswered + inChat.unanswered > 0 && performance.now() < late) await sleep(5);
  post({ type: "result", web: inWeb.result, chat: inChat.result });
}

async function hear(message: ToPings): Promise<void> {
  if (message.type === "open") {
    ({ port } = message);
    await open();
    pace(performance.now(), [inWeb, inChat]);
    post({ type: "open" });
  } else if (message.type === "measure") {
    inWeb.forget();
    inChat.forget();
  } else {
    clearTimeout(timer);
    await finish();
  }
}

function post(message: FromPings): void {
  process.send?.(message);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

process.on("message", (message) => void hear(message as ToPings));
process.once("disconnect", () => process.exit(0));
post({ type: "listening", chatPort: Number(new URL(chat.url).port) });
