// What all faces of the bus over HTTP have in common: who asks, what they may read, how many there may be, and holding them.

import type { ServerResponse } from "node:http";
import { AntiphonError } from "../runtime/errors.ts";
import type { BusRequest } from "../sdk/bus.ts";
import { type Access, type Known, readerOf } from "./access.ts";
import type { Headers } from "./answer.ts";
import type { Bus } from "./bus.ts";
import { channelProblem, storedName } from "./channel.ts";
import { Clients } from "./clients.ts";
import type { Face } from "./face.ts";
import type { HttpConn } from "./http-conn.ts";
import type { Limits } from "./limits.ts";
import type { From } from "./position.ts";
import type { Want } from "./reading.ts";
import type { Stream } from "./stream.ts";
import type { Reader } from "./targets.ts";

export interface DoorSettings {
  /** How long a poll is held, ms. */
  readonly longPollMs: number;
  readonly longPolling: boolean;
  /** Long polls may be streamed. */
  readonly chunked: boolean;
  /** Beyond it polls are answered at once. */
  readonly maxActiveClients: number;
}

/** A request on its way through the door. */
export interface Asking {
  readonly request: BusRequest;
  readonly response: ServerResponse;
  /** That every answer gets besides its own. */
  readonly headers: Headers;
}

export type Kind = "stream" | "poll" | "sse" | "json" | "websocket";

export interface Asked {
  /** Its id, where the face has one. */
  readonly client?: string | undefined;
  readonly channels: ReadonlyMap<string, From>;
}

export interface Allowed {
  readonly wants: readonly Want[];
  /** Channels that were asked for and may not be read; undefined: none. */
  readonly denied: Readonly<Record<string, string>> | undefined;
}

export interface Admitted extends Allowed {
  readonly known: Known;
  readonly reader: Reader;
}

export interface Holding extends Omit<Admitted, "denied"> {
  readonly request: BusRequest;
  readonly conn: HttpConn;
  readonly face: Face;
  readonly lifeMs: number;
  readonly kind: Kind;
  readonly recent?: number;
  /** Called with the stream before it reads anything; what it gives is called when the stream is closed. */
  readonly place?: (stream: Stream) => () => void;
}

/** Channels that a refusal names. */
const NAMED_MAX = 5;

export class Door {
  readonly bus: Bus;
  readonly access: Access;
  readonly limits: Limits;
  readonly settings: DoorSettings;
  /** How many are held, by kind. */
  readonly held = new Map<Kind, number>();
  readonly #clients = new Clients();
  readonly #users = new WeakMap<Stream, string>();

  constructor(o: { bus: Bus; access: Access; limits: Limits; settings: DoorSettings }) {
    this.bus = o.bus;
    this.access = o.access;
    this.limits = o.limits;
    this.settings = o.settings;
  }

  /** Throws UNAUTHORIZED, FORBIDDEN when there is nothing of it that they may read, REQUEST_INVALID, TOO_MANY_REQUESTS. */
  async admit({ request }: Pick<Asking, "request">, { client, channels }: Asked): Promise<Admitted> {
    const { limits, access } = this;
    limits.channels(channels.size);
    // Whoever asks too often costs the author's functions nothing, where that can be told before.
    if (client !== undefined) limits.request(client);
    const known = await access.identify(request);
    const asker = known.user ?? request.ip;
    if (client !== undefined) this.#clients.bind(client, known);
    // Behind a proxy that does not say for whom it asks all would be one.
    else if (asker !== undefined) limits.request(asker);
    const allowed = await this.allow(known, channels);
    if (channels.size === 0 || allowed.wants.length > 0) return { known, reader: readerOf(known, client), ...allowed };
    const names = [...channels.keys()].slice(0, NAMED_MAX).join(", ");
    throw new AntiphonError("FORBIDDEN", `Channels: ${names}.`);
  }

  /** Which of them may be read. Throws REQUEST_INVALID. */
  async allow(known: Known, channels: ReadonlyMap<string, From>): Promise<Allowed> {
    const names = [...channels.keys()];
    for (const name of names) {
      const problem = channelProblem(name);
      if (problem !== undefined) throw new AntiphonError("REQUEST_INVALID", problem);
    }
    const may = await Promise.all(names.map((name) => this.access.mayRead(known, name)));
    const wants: Want[] = [];
    const denied: Record<string, string> = {};
    for (const [index, [name, from]] of [...channels].entries()) {
      if (may[index] === true) wants.push({ channel: storedName(name, known.site), from });
      else denied[name] = "FORBIDDEN";
    }
    return { wants, denied: wants.length < names.length ? denied : undefined };
  }

  /** Resolves when the stream is live. Throws before anything was sent. */
  async hold(o: Holding): Promise<Stream> {
    const { known, conn, wants, kind, recent, face, reader, lifeMs } = o;
    const free = this.limits.connect({ user: known.user, address: o.request.ip });
    let unplace = (): void => {};
    const onClosed = (): void => {
      free();
      unplace();
      this.#count(kind, -1);
    };
    const mayStay = (): Promise<boolean> => this.#mayStay(known, stream);
    const stream = this.bus.open({ conn, face, reader, lifeMs, mayStay, onClosed });
    this.#count(kind, 1);
    conn.gone = () => stream.leave();
    if (known.user !== undefined) this.#users.set(stream, known.user);
    unplace = o.place?.(stream) ?? unplace;
    if (stream.isClosed) return stream;
    try {
      await this.bus.add(stream, wants, recent);
    } catch (error) {
      stream.leave();
      throw error;
    }
    return stream;
  }

  /** Somebody lost rights: what was remembered counts no more, and their streams end. */
  revoke(user: string): void {
    this.access.forget(user);
    for (const stream of this.bus.streams) if (this.#users.get(stream) === user) stream.close("revoked");
  }

  async #mayStay(known: Known, stream: Stream): Promise<boolean> {
    const names = stream.subs.map((sub) => sub.feed.name);
    const may = await Promise.all(names.map((name) => this.access.mayRead(known, name, true)));
    return may.every(Boolean);
  }

  #count(kind: Kind, by: number): void {
    this.held.set(kind, (this.held.get(kind) ?? 0) + by);
  }
}
