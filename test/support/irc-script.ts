// An IRC server of a few lines that a test bends to its will: for what real servers do only when they are broken, hostile or
// joined by services.

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { type Line, parseLine } from "../../services/adapters/irc/line.ts";

export interface Guest {
  readonly socket: Socket;
  /** Every line that it sent. */
  readonly lines: string[];
  nick: string;
  /** Lines as they are; the ends are added. */
  tell(...lines: readonly string[]): void;
}

export interface Script {
  readonly capabilities?: string;
  /** More of 005. */
  readonly isupport?: string;
  /** Before the polite answers; true: they are left out. */
  readonly heard?: (guest: Guest, line: Line) => boolean | void;
  /** Instead of all politeness. */
  readonly welcome?: (guest: Guest) => void;
  /** Speaks TLS, and takes the certificate of whoever comes. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export class ScriptedIrc {
  readonly guests: Guest[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(script: Script): Promise<ScriptedIrc> {
    const greet = (socket: Socket | TLSSocket): void => irc.#greet(socket, script);
    const secrets = { ...script.tls, requestCert: true, rejectUnauthorized: false };
    const server: Server = script.tls ? createTlsServer(secrets, greet) : createServer(greet);
    const irc = new ScriptedIrc(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return irc;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get last(): Guest | undefined {
    return this.guests.at(-1);
  }

  /** All lines of all guests. */
  get lines(): string[] {
    return this.guests.flatMap((guest) => guest.lines);
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const { socket } of this.guests) socket.destroy();
    await closed;
  }

  #greet(socket: Socket, script: Script): void {
    const tell = (...lines: readonly string[]): void => void socket.write(lines.map((line) => `${line}\r\n`).join(""));
    const guest: Guest = { socket, lines: [], nick: "*", tell };
    this.guests.push(guest);
    let rest = "";
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: string) => {
      const texts = (rest + bytes).split("\r\n");
      rest = texts.pop() ?? "";
      for (const text of texts) {
        guest.lines.push(text);
        const line = parseLine(text);
        if (line && !script.welcome && script.heard?.(guest, line) !== true) polite(guest, line, script);
      }
    });
    script.welcome?.(guest);
  }
}

/** What every server answers. */
function polite(guest: Guest, { command, params, tags }: Line, script: Script): void {
  const { nick, tell } = guest;
  const mask = `${nick}!bot@host`;
  const label = tags.has("label") ? `@label=${tags.get("label")} ` : "";
  switch (command) {
    case "NICK":
      if (nick !== "*") tell(`:${mask} NICK ${params[0]}`);
      guest.nick = params[0] ?? "*";
      return;
    case "CAP":
      if (params[0] === "LS") tell(`:s CAP * LS :${script.capabilities ?? ""}`);
      if (params[0] === "REQ") tell(`:s CAP * ACK :${params[1]}`);
      if (params[0] === "END") welcome(guest, script);
      return;
    case "USER":
      if (script.capabilities === undefined) welcome(guest, script);
      return;
    case "PING":
      return tell(`:s PONG s :${params[0]}`);
    case "JOIN":
      for (const channel of (params[0] ?? "").split(","))
        tell(`:${mask} JOIN ${channel}`, `:s 366 ${nick} ${channel} :end`);
      return;
    case "PRIVMSG":
      if (script.capabilities?.includes("echo-message")) tell(`${label}:${mask} PRIVMSG ${params[0]} :${params[1]}`);
      return;
    case "QUIT":
      tell("ERROR :Closing link");
      guest.socket.end();
      return;
    default:
  }
}

function welcome({ nick, tell }: Guest, { isupport = "NICKLEN=30" }: Script): void {
  tell(
    `:s 001 ${nick} :Welcome`,
    `:s 005 ${nick} ${isupport} :are supported by this server`,
    `:s 376 ${nick} :End of MOTD`,
  );
}
