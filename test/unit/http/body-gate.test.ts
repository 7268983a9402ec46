// The body gate on real sockets: few bodies at once, and nobody who stalls, dribbles or floods harms anybody else.

import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type Body, BodyGate, type BodyGateOptions } from "../../../services/http/body-gate.ts";
import { systemClock } from "../../../services/runtime/clock.ts";
import { AntiphonError } from "../../../services/runtime/errors.ts";
import { waitFor } from "../../support/wait-for.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).toReversed()) close();
});

interface Rig {
  readonly gate: BodyGate;
  readonly server: Server;
  readonly port: number;
  /** Bodies being used now, and the most there ever were. */
  using: number;
  most: number;
  /** Resolves what waits in `use`; until then it blocks if `block` is set. */
  block: Promise<void> | undefined;
  /** Whether bodies are stored at once, and only their acknowledgement waits. */
  isStored: boolean;
}

async function open(options: Partial<BodyGateOptions> & { limit?: number } = {}): Promise<Rig> {
  const gate = new BodyGate({ clock: systemClock, ...options });
  const server = createServer({ highWaterMark: 16 * 1024 }, (request, response) => {
    const use = async (body: Body, stored: () => void): Promise<number> => {
      rig.most = Math.max(rig.most, ++rig.using);
      if (rig.isStored) stored();
      await rig.block;
      rig.using--;
      return Buffer.concat([...body.chunks]).byteLength;
    };
    gate.pass(request, options.limit ?? 1024 * 1024, use).then(
      (bytes) => response.end(String(bytes)),
      (error: unknown) => {
        response.statusCode = 400;
        response.end(error instanceof AntiphonError ? error.code : String(error));
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const rig: Rig = { gate, server, port, using: 0, most: 0, block: undefined, isStored: false };
  return rig;
}

/** A sender that has said how much it will send, and sends when told. */
class Sender {
  readonly socket: Socket;
  answer = "";

  constructor(port: number, announced: number | "chunked") {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (bytes) => (this.answer += bytes.toString()));
    this.socket.on("error", () => {});
    const length = announced === "chunked" ? "transfer-encoding: chunked" : `content-length: ${announced}`;
    this.socket.write(`POST / HTTP/1.1\r\nhost: x\r\n${length}\r\n\r\n`);
    closers.push(() => this.socket.destroy());
  }

  send(bytes: number): this {
    this.socket.write("x".repeat(bytes));
    return this;
  }

  /** The body of the answer, once it is there. */
  async answered(timeoutMs = 5_000): Promise<string> {
    await waitFor(() => /\r\n\r\n.+/.test(this.answer), { timeoutMs, what: "an answer" });
    return this.answer.split("\r\n\r\n")[1] ?? "";
  }
}

const KB71 = 71 * 1024;

describe("the body gate", () => {
  it("uses few bodies at once, and in the end all of them", async () => {
    const rig = await open({ places: 4 });
    const { promise, resolve } = Promise.withResolvers<void>();
    rig.block = promise;
    const senders = Array.from({ length: 60 }, () => new Sender(rig.port, KB71).send(KB71));
    await waitFor(() => rig.using === 4);
    rig.block = undefined;
    resolve();
    for (const sender of senders) expect(await sender.answered()).toBe(String(KB71));
    expect(rig.most).toBe(4);
    expect(rig.gate.held).toBe(0);
  });

  it("leaves bodies unread in their sockets while all places are taken", async () => {
    const rig = await open({ places: 1 });
    const { promise, resolve } = Promise.withResolvers<void>();
    rig.block = promise;
    const first = new Sender(rig.port, 10).send(10);
    await waitFor(() => rig.using === 1);
    const mega = 1024 * 1024;
    const others = Array.from({ length: 10 }, () => new Sender(rig.port, mega).send(mega));
    await waitFor(() => rig.gate.held > 100_000);
    expect(rig.gate.held).toBeLessThan(2 * mega);
    rig.block = undefined;
    resolve();
    for (const sender of [first, ...others]) await sender.answered();
  });

  it("lets good senders pass a hundred stalled ones, and serves those when they go on", async () => {
    const rig = await open();
    const stalled = Array.from({ length: 100 }, (_, index) => {
      const sender = new Sender(rig.port, KB71);
      return index % 2 === 0 ? sender : sender.send(40_000);
    });
    await waitFor(() => rig.gate.held >= 50 * 40_000);
    const good = Array.from({ length: 50 }, () => new Sender(rig.port, KB71).send(KB71));
    for (const sender of good) expect(await sender.answered(3_000)).toBe(String(KB71));
    for (const [index, sender] of stalled.entries()) sender.send(index % 2 === 0 ? KB71 : KB71 - 40_000);
    for (const sender of stalled) expect(await sender.answered()).toBe(String(KB71));
  });

  it("lets good senders pass a hundred that dribble", async () => {
    const rig = await open();
    const dribblers = Array.from({ length: 100 }, () => new Sender(rig.port, KB71).send(1));
    const timer = setInterval(() => dribblers.forEach((sender) => sender.send(1)), 5);
    closers.push(() => clearInterval(timer));
    await waitFor(() => rig.gate.held > 200);
    for (let round = 0; round < 20; round++) {
      const good = Array.from({ length: 10 }, () => new Sender(rig.port, KB71).send(KB71));
      for (const sender of good) expect(await sender.answered(3_000)).toBe(String(KB71));
    }
  });

  it("gives up a body that takes too long and tells its sender", async () => {
    const rig = await open({ bodyMs: 200 });
    const sender = new Sender(rig.port, KB71).send(100);
    expect(await sender.answered()).toBe("BODY_STALLED");
    expect(rig.gate.held).toBe(0);
  });

  it("refuses a body over its limit and takes the next request of the connection", async () => {
    const rig = await open({ limit: 1_000 });
    const sender = new Sender(rig.port, 5_000).send(5_000);
    expect(await sender.answered()).toBe("BODY_TOO_LARGE");
    sender.answer = "";
    sender.socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc");
    expect(await sender.answered()).toBe("3");
  });

  it("ends the upload that was silent longest when memory runs out", async () => {
    const rig = await open({ bytesMax: 200_000, places: 2 });
    const silent = [];
    for (let index = 1; index <= 5; index++) {
      silent.push(new Sender(rig.port, KB71).send(40_000));
      await waitFor(() => rig.gate.held === index * 40_000);
    }
    const good = new Sender(rig.port, KB71).send(KB71);
    expect(await good.answered()).toBe(String(KB71));
    expect(await silent[0]?.answered()).toBe("BODY_STALLED");
    expect(rig.gate.held).toBeLessThanOrEqual(200_000);
  });

  it("forgets who hangs up, in whatever state", async () => {
    const rig = await open({ places: 1 });
    const { promise, resolve } = Promise.withResolvers<void>();
    rig.block = promise;
    const holder = new Sender(rig.port, 10).send(10);
    await waitFor(() => rig.using === 1);
    const gone = [new Sender(rig.port, KB71), new Sender(rig.port, KB71).send(100)];
    await waitFor(() => rig.gate.held === 110);
    for (const sender of gone) sender.socket.resetAndDestroy();
    rig.block = undefined;
    resolve();
    expect(await holder.answered()).toBe("10");
    const next = new Sender(rig.port, KB71).send(KB71);
    expect(await next.answered()).toBe(String(KB71));
    await waitFor(() => rig.gate.held === 0);
  });

  it("takes an empty body in chunks", async () => {
    const rig = await open();
    const sender = new Sender(rig.port, "chunked");
    sender.socket.write("0\r\n\r\n");
    expect(await sender.answered()).toBe("0");
  });
});

describe("bodies that are stored and not acknowledged yet", () => {
  it("leave their place to others, and count as memory until then", async () => {
    const rig = await open({ places: 2, bytesMax: 6 * KB71 });
    rig.isStored = true;
    const block = Promise.withResolvers<void>();
    rig.block = block.promise;
    const senders: Sender[] = [];
    for (let count = 1; count <= 6; count++) {
      senders.push(new Sender(rig.port, KB71).send(KB71));
      await waitFor(() => rig.using === count);
    }
    expect(rig.gate.held).toBe(6 * KB71);
    expect(await new Sender(rig.port, KB71).send(1).answered()).toBe("TOO_MANY_REQUESTS");
    block.resolve();
    for (const sender of senders) expect(await sender.answered()).toBe(String(KB71));
    expect(rig.gate.held).toBe(0);
  });
});
