// A stand-in for the service, for the tests: keeps all that was said and can be made to misbehave.

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { ContractService } from "antiphon/testing";
import { type FromService, Lines, type ServiceEvent, type ToService } from "./wire.ts";

const TOKEN = "secret";

export class ExampleService implements ContractService {
  readonly #events: ServiceEvent[] = [];
  readonly #byKey = new Map<string, string>();
  readonly #limited = new Map<string, number>();
  readonly #clients = new Set<Socket>();
  /** The only one that is greeted. */
  #present: Socket | undefined;
  #server: Server | undefined;
  #port = 0;

  static async start(): Promise<ExampleService> {
    const service = new ExampleService();
    await service.comeBack();
    return service;
  }

  get settings(): Record<string, unknown> {
    return { port: this.#port, token: TOKEN };
  }

  get wrongSettings(): Record<string, unknown> {
    return { port: this.#port, token: "wrong" };
  }

  say({ room, user, text }: { room: string; user: string; text: string }): void {
    this.#happen({ type: "said", room, user, text });
  }

  said(room: string): string[] {
    return this.#events.filter((event) => event.room === room && event.user === "bot").map(({ text = "" }) => text);
  }

  cut(): void {
    for (const socket of this.#clients) socket.destroy();
  }

  async goAway(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
    this.cut();
    await closed;
  }

  async comeBack(): Promise<void> {
    const server = createServer((socket) => this.#welcome(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  repeat(): void {
    if (this.#present) this.#tell(this.#present, this.#events.length, true);
  }

  limit(room: string, retryAfterMs: number | null): void {
    if (retryAfterMs === null) this.#limited.delete(room);
    else this.#limited.set(room, retryAfterMs);
  }

  unknown(): void {
    this.#happen({ type: "wave" });
  }

  garbage(): void {
    this.#present?.write("{half\n");
  }

  stop(): Promise<void> {
    return this.goAway();
  }

  #welcome(socket: Socket): void {
    const lines = new Lines();
    this.#clients.add(socket);
    socket.setEncoding("utf8");
    socket.on("data", (bytes: string) => {
      for (const line of lines.push(bytes)) this.#hear(socket, JSON.parse(line) as ToService);
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#clients.delete(socket));
  }

  #hear(socket: Socket, message: ToService): void {
    if (message.t === "say") return this.#do(socket, message);
    if (message.token !== TOKEN) {
      this.#send(socket, { t: "refused" });
      return void socket.end();
    }
    if (this.#present?.writable) {
      this.#send(this.#present, { t: "evicted" });
      this.#present.end();
    }
    this.#present = socket;
    for (let seq = message.after + 1; seq <= this.#events.length; seq++) this.#tell(socket, seq, true);
    this.#send(socket, { t: "ready" });
  }

  #do(socket: Socket, { n, room, text, key }: Extract<ToService, { t: "say" }>): void {
    if (socket !== this.#present) return;
    const retryAfterMs = this.#limited.get(room);
    if (retryAfterMs !== undefined) {
      const refused = {
        ok: false,
        kind: "rateLimited",
        retryAfterMs,
        scope: `room:${room}`,
        error: "too many",
      } as const;
      return this.#send(socket, { t: "answer", n, outcome: refused });
    }
    const messageId = this.#byKey.get(key) ?? this.#happen({ type: "said", room, user: "bot", text });
    this.#byKey.set(key, messageId);
    this.#send(socket, { t: "answer", n, outcome: { ok: true, messageId } });
  }

  /** Answers its id. */
  #happen(what: Omit<ServiceEvent, "id" | "at">): string {
    const id = `e${this.#events.length + 1}`;
    this.#events.push({ ...what, id, at: Date.now() });
    if (this.#present?.writable) this.#tell(this.#present, this.#events.length, false);
    return id;
  }

  #tell(socket: Socket, seq: number, replayed: boolean): void {
    const event = this.#events[seq - 1];
    if (event) this.#send(socket, { t: "event", seq, replayed, ...event });
  }

  #send(socket: Socket, message: FromService): void {
    if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
  }
}
