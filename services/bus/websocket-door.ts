// `GET /bus/ws`, a WebSocket: for readers that change their channels often. Messages are those of the JSON poll, in both
// directions. Only where it is switched on.

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { ServerOptions, WebSocket, WebSocketServer } from "ws";
import type { Random } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import type { BusCors, BusRequest } from "../sdk/bus.ts";
import type { Emit } from "../telemetry/events.ts";
import { isAllowed } from "./answer.ts";
import type { Door } from "./door.ts";
import { streamLifeMs } from "./http-conn.ts";
import { JsonFace } from "./json-face.ts";
import { BODY_BYTES_MAX } from "./request.ts";
import { WebSocketConn } from "./websocket-conn.ts";
import { WebSocketSession } from "./websocket-session.ts";

/** How long a peer may take to answer that it closes, too. */
const CLOSE_MS = 5_000;
const FACE = new JsonFace("push");

/** A request that wants to become a WebSocket. */
export interface Upgrading {
  readonly request: BusRequest;
  readonly socket: Duplex;
  /** What the peer sent behind its request. */
  readonly head: Buffer;
}

export interface WebSocketDoorOptions {
  readonly door: Door;
  readonly cors: BusCors | undefined;
  readonly emit: Emit;
  readonly random: Random;
}

export class WebSocketDoor {
  readonly #options: WebSocketDoorOptions;
  #server: Promise<WebSocketServer> | undefined;

  constructor(options: WebSocketDoorOptions) {
    this.#options = options;
  }

  /** Throws before anything was answered: UNAUTHORIZED, FORBIDDEN, TOO_MANY_REQUESTS, REDIS_UNAVAILABLE. */
  async accept({ request, socket, head }: Upgrading): Promise<void> {
    const { door, cors, emit, random } = this.#options;
    checkOrigin(request, cors);
    const client = request.query.get("client") ?? undefined;
    const { known, reader } = await door.admit({ request }, { client, channels: new Map() });
    const server = await (this.#server ??= openServer());
    const conn = new WebSocketConn(() => {
      const opened = handshake(server, request.raw, { socket, head });
      opened?.on("message", (message, isBinary) => session.hear(message as Buffer, isBinary));
      return opened;
    });
    const session = new WebSocketSession({ door, face: FACE, conn, known, emit });
    const lifeMs = streamLifeMs(random);
    const place = session.place;
    await door.hold({ request, known, reader, conn, wants: [], face: FACE, lifeMs, kind: "websocket", place });
  }
}

/** Loaded at the first need. */
async function openServer(): Promise<WebSocketServer> {
  const { WebSocketServer } = await import("ws");
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: BODY_BYTES_MAX,
    // Compressed, each connection would have to be encoded by itself, and cost a hundred times the memory.
    perMessageDeflate: false,
    closeTimeout: CLOSE_MS,
  } as ServerOptions);
}

/** Undefined: it was no proper one, and was told so. */
function handshake(
  server: WebSocketServer,
  raw: IncomingMessage,
  { socket, head }: Pick<Upgrading, "socket" | "head">,
): WebSocket | undefined {
  let opened: WebSocket | undefined;
  server.handleUpgrade(raw, socket, head, (webSocket) => (opened = webSocket));
  return opened;
}

/**
 * A browser sends its cookies with a WebSocket to anywhere, and asks nobody before: a page of another origin must have been
 * named, with credentials. Who sends no origin is no browser. Throws FORBIDDEN.
 */
function checkOrigin({ headers }: BusRequest, cors: BusCors | undefined): void {
  const { origin, host } = headers;
  if (origin === undefined) return;
  const from = String(origin);
  if (URL.canParse(from) && new URL(from).host === String(host).toLowerCase()) return;
  if (cors?.credentials === true && isAllowed(cors, from)) return;
  throw new AntiphonError("FORBIDDEN", `WebSockets of ${from.slice(0, 100)} are not taken.`);
}
