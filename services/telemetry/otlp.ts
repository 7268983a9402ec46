// Posts OTLP as protobuf over HTTP: one request at a time over one connection, repeated for a while, and given up at once when
// the process ends. A collector that is slow or away holds up nobody but its own queue.
// https://opentelemetry.io/docs/specs/otlp/#otlphttp

import type { Agent } from "node:http";
import { backoffMs } from "../runtime/backoff.ts";
import type { Clock, Random } from "../runtime/clock.ts";
import { nodeHttp, nodeHttps } from "../runtime/node-http.ts";

export interface OtlpOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
}

/** The specification's default. */
const ANSWER_MS = 10_000;
const TRIES = 4;
const RETRY = { firstMs: 1_000, maxMs: 5_000 };
/** How long a collector may ask to be left alone. */
const PAUSE_MS_MAX = 30_000;
/** That a repeat may help is said for these alone. */
const RETRIED: readonly number[] = [429, 502, 503, 504];

type Protocol = ReturnType<typeof nodeHttp | typeof nodeHttps>;

interface Answer {
  /** Undefined: it was taken. */
  readonly problem?: string;
  readonly mayPass?: boolean;
  readonly pauseMs?: number | undefined;
}

export class OtlpSender {
  readonly #options: OtlpOptions;
  readonly #url: URL;
  /** node:http or node:https. */
  readonly #protocol: Protocol;
  readonly #agent: Agent;
  readonly #ended = new AbortController();

  constructor(options: OtlpOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    const keep = { keepAlive: true, maxSockets: 1 };
    this.#protocol = this.#url.protocol === "https:" ? nodeHttps() : nodeHttp();
    this.#agent = new this.#protocol.Agent(keep);
  }

  /** Its host, which is no secret. */
  get to(): string {
    return this.#url.host;
  }

  /** Undefined when the collector took it, else why it did not. Never throws. */
  async send(body: Uint8Array): Promise<string | undefined> {
    const { clock, random } = this.#options;
    const { signal } = this.#ended;
    let problem = "the process ended";
    for (let attempt = 0; attempt < TRIES && !signal.aborted; attempt++) {
      const answer = await this.#post(body);
      if (answer.problem === undefined) return undefined;
      problem = answer.problem;
      if (answer.mayPass !== true || attempt + 1 === TRIES) return problem;
      await clock.sleep(answer.pauseMs ?? backoffMs(attempt, RETRY, random), signal);
    }
    return problem;
  }

  /** What is under way fails, and nothing more is sent. */
  end(): void {
    this.#ended.abort();
    this.#agent.destroy();
  }

  #post(body: Uint8Array): Promise<Answer> {
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(ANSWER_MS)]);
    const headers = {
      ...this.#options.headers,
      "content-type": "application/x-protobuf",
      "content-length": String(body.byteLength),
    };
    return new Promise((resolve) => {
      const request = this.#protocol.request(
        this.#url,
        { method: "POST", headers, agent: this.#agent, signal },
        (response) => {
          response.on("error", (error) => resolve({ problem: error.message, mayPass: true }));
          response
            .resume()
            .on("end", () => resolve(answerOf(response.statusCode ?? 0, response.headers["retry-after"])));
        },
      );
      request.on("error", (error) => resolve({ problem: problemOf(error), mayPass: true }));
      request.end(body);
    });
  }
}

function answerOf(status: number, retryAfter: string | undefined): Answer {
  if (status >= 200 && status < 300) return {};
  const seconds = Number(retryAfter);
  const pauseMs = seconds > 0 ? Math.min(seconds * 1000, PAUSE_MS_MAX) : undefined;
  return { problem: `it answered ${status}`, mayPass: RETRIED.includes(status), pauseMs };
}

function problemOf(error: Error): string {
  return error.name === "TimeoutError" ? `no answer within ${ANSWER_MS / 1000} s` : error.message || error.name;
}
