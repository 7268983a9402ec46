// Real IRC servers for tests: ngircd (plain IRC: no ids, no history) and inspircd (IRCv3, with history), on free ports.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { connect } from "node:net";
import { freePort } from "./redis.ts";
import { waitFor } from "./wait-for.ts";

export type IrcKind = "ngircd" | "inspircd";

export interface IrcServerOptions {
  /** Of the server (PASS). */
  readonly password?: string;
  /** Answers within seconds that a client is gone: ngircd's and inspircd's own defaults are minutes. */
  readonly pingSeconds?: number;
  /** With the limits that the server comes with, instead of none. */
  readonly paced?: boolean;
  /** More lines of its configuration. */
  readonly more?: string;
  readonly port?: number;
}

export interface IrcServer {
  readonly kind: IrcKind;
  readonly port: number;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

// They are in /usr/sbin, which is often not on the PATH of a plain user; for `withServer` too.
process.env["PATH"] = `${process.env["PATH"] ?? ""}${delimiter}/usr/sbin`;

export async function startIrcServer(kind: IrcKind, options: IrcServerOptions = {}): Promise<IrcServer> {
  const port = options.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), `antiphon-${kind}-`));
  const file = join(folder, "server.conf");
  writeFileSync(file, kind === "ngircd" ? ngircd(port, options) : inspircd(port, folder, options));
  const args = kind === "ngircd" ? ["-n", "-f", file] : ["--nofork", "--runasroot", "--config", file];
  const told: string[] = [];
  const child = spawn(kind, args, { stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => told.push(bytes.toString()));
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await waitFor(() => accepts(port), { what: `${kind} answers on port ${port}`, timeoutMs: 20_000 });
  } catch (error) {
    await stop();
    throw new Error(`${String(error)}\n${told.join("")}`, { cause: error });
  }
  return { kind, port, child, stop };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

function ngircd(port: number, { password, pingSeconds = 60, paced = false, more = "" }: IrcServerOptions): string {
  return `
[Global]
Name = irc.test
Info = test
Listen = 127.0.0.1
Ports = ${port}
${password === undefined ? "" : `Password = ${password}`}
[Limits]
MaxConnectionsIP = 0
MaxNickLength = 32
MaxPenaltyTime = ${paced ? -1 : 0}
PingTimeout = ${pingSeconds}
PongTimeout = ${Math.max(1, Math.round(pingSeconds / 2))}
[Options]
PAM = no
DNS = no
Ident = no
${more}
`;
}

function inspircd(port: number, folder: string, options: IrcServerOptions): string {
  const { password, pingSeconds = 60, paced = false, more = "" } = options;
  const secret = password === undefined ? "" : ` password="${password}"`;
  const pace = paced ? "" : ' fakelag="no" commandrate="100000" threshold="1000"';
  const modules = [
    "cap ircv3 ircv3_servertime ircv3_msgid ircv3_batch ircv3_echomessage ircv3_labeledresponse ircv3_ctctags",
    "ircv3_accounttag ircv3_capnotify chanhistory services_account",
  ];
  return `
<server name="irc.test" description="test" network="Test" id="001">
<path configdir="${folder}" datadir="${folder}" logdir="${folder}" runtimedir="${folder}">
<admin name="a" nick="a" email="a@b">
<pid file="${folder}/pid">
<bind address="127.0.0.1" port="${port}" type="clients">
<connect allow="*"${secret}${pace} localmax="99" globalmax="99" pingfreq="${pingSeconds}" resolvehostnames="no" useident="no">
<performance clonesonconnect="no">
${modules
  .join(" ")
  .split(" ")
  .map((name) => `<module name="${name}">`)
  .join("\n")}
<chanhistory maxlines="500" prefixmsg="no" bots="yes">
${more}
`;
}
