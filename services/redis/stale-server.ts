// The note that a server of ours leaves in its folder, and the end of a server that outlived the process that started it.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";

export interface ServerNote {
  readonly pid: number;
  readonly port: number;
}

const NOTE = "server.json";
const HOST = "127.0.0.1";
const ANSWER_MS = 1000;
const END_MS = 3000;
const STRANGER_MS = 1000;
const POLL_MS = 20;

export function writeNote(folder: string, note: ServerNote): void {
  writeFileSync(join(folder, NOTE), JSON.stringify(note));
}

export function removeNote(folder: string): void {
  rmSync(join(folder, NOTE), { force: true });
}

/** Two servers must never open the same files. The caller holds the lock of the folder, so whatever works in it is left over. */
export async function endStaleServer(folder: string, clock: Clock): Promise<void> {
  const note = readNote(folder);
  if (note === undefined) return;
  const start = clock.monotonic();
  let isAsked = false;
  while (isAlive(note.pid)) {
    // 1. Whose process is it? Another's may have got its number; only ours works in this folder.
    const answer = isAsked ? undefined : await ask(note.port, "CONFIG GET dir");
    if (answer !== undefined && answer !== "") {
      if (!answer.includes(`\r\n${folder}\r\n`)) return;
      // 2. With an append-only file nothing is lost by this.
      isAsked = true;
      await ask(note.port, "SHUTDOWN NOSAVE");
    }
    // 3. No port: it has just begun, or is about to end, or the number is another's by now.
    const waitedMs = clock.monotonic() - start;
    if (waitedMs > STRANGER_MS && answer === undefined && !isAsked) return;
    if (waitedMs > END_MS) {
      const remedy = `A server of an earlier run does not answer (process ${note.pid}, in ${folder}). End it and start again.`;
      throw new AntiphonError("CONFIG_INVALID", remedy);
    }
    await clock.sleep(POLL_MS);
  }
}

function readNote(folder: string): ServerNote | undefined {
  try {
    const { pid, port } = JSON.parse(readFileSync(join(folder, NOTE), "utf8")) as Partial<ServerNote>;
    return Number(pid) > 1 && Number(port) > 0 ? { pid: Number(pid), port: Number(port) } : undefined;
  } catch {
    return undefined; // no server was started here, or its note was cut short while it was written
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** In a container whose first process collects no children, a dead process keeps its number. */
function isZombie(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    return status[status.lastIndexOf(")") + 2] === "Z";
  } catch {
    return false; // no such file but on Linux
  }
}

/** The raw answer to one command; empty when there is none, undefined when nobody listens. Works while a server loads its data. */
function ask(port: number, command: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST);
    const done = (answer: string | undefined): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_MS, () => done(""));
    socket.once("connect", () => socket.write(`${command}\r\n`));
    socket.once("data", (bytes) => done(bytes.toString()));
    socket.once("close", () => done(""));
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code === "ECONNREFUSED" ? undefined : ""));
  });
}
