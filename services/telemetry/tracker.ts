// One error tracker: sends reports one after another, in its own time. A tracker that is slow, away or full of reports holds
// up nobody: what does not fit into its queue is dropped, counted and told.

import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import type { Emit } from "./events.ts";
import type { Report } from "./report.ts";
import { sentryRequest } from "./sentry.ts";

/** Where reports come from. */
export interface About {
  readonly version: string;
  readonly release: string;
  readonly environment: string;
  /** The pod's or machine's name. */
  readonly server: string;
  readonly mode: string;
  readonly thread?: string;
}

export interface Outgoing {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface TrackerOptions {
  /** `sentry+https://key@host/project`, or where the report is posted as JSON. */
  readonly url: string;
  readonly about: About;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly random: Random;
}

const WAITING_MAX = 100;
const ANSWER_MS = 3_000;
const TRIES = 3;
const RETRY = { firstMs: 500, maxMs: 5_000 };
/** How long a tracker may ask to be left alone. */
const PAUSE_MS_MAX = 300_000;
const TELL_MS = 60_000;

export class Tracker {
  readonly #options: TrackerOptions;
  readonly #url: URL;
  readonly #isSentry: boolean;
  #waiting: Report[] = [];
  #sending: Promise<void> | undefined;
  #closing = new AbortController();
  #dropped = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: TrackerOptions) {
    const { url } = options;
    this.#options = options;
    this.#isSentry = url.startsWith(SENTRY);
    this.#url = new URL(this.#isSentry ? url.slice(SENTRY.length) : url);
  }

  /** Its host, which is no secret. */
  get name(): string {
    return this.#url.host;
  }

  report(report: Report): void {
    if (this.#closing.signal.aborted) return;
    if (this.#waiting.length >= WAITING_MAX) this.#drop(1, "too many reports wait to be sent");
    else this.#waiting.push(report);
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
  }

  /** Lets what waits be sent, for so long. */
  async close(deadlineMs: number): Promise<void> {
    const { clock } = this.#options;
    if (this.#sending !== undefined) await Promise.race([this.#sending, clock.sleep(deadlineMs)]);
    this.#closing.abort();
    await this.#sending;
  }

  async #send(): Promise<void> {
    for (let report = this.#waiting.shift(); report !== undefined; report = this.#waiting.shift()) {
      if (this.#closing.signal.aborted) return;
      await this.#deliver(this.#outgoing(report));
    }
  }

  #outgoing(report: Report): Outgoing {
    return this.#isSentry
      ? sentryRequest(this.#url, report, this.#options.about)
      : jsonRequest(this.#url, report, this.#options.about);
  }

  async #deliver(outgoing: Outgoing): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#closing;
    for (let attempt = 0; attempt < TRIES && !signal.aborted; attempt++) {
      const answer = await post(outgoing, signal);
      if (answer.isTaken) return;
      const isLast = attempt + 1 === TRIES || !answer.mayPass;
      if (isLast) this.#drop(1, answer.problem);
      await clock.sleep(answer.pauseMs ?? (isLast ? 0 : backoffMs(attempt, RETRY, random)), signal);
      if (isLast) return;
    }
  }

  /** Told now and then, and to nobody but the log: a tracker's trouble is no report. */
  #drop(count: number, problem: string): void {
    const { emit, clock } = this.#options;
    this.#dropped += count;
    emit("report.dropped", { tracker: this.name });
    if (clock.monotonic() - this.#toldAt < TELL_MS) return;
    this.#toldAt = clock.monotonic();
    emit("tracker.dropped", { tracker: this.name, reports: this.#dropped, problem });
    this.#dropped = 0;
  }
}

const SENTRY = "sentry+";

function jsonRequest(url: URL, report: Report, about: About): Outgoing {
  const { username, password } = url;
  const target = new URL(url);
  target.username = target.password = "";
  const secret = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
  const { atMs, ...rest } = report;
  return {
    url: target,
    headers: { "content-type": "application/json", ...(username === "" ? {} : { authorization: `Basic ${secret}` }) },
    body: JSON.stringify({ at: new Date(atMs).toISOString(), ...rest, about }),
  };
}

interface Answer {
  readonly isTaken: boolean;
  readonly problem: string;
  /** Whether the same may succeed later. */
  readonly mayPass: boolean;
  /** The tracker asks to be left alone for so long. */
  readonly pauseMs?: number;
}

/** Never throws, never takes longer than it may. */
function post({ url, headers, body }: Outgoing, stopping: AbortSignal): Promise<Answer> {
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(ANSWER_MS)]);
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const all = { ...headers, "content-length": String(Buffer.byteLength(body)) };
    const request = send(url, { method: "POST", headers: all, agent: false, signal }, (response) => {
      response.resume();
      const { statusCode = 0 } = response;
      const seconds = Number(response.headers["retry-after"]);
      const pauseMs = statusCode === 429 && seconds > 0 ? Math.min(seconds * 1000, PAUSE_MS_MAX) : undefined;
      resolve({
        isTaken: statusCode >= 200 && statusCode < 300,
        problem: `it answered ${statusCode}`,
        mayPass: statusCode >= 500,
        ...(pauseMs === undefined ? {} : { pauseMs }),
      });
    });
    request.on("error", (error) => resolve({ isTaken: false, problem: error.message, mayPass: true }));
    request.end(body);
  });
}
