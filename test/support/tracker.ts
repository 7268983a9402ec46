// An error tracker on a real socket: keeps what it is sent, and answers as a test wants.

import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly bytes: Buffer;
}

export class FakeTracker {
  readonly received: Received[] = [];
  /** What it answers; 0 = nothing, ever. */
  status = 200;
  retryAfter: string | undefined;
  readonly #server: Server;

  static async start(): Promise<FakeTracker> {
    const tracker = new FakeTracker();
    await new Promise<void>((resolve) => tracker.#server.listen(0, "127.0.0.1", resolve));
    return tracker;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { url: path = "", headers } = request;
        const bytes = Buffer.concat(chunks);
        this.received.push({ path, headers, body: bytes.toString(), bytes });
        if (this.status === 0) return;
        if (this.retryAfter !== undefined) response.setHeader("retry-after", this.retryAfter);
        response.writeHead(this.status).end("{}");
      });
    });
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The lines of an envelope. */
  envelope(index: number): { header: Line; item: Line; event: Line } {
    const [header, item, event] = (this.received[index]?.body ?? "").split("\n").map((line) => parsed(line));
    return { header: header ?? {}, item: item ?? {}, event: event ?? {} };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

type Line = Readonly<Record<string, unknown>>;

function parsed(line: string): Line {
  return line === "" ? {} : (JSON.parse(line) as Line);
}
