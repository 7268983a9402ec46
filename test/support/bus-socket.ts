// A reader of the bus over a WebSocket, as the package `ws` has it: what it was told, and how it ended.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type ClientOptions, WebSocket } from "ws";
import type { MessageBus, OpenBusOptions } from "../../services/bus/plugin.ts";
import type { Buses } from "./buses.ts";
import { waitFor } from "./wait-for.ts";

export interface Told {
  readonly channels?: Readonly<Record<string, { epoch: string; offset: number; recovered: boolean }>>;
  readonly messages?: readonly { channel: string; epoch: string; offset: number; data: unknown }[];
  readonly denied?: Readonly<Record<string, string>>;
  readonly unsubscribed?: readonly string[];
  readonly error?: { readonly code: string; readonly message: string };
}

const LONG_MS = { timeoutMs: 30_000 };

export class BusSocket {
  readonly told: Told[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** Status of the answer to one that was refused. */
  refused: number | undefined;
  refusal: Readonly<Record<string, string | readonly string[] | undefined>> = {};
  readonly socket: WebSocket;

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url.replace(/^http/, "ws"), options);
    this.socket.on("message", (data) => this.told.push(JSON.parse((data as Buffer).toString()) as Told));
    this.socket.on("close", (code, reason) => (this.closed = { code, reason: reason.toString() }));
    this.socket.on("unexpected-response", (_request, response) => {
      this.refused = response.statusCode;
      this.refusal = response.headers;
      response.destroy();
    });
    this.socket.on("error", () => {});
  }

  static async open(url: string, options: ClientOptions = {}): Promise<BusSocket> {
    const opened = new BusSocket(url, options);
    await waitFor(() => opened.told.length > 0, { ...LONG_MS, what: "the hello" });
    return opened;
  }

  static async refusal(url: string, options: ClientOptions = {}): Promise<BusSocket> {
    const refused = new BusSocket(url, options);
    await waitFor(() => refused.refused !== undefined, { ...LONG_MS, what: "the refusal" });
    return refused;
  }

  say(what: unknown): void {
    this.socket.send(typeof what === "string" ? what : JSON.stringify(what));
  }

  /** Resolves with the answer: where the channels stand, and what they held. */
  async subscribe(channels: Readonly<Record<string, unknown>>, more: object = {}): Promise<Told> {
    const before = this.told.length;
    this.say({ subscribe: channels, ...more });
    return this.next(before, (told) => Object.keys(channels).some((name) => told.channels?.[name] !== undefined));
  }

  /** The first of what was told from `before` on that fits. */
  async next(before: number, fits: (told: Told) => boolean): Promise<Told> {
    const find = (): Told | undefined => this.told.slice(before).find(fits);
    await waitFor(() => find() !== undefined, { ...LONG_MS, what: "an answer" });
    return find() as Told;
  }

  dataOf(channel: string): unknown[] {
    const all = this.told.flatMap(({ messages = [] }) => messages);
    return all.filter((message) => message.channel === channel).map(({ data }) => data);
  }

  async hears(channel: string, count: number): Promise<void> {
    await waitFor(() => this.dataOf(channel).length >= count, { ...LONG_MS, what: `${count} of ${channel}` });
  }

  async ends(): Promise<{ readonly code: number; readonly reason: string }> {
    await waitFor(() => this.closed !== undefined, { ...LONG_MS, what: "the end" });
    return this.closed as { code: number; reason: string };
  }
}

/** Closed after the test. */
export async function listening({ closers }: Buses, server: Server): Promise<number> {
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
  return (server.address() as AddressInfo).port;
}

export interface Served {
  readonly bus: MessageBus;
  readonly server: Server;
  /** Of the WebSockets. */
  readonly url: string;
  readonly port: number;
  socket(options?: ConstructorParameters<typeof BusSocket>[1], query?: string): Promise<BusSocket>;
}

/** On a server of Node's own. */
export async function serveSockets(buses: Buses, options: OpenBusOptions = {}): Promise<Served> {
  const bus = await buses.open({ access: "open", websocket: true, ...options });
  const server = createServer(bus.handler);
  bus.acceptWebSockets(server);
  const port = await listening(buses, server);
  const url = `http://127.0.0.1:${port}/bus/ws`;
  const socket = async (given = {}, query = ""): Promise<BusSocket> => {
    const opened = await BusSocket.open(`${url}${query}`, given);
    buses.closers.push(async () => opened.socket.terminate());
    return opened;
  };
  // What is open is ended before the server closes.
  buses.closers.push(() => bus.close());
  return { bus, server, url, port, socket };
}
