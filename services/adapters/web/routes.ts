// The web chat's HTTP: the page, what people say, and the stream of what is said. A Fastify plugin, served by every worker.

import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../../runtime/clock.ts";
import { AntiphonError } from "../../runtime/errors.ts";
import type { Message, Person } from "../../sdk/message.ts";
import { type Credentials, Identity, type IdentityOptions } from "./identity.ts";
import { channelOf, encodeLine, isSession, roomOf } from "./line.ts";
import { WEB } from "./manifest.ts";
import { loadPage } from "./page.ts";

/** What somebody said, on its way into the broker. */
export interface Said {
  readonly message: Message;
  /** The same id within `ttlMs` is the same message. */
  readonly uid: { readonly id: string; readonly ttlMs: number };
  /** The line that the session shows; to be written together with the message or not at all. */
  readonly publish: { readonly channel: string; readonly payload: Buffer };
}

/** A reader of a session. */
export interface Listener {
  readonly response: ServerResponse;
  readonly channel: string;
  readonly lastEventId?: string;
  readonly recent: number;
}

export interface WebChatOptions extends IdentityOptions {
  /** The bot's name, for the page. */
  readonly name: string;
  readonly clock: Clock;
  /** Resolves once the message is durable. */
  readonly take: (said: Said) => Promise<{ readonly id: string }>;
  /** Streams the channel; throws before anything was written. */
  readonly listen: (listener: Listener) => Promise<void>;
  /** How many streams are open. */
  readonly listeners: () => number;
}

const BODY_BYTES_MAX = 64 * 1024;
const DEDUPE_MS = 24 * 3_600_000;
const RECENT = 50;
const RECENT_MAX = 200;
const LISTENERS_MAX = 20_000;
const CLIENT_ID = /^[A-Za-z0-9_-]{1,64}$/;

type SessionRequest = FastifyRequest<{ Params: { session: string }; Querystring: { recent?: string; after?: string } }>;

export function webChat(options: WebChatOptions): (app: FastifyInstance) => Promise<void> {
  const identity = new Identity(options);
  return async (app) => {
    app.removeContentTypeParser("text/plain");
    for (const { path, headers, body } of loadPage(options.name)) {
      app.get(path, async (_request, reply) => reply.headers(headers).send(body));
    }
    app.post("/chat/:session/messages", { bodyLimit: BODY_BYTES_MAX }, async (request: SessionRequest, reply) => {
      const session = sessionOf(request);
      const user = identity.identify(credentialsOf(request));
      const taken = await options.take(saidIn(session, { ...readSaid(request.body), user, atMs: options.clock.now() }));
      return reply.code(202).send({ id: taken.id });
    });
    app.get("/chat/:session/events", async (request: SessionRequest, reply) => {
      identity.identify(credentialsOf(request));
      await listen(options, request, reply);
    });
  };
}

interface Spoken {
  readonly id: string;
  readonly text: string;
  readonly user: Person;
  readonly atMs: number;
}

/** What a person says in a session: the Message, and the line that shows it. */
export function saidIn(session: string, { id, text, user, atMs }: Spoken): Said {
  const line = encodeLine({ id, ref: id, from: user.name, text, at: new Date(atMs).toISOString() });
  return {
    message: { id, text, room: roomOf(session) as Message["room"], user, addressed: false },
    uid: { id: `${roomOf(session)}\n${id}`, ttlMs: DEDUPE_MS },
    publish: { channel: channelOf(session), payload: line },
  };
}

async function listen(options: WebChatOptions, request: SessionRequest, reply: FastifyReply): Promise<void> {
  const channel = channelOf(sessionOf(request));
  if (options.listeners() >= LISTENERS_MAX) throw new AntiphonError("TOO_MANY_REQUESTS", "");
  // A new EventSource cannot send the header, so the address may say it too.
  const lastEventId = request.headers["last-event-id"] ?? request.query.after;
  const position = typeof lastEventId === "string" && lastEventId !== "" ? { lastEventId } : {};
  const recent = request.query.recent === undefined ? RECENT : Number(request.query.recent);
  if (!Number.isInteger(recent) || recent < 0 || recent > RECENT_MAX) {
    throw new AntiphonError("REQUEST_INVALID", `recent must be a whole number from 0 to ${RECENT_MAX}.`);
  }
  await options.listen({ response: reply.raw, channel, recent, ...position });
  reply.hijack();
}

function credentialsOf({ headers }: SessionRequest): Credentials {
  return { authorization: headers.authorization, host: headers.host };
}

function sessionOf(request: SessionRequest): string {
  const { session } = request.params;
  if (!isSession(session)) {
    throw new AntiphonError("NOT_FOUND", "A session is named with 1 to 64 letters, digits, _ and -.");
  }
  return session;
}

function readSaid(body: unknown): { id: string; text: string } {
  const { id = randomUUID(), text } =
    typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  if (typeof text !== "string" || text.trim() === "") throw new AntiphonError("REQUEST_INVALID", "text is missing.");
  if (text.length > WEB.caps.maxText) {
    throw new AntiphonError("BODY_TOO_LARGE", `text may have ${WEB.caps.maxText} characters.`);
  }
  if (typeof id !== "string" || !CLIENT_ID.test(id)) throw new AntiphonError("REQUEST_INVALID", "id must be a UUID.");
  return { id, text };
}
