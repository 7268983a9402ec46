// The bus' door for Node's own HTTP server and for everything that stands on it: which face a path belongs to.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Random } from "../runtime/clock.ts";
import { nodeHttp } from "../runtime/node-http.ts";
import type { BusRequest, BusRules } from "../sdk/bus.ts";
import type { Emit } from "../telemetry/events.ts";
import { answer, answerAs, answerError, corsHeaders, extraHeaders, type Headers, refusalOf } from "./answer.ts";
import type { Asking, Door } from "./door.ts";
import { answerJsonPoll } from "./json-door.ts";
import { PollDoor } from "./poll.ts";
import { readRequest } from "./request.ts";
import { answerSse } from "./sse-door.ts";
import { WebSocketDoor } from "./websocket-door.ts";

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

const NO_UPGRADE = {
  status: 426,
  headers: [["connection", "upgrade"] as const, ["upgrade", "websocket"] as const],
  body: "This path is for WebSockets. Perhaps a proxy in between does not pass on the header Upgrade.\n",
};

const TEXT_TYPE = ["content-type", "text/plain; charset=utf-8"] as const;

export class Handler {
  readonly #options: HandlerOptions;
  readonly #faces: Face[];
  readonly #webSockets: WebSocketDoor | undefined;

  constructor(options: HandlerOptions) {
    this.#options = options;
    const { door, basePath, rules, emit, random } = options;
    const polls = new PollDoor(door);
    this.#faces = [
      { path: `${basePath}message-bus/`, answer: (asking, rest) => poll(polls, asking, rest) },
      { path: `${basePath}bus/sse/`, answer: (asking) => answerSse(door, asking, options.random) },
      { path: `${basePath}bus/poll/`, answer: (asking) => answerJsonPoll(door, asking) },
    ];
    if (rules.websocket !== true) return;
    this.#webSockets = new WebSocketDoor({ door, cors: rules.cors, emit, random });
    this.#faces.push({ path: `${basePath}bus/ws/`, answer: async ({ response }) => answer(response, NO_UPGRADE) });
  }

  /** Of its faces, without a slash at the end. */
  get paths(): string[] {
    return this.#faces.map(({ path }) => path.slice(0, -1));
  }

  /** `extra`: headers that somebody else wants on the answer. False: none of our paths, and nothing was done. Never throws. */
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

  /** WebSockets are switched on. */
  get hasWebSockets(): boolean {
    return this.#webSockets !== undefined;
  }

  /** The request wants to become a WebSocket of ours. */
  takesUpgrade(raw: IncomingMessage): boolean {
    if (!this.hasWebSockets || raw.headers.upgrade?.toLowerCase() !== "websocket") return false;
    const { path } = readRequest(raw);
    const own = `${this.#options.basePath}bus/ws`;
    return path === own || path === `${own}/`;
  }

  /** Makes it one, or answers why not. Never throws. */
  async upgrade(raw: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const request = readRequest(raw);
    socket.on("error", () => socket.destroy());
    try {
      await this.#webSockets?.accept({ request, socket, head });
    } catch (error) {
      const response = new (nodeHttp().ServerResponse)(raw);
      response.shouldKeepAlive = false;
      response.assignSocket(socket);
      response.once("finish", () => socket.end());
      await this.#refuse({ request, response, headers: [] }, error);
    }
  }

  #find(path: string): Face | undefined {
    return this.#faces.find((face) => path === face.path || path.startsWith(face.path) || `${path}/` === face.path);
  }

  #headers(request: BusRequest, extra: Headers): Headers {
    const { rules } = this.#options;
    const given = rules.headers === undefined ? [] : extraHeaders(rules.headers(request));
    const own = [...corsHeaders(rules.cors, request), ...given];
    const names = new Set(own.map(([name]) => name));
    return [...extra.filter(([name]) => !names.has(name)), ...own];
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
