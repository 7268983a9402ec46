// One look at a page: its requests as a browser sends them, all at once over connections that stay, until the last byte of the
// last answer; and how long its server's Redis was busy with the longest command of it.

import { Agent, request } from "node:http";
import type { RedisClient } from "../../../services/redis/connect.ts";

export interface Ask {
  readonly path: string;
  /** Of a POST. */
  readonly body?: object;
  /** Of a stream: it has told what there is when so many snapshots have come. */
  readonly until?: number;
}

export interface Look {
  readonly name: string;
  readonly origin: string;
  readonly prefix: string;
  readonly asks: readonly Ask[];
  readonly headers: Readonly<Record<string, string>>;
}

export interface Looked {
  /** From the first byte of the first request to the last one of the last answer, of each look, ms. */
  readonly took: readonly number[];
  readonly bytes: number;
}

/** As many as browsers open to one server. */
const agent = new Agent({ keepAlive: true, maxSockets: 6 });
const ANSWERED_MS = 60_000;
const EVENT = "event: now\n";
const WARMUPS = 3;
const LOOKS_MIN = 5;

/** One look after the other, for so long and at least a few times. */
export async function lookFor(look: Look, ms: number): Promise<Looked> {
  let bytes = 0;
  for (let n = 0; n < WARMUPS; n++) bytes = await lookOnce(look);
  const took: number[] = [];
  const end = performance.now() + ms;
  for (let at = performance.now(); at < end || took.length < LOOKS_MIN; at = performance.now()) {
    await lookOnce(look);
    took.push(performance.now() - at);
  }
  return { took, bytes };
}

/** @returns bytes of all answers */
export async function lookOnce(look: Look): Promise<number> {
  const sizes = await Promise.all(look.asks.map((one) => ask(look, one)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function ask({ origin, prefix, headers }: Look, { path, body, until }: Ask): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(`${origin}${prefix}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
      // A stream ends with its connection.
      ...(until === undefined ? { agent } : { agent: false }),
      timeout: ANSWERED_MS,
    });
    sent.once("error", reject).once("timeout", () => sent.destroy(new Error(`${path}: no answer`)));
    sent.once("response", (answer) => {
      if (answer.statusCode !== 200) return void sent.destroy(new Error(`${path}: ${answer.statusCode}`));
      let [bytes, events, rest] = [0, 0, ""];
      answer.setEncoding("latin1");
      answer.on("data", (text: string) => {
        bytes += text.length;
        if (until === undefined) return;
        const parts = (rest + text).split(EVENT);
        events += parts.length - 1;
        // One may come in two pieces.
        rest = parts.at(-1)?.slice(1 - EVENT.length) ?? "";
        if (events < until) return;
        resolve(bytes);
        answer.destroy();
      });
      answer.once("end", () => resolve(bytes)).once("error", reject);
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const BUSY_LOOKS = 20;

export interface Busy {
  /** Of each look: how long its longest command took, ms. */
  readonly longest: readonly number[];
  /** The longest of all, as it was called. */
  readonly command: string;
}

/** By Redis' own account: SLOWLOG with every command of the clients whose names fit. A script is one command. */
export async function busyWith(client: RedisClient, look: Look, isMeant: (name: string) => boolean): Promise<Busy> {
  await client.config("SET", "slowlog-max-len", "100000");
  await client.config("SET", "slowlog-log-slower-than", "0");
  const longest: number[] = [];
  let [most, command] = [0, ""];
  for (let n = 0; n < BUSY_LOOKS; n++) {
    await client.slowlog("RESET");
    await lookOnce(look);
    const entries = (await client.slowlog("GET", -1)) as [number, number, number, string[], string, string][];
    const meant = entries.filter(([, , , , , name]) => isMeant(name));
    for (const [, , us, words] of meant) if (us > most) [most, command] = [us, words.slice(0, 4).join(" ")];
    longest.push(Math.max(0, ...meant.map(([, , us]) => us)) / 1000);
  }
  await client.config("SET", "slowlog-log-slower-than", "-1");
  return { longest, command };
}
