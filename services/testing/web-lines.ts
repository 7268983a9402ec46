// What was said in the web chat's sessions, read from the channels that its pages read.

import { channelOf, roomOf, type WebLine } from "../adapters/web/line.ts";
import { RETENTION } from "../bus/backend.ts";
import { RedisBackend } from "../bus/redis-backend.ts";
import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import type { Room } from "../sdk/message.ts";
import type { Line } from "./lines.ts";

const SCAN_COUNT = 1000;
/** The bot's lines can be edited, so their refs name Action and room. */
const BOT_REF = /^[0-9A-Za-z]{22}@web:/;

interface Source {
  readonly client: RedisClient;
  readonly keys: Keys;
}

/** Of all sessions in which anything was said. */
export async function readSessions(source: Source): Promise<Line[]> {
  const lines = await Promise.all((await sessions(source)).map((session) => readSession(source, session)));
  return lines.flat();
}

async function sessions({ client, keys }: Source): Promise<string[]> {
  const prefix = `${keys.bus()}:m:${channelOf("")}`;
  const found = new Set<string>();
  let cursor = "0";
  do {
    const [next, names] = (await client.call("SCAN", cursor, "MATCH", `${prefix}*`, "COUNT", SCAN_COUNT)) as [
      string,
      string[],
    ];
    for (const name of names) found.add(name.slice(prefix.length));
    cursor = next;
  } while (cursor !== "0");
  return [...found];
}

async function readSession({ client, keys }: Source, session: string): Promise<Line[]> {
  const backend = new RedisBackend({ commands: client, subscriber: client, keys });
  const { messages } = await backend.recent(channelOf(session), RETENTION.messages);
  const lines = new Map<string, Line>();
  for (const { data } of messages) {
    const line = JSON.parse(data.toString("utf8")) as WebLine;
    const { ref, text } = line;
    const before = lines.get(ref);
    if (line.edited === true && before !== undefined) {
      lines.set(ref, { ...before, text, edits: [...before.edits, before.text] });
    } else lines.set(ref, lineOf(session, line));
  }
  return [...lines.values()];
}

function lineOf(session: string, { ref, from, text, at }: WebLine): Line {
  const isBot = BOT_REF.test(ref);
  return { room: roomOf(session) as Room, from, isBot, text, edits: [], reactions: [], ref, atMs: Date.parse(at) };
}
