// A transaction whose large values go to the socket piece by piece. ioredis copies each value into its command, and each
// command of a MULTI into one more buffer: at 71 KB that costs more than everything else that a webhook needs.

import type { Socket } from "node:net";
import { Command, type Redis } from "ioredis";

/** A value as it came, in pieces, and how long it is kept. A key that exists is left alone. */
export interface LargeValue {
  readonly key: string;
  readonly pieces: readonly Uint8Array[];
  readonly expireSeconds: number;
}

export interface FinalCommand {
  readonly name: string;
  readonly args: readonly (string | Buffer | number)[];
}

/**
 * MULTI, the values, the command, EXEC: sent in one go over one connection, so nothing comes between them. Gives the
 * command's reply, strings as Buffers; throws its error. For a single server, not for a cluster.
 */
export async function transact(client: Redis, values: readonly LargeValue[], last: FinalCommand): Promise<unknown> {
  const queued = [
    new Command("multi"),
    ...values.map((value) => new SetPieces(value)),
    new Command(last.name, [...last.args]),
  ];
  const exec = new Command("exec", [], { replyEncoding: null });
  const answers = queued.map((command) => client.sendCommand(command) as Promise<unknown>);
  // What was refused at its place makes EXEC fail too, which is where it is heard; but the refusal says why.
  const refusal = Promise.all(answers).then(
    () => undefined,
    (error: unknown) => error,
  );
  let replies: unknown;
  try {
    replies = await client.sendCommand(exec);
  } catch (error) {
    throw (await refusal) ?? error;
  }
  const reply: unknown = Array.isArray(replies) ? replies.at(-1) : new Error("The transaction was discarded.");
  if (reply instanceof Error) throw reply;
  return reply;
}

class SetPieces extends Command {
  readonly #value: LargeValue;

  constructor(value: LargeValue) {
    super("set", [value.key, "", "EX", value.expireSeconds, "NX"]);
    this.#value = value;
  }

  /** Writes all but its end, which ioredis writes. Corked, so that one system call takes everything of this tick. */
  override toWritable(socket: object): string {
    const { key, pieces, expireSeconds } = this.#value;
    const bytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    const seconds = String(expireSeconds);
    const out = socket as Socket;
    out.cork();
    out.write(`*6\r\n$3\r\nSET\r\n$${Buffer.byteLength(key)}\r\n${key}\r\n$${bytes}\r\n`);
    for (const piece of pieces) out.write(piece);
    process.nextTick(() => out.uncork());
    return `\r\n$2\r\nEX\r\n$${seconds.length}\r\n${seconds}\r\n$2\r\nNX\r\n`;
  }
}
