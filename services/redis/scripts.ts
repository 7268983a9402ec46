// Loads Lua scripts from files, resolves their includes, calls them by SHA and survives a server that forgot them.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Cluster, Redis } from "ioredis";
import { type LargeValue, transact } from "./transaction.ts";

export interface Script {
  readonly name: string;
  readonly lua: string;
  readonly sha: string;
}

/** What a script answers. Strings come as Buffers, because bodies are bytes. */
export type Reply = Buffer | string | number | null | Reply[];
export type Argument = string | Buffer | number;

const SERVICES = new URL("../", import.meta.url);
/** Of each script by its digest. */
const names = new Map<string, string>();
const INCLUDE = /^-- @include (\S+)$/gm;

/** Reads a script. A line `-- @include broker/lua/lib/take` becomes that file, once, however often it is named. */
export function loadScript(file: URL): Script {
  const lua = expand(readFileSync(file, "utf8"), new Set());
  const name = file.pathname.slice(file.pathname.lastIndexOf("/") + 1, -".lua".length);
  const sha = createHash("sha1").update(lua).digest("hex");
  names.set(sha, name);
  return { name, lua, sha };
}

/** Of a script that was loaded here. */
export function scriptName(sha: string): string | undefined {
  return names.get(sha);
}

function expand(text: string, seen: Set<string>): string {
  return text.replace(INCLUDE, (_line, path: string) => {
    if (seen.has(path)) return "";
    seen.add(path);
    return expand(readFileSync(new URL(`${path}.lua`, SERVICES), "utf8"), seen);
  });
}

export interface Call {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
}

/** One round trip; two when the server does not know the script (EVAL teaches it). */
export async function runScript(client: Redis | Cluster, call: Call): Promise<Reply> {
  const rest = [call.keys.length, ...call.keys, ...call.args];
  try {
    return (await client.callBuffer("EVALSHA", call.script.sha, ...rest)) as Reply;
  } catch (error) {
    if (!isNoScript(error)) throw error;
    return (await client.callBuffer("EVAL", call.script.lua, ...rest)) as Reply;
  }
}

/**
 * Sets `values` and runs the script in one MULTI. So large values reach Redis without passing through Lua, which would
 * hash each of their bytes. When the server does not know the script, the values just expire and all is sent again.
 * A value that is there already is left alone: the call may be a repeat, and the script may have made it permanent.
 */
export async function runScriptWith(
  client: Redis | Cluster,
  values: readonly LargeValue[],
  call: Call,
): Promise<Reply> {
  if (values.length === 0) return await runScript(client, call);
  if (client instanceof Redis) return await runOnOne(client, values, call);
  for (let tries = 0; ; tries++) {
    const multi = client.multi();
    for (const { key, pieces, expireSeconds } of values) {
      multi.set(key, Buffer.concat(pieces), "EX", expireSeconds, "NX");
    }
    multi.callBuffer("EVALSHA", call.script.sha, call.keys.length, ...call.keys, ...call.args);
    const replies = await multi.exec();
    const [error, reply] = replies?.at(-1) ?? [new Error("MULTI was discarded"), null];
    if (!error) return reply as Reply;
    if (!isNoScript(error) || tries > 0) throw error;
    await client.script("LOAD", call.script.lua);
  }
}

async function runOnOne(client: Redis, values: readonly LargeValue[], call: Call): Promise<Reply> {
  const args = [call.script.sha, call.keys.length, ...call.keys, ...call.args];
  for (let tries = 0; ; tries++) {
    try {
      return (await transact(client, values, { name: "evalsha", args })) as Reply;
    } catch (error) {
      if (!isNoScript(error) || tries > 0) throw error;
      await client.script("LOAD", call.script.lua);
    }
  }
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/** Whether a script refused because its caller lost the right to write (error replies that start with FENCED). */
export function isFenced(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("FENCED");
}

export function text(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString("latin1") : String(reply ?? "");
}

export function utf8(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString("utf8") : String(reply ?? "");
}
