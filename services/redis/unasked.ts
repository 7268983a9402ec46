// What a server says to whoever connects before anything is asked of it: why it does not want him. A client that asks at once
// loses these words, for the server has hung up by then, and what is written to it takes the connection down unread.

import { connect } from "node:net";

export interface Peer {
  readonly host: string;
  readonly port: number;
}

const WAIT_MS = 500;
const BYTES_MAX = 1024;

/** The text of its error; undefined where it says nothing, or cannot be reached. */
export function saidUnasked(peer: Peer): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ ...peer, timeout: WAIT_MS });
    socket.setEncoding("latin1");
    socket.on("data", (piece: string) => {
      text += piece;
      if (text.includes("\n") || text.length > BYTES_MAX) socket.destroy();
    });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy());
    socket.on("close", () => resolve(/^-([^\r\n]+)/.exec(text.slice(0, BYTES_MAX))?.[1]));
  });
}
