// The public server: Fastify and the plugins it is given. It answers while it drains, and says `Connection: close` then.

import { type FastifyInstance, type FastifyPluginAsync, type FastifyReply, fastify } from "fastify";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Clock, type Random, systemClock } from "../runtime/clock.ts";
import type { Part } from "../runtime/part.ts";
import { portProblem } from "../runtime/port-problem.ts";
import type { Emit } from "../telemetry/events.ts";
import { lazyCompilers } from "./compilers.ts";
import { answerClientError, answerErrors } from "./errors.ts";

export interface HttpServerOptions {
  /** As in ANTIPHON_<NAME>_PORT. */
  readonly name: "http" | "admin";
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly plugins: readonly FastifyPluginAsync[];
  readonly emit: Emit;
  readonly random: Random;
  readonly clock?: Clock;
  /**
   * At the end, so long a connection that was just used may bring one more request, which is answered and told to be its
   * last. Closed at once, a sender that keeps its connections may be writing just then, and sees it reset. Default: not at all.
   */
  readonly lingerMs?: number;
}

/** Longer than a load balancer keeps an idle connection (60 s): so that it is never we who close one it is about to use. */
const KEEP_ALIVE_MS = 72_000;
/** Head and body; bodies of webhooks have a shorter limit of their own. */
const REQUEST_MS = 60_000;
const BACKLOG = 4096;
const PARAM_CHARS_MAX = 256;
/** Small, because a body that waits for its place is to wait in the socket. */
const HIGH_WATER_BYTES = 16 * 1024;
const LINGER_LOOK_MS = 20;

export class HttpServer implements Part {
  readonly name: string;
  readonly #options: HttpServerOptions;
  readonly #app: FastifyInstance;
  /** Connections on which nothing was asked yet, such as browsers open in advance. Node counts them as busy. */
  readonly #unused = new Set<Socket>();
  /** When each connection began its last request. */
  readonly #used = new Map<Socket, number>();
  readonly #clock: Clock;
  #draining = false;

  constructor(options: HttpServerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#app = fastify({
      logger: false,
      // Senders differ in whether they repeat after a 503; late requests are served.
      return503OnClosing: false,
      exposeHeadRoutes: false,
      forceCloseConnections: "idle",
      keepAliveTimeout: KEEP_ALIVE_MS,
      requestTimeout: REQUEST_MS,
      routerOptions: { ignoreTrailingSlash: true, maxParamLength: PARAM_CHARS_MAX },
      schemaController: { compilersFactory: lazyCompilers() },
      http: { highWaterMark: HIGH_WATER_BYTES, noDelay: true },
      clientErrorHandler: answerClientError,
      frameworkErrors: (error, _request, reply) => {
        const body = { error: { code: "REQUEST_INVALID", message: error.message } };
        void (reply as FastifyReply).code(400).send(body);
      },
    });
    // Otherwise a connection that was busy when we closed lives on for as long as it is kept alive.
    // oxlint-disable-next-line max-params -- The signature is Fastify's; with async hooks each answer would cost a promise.
    this.#app.addHook("onSend", (_request, reply, _payload, done) => {
      if (this.#draining) reply.header("connection", "close");
      done();
    });
    answerErrors(this.#app, options);
    this.#app.server.on("connection", (socket: Socket) => {
      this.#unused.add(socket);
      socket.once("close", () => {
        this.#unused.delete(socket);
        this.#used.delete(socket);
      });
    });
    this.#app.server.on("request", ({ socket }: IncomingMessage) => {
      this.#unused.delete(socket);
      this.#used.set(socket, this.#clock.monotonic());
    });
  }

  /** Listens. Throws CONFIG_INVALID when the port cannot be had. */
  async start(): Promise<void> {
    const { host, port, plugins, name } = this.#options;
    for (const plugin of plugins) await this.#app.register(plugin);
    try {
      await this.#app.listen({ host, port, backlog: BACKLOG });
    } catch (error) {
      throw portProblem(error, { host, port, variable: `ANTIPHON_${name.toUpperCase()}_PORT` });
    }
  }

  /** The port, where the setting left it open. */
  get port(): number {
    return (this.#app.server.address() as AddressInfo | null)?.port ?? this.#options.port;
  }

  /** From now on each answer is the last of its connection. */
  drain(): void {
    this.#draining = true;
  }

  /** Takes no more connections; what is being answered may end until the deadline. Streams must have been ended. */
  async stop(deadlineMs: number): Promise<void> {
    this.drain();
    const late = setTimeout(() => this.#app.server.closeAllConnections(), deadlineMs);
    try {
      await this.#linger(Math.min(this.#options.lingerMs ?? 0, deadlineMs / 2));
      const closed = this.#app.close();
      for (const socket of this.#unused) socket.destroy();
      await closed;
    } finally {
      clearTimeout(late);
    }
  }

  /** Until no connection was used within this time: each is told `Connection: close` with its next answer. */
  async #linger(ms: number): Promise<void> {
    const until = this.#clock.monotonic() + ms;
    const isUsed = (): boolean => [...this.#used.values()].some((at) => this.#clock.monotonic() - at < ms);
    while (this.#clock.monotonic() < until && isUsed()) await this.#clock.sleep(LINGER_LOOK_MS);
  }
}
