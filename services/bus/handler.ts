// The bus' door for Node's own HTTP server and for everything that stands on it: which face a path belongs to.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Random } from "../runtime/clock.ts";
import type { BusRequest, BusRules } from "../sdk/bus.ts";
import type { Emit } from "../telemetry/events.ts";
import { answer, answerAs, answerError, corsHeaders, extraHeaders, type Headers, refusalOf } from "./answer.ts";
import type { Asking, Door } from "./door.ts";
import { answerJsonPoll } from "./json-door.ts";
import { PollDoor } from "./poll.ts";
import { readRequest } from "./request.ts";
import { answerSse } from "./sse-door.ts";

export interface HandlerOptions {
  readonly door: Door;
  readonly rules: BusRules;
  /** As `/` or `/app/`. */
  readonly basePath: string;
  readonly emit: Emit;
  readonly random: Random;
}

type Answering = (asking: Asking, rest: string) => Promise<void>;

interface Face {
  readonly path: string;
  readonly answer: Answering;
}

const TEXT_TYPE = ["content-type", "text/plain; charset=utf-8"] as const;

export class Handler {
  readonly #options: HandlerOptions;
  readonly #faces: readonly Face[];

  constructor(options: HandlerOptions) {
    this.#options = options;
    const { door, basePath } = options;
    const polls = new PollDoor(door);
    this.#faces = [
      { path: `${basePath}message-bus/`, answer: (asking, rest) => poll(polls, asking, rest) },
      { path: `${basePath}bus/sse/`, answer: (asking) => answerSse(door, asking, options.random) },
      { path: `${basePath}bus/poll/`, answer: (asking) => answerJsonPoll(door, asking) },
    ];
  }

  /** Of its faces, without a slash at the end. */
  get paths(): string[] {
    return this.#faces.map(({ path }) => path.slice(0, -1));
  }

  /** False: the path is none of ours, and nothing was done. Never throws. */
  async handle(raw: IncomingMessage, response: ServerResponse, extra: Headers = []): Promise<boolean> {
    const request = readRequest(raw);
    const face = this.#find(request.path);
    if (face === undefined) return false;
    response.on("error", () => {});
    const rest = request.path.slice(face.path.length);
    let headers: Headers = extra;
    try {
      headers = this.#headers(request, extra);
      if (request.method === "OPTIONS") answer(response, { status: 200, headers: [...headers, TEXT_TYPE], body: "OK" });
      else await face.answer({ request, response, headers }, rest);
    } catch (error) {
      await this.#refuse({ request, response, headers }, error);
    }
    return true;
  }

  #find(path: string): Face | undefined {
    return this.#faces.find((face) => path === face.path || path.startsWith(face.path) || `${path}/` === face.path);
  }

  #headers(request: BusRequest, extra: Headers): Headers {
    const { rules } = this.#options;
    const given = rules.headers === undefined ? [] : extraHeaders(rules.headers(request));
    return [...extra, ...corsHeaders(rules.cors, request), ...given];
  }

  async #refuse(asking: Asking, error: unknown): Promise<void> {
    const { rules, emit, random } = this.#options;
    const { request, response, headers } = asking;
    const { status, code } = refusalOf(error);
    if (status === 500) emit("http.failed", { path: request.path, error });
    else emit("http.refused", { status, code, path: request.path });
    try {
      const own = await rules.onError?.(request, error);
      if (own) return answerAs(response, own, headers);
    } catch (failure) {
      emit("http.failed", { path: request.path, error: failure });
    }
    answerError(response, error, { random, headers });
  }
}

async function poll(polls: PollDoor, asking: Asking, rest: string): Promise<void> {
  const client = rest.split("/", 1)[0] ?? "";
  if (client === "") return answer(asking.response, { status: 404, headers: [TEXT_TYPE], body: "not found" });
  await polls.answer(asking, decodeURIComponent(client));
}
