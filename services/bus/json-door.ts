// `POST /bus/poll`: one JSON answer with epochs, at once or when there is something. A position that is lost is said to be.

import { AntiphonError } from "../runtime/errors.ts";
import type { Asking, Door } from "./door.ts";
import { JsonFace } from "./json-face.ts";
import type { From } from "./position.ts";
import { answerJson, WholeConn } from "./whole-conn.ts";
import { jsonObject, readBody } from "./request.ts";

const WAIT_SECONDS_MAX = 60;
const RECENT_MAX = 300;
const EPOCH = /^[A-Za-z0-9_-]{0,64}$/;

export async function answerJsonPoll(door: Door, asking: Asking): Promise<void> {
  const { request } = asking;
  if (request.method !== "POST") throw new AntiphonError("REQUEST_INVALID", "Use POST.");
  const { channels, waitMs, recent } = readAsked(jsonObject((await readBody(request.raw)) || "{}"));
  const { known, reader, wants, denied } = await door.admit(asking, { channels });
  if (waitMs === 0 || wants.length === 0) {
    const said = await door.bus.read({ wants, face: new JsonFace("short", denied), reader, recent });
    return answerJson(asking, said ?? Buffer.alloc(0));
  }
  const conn = new WholeConn(asking);
  const face = new JsonFace("poll", denied);
  await door.hold({ request, known, wants, face, reader, conn, lifeMs: waitMs, kind: "json", recent });
}

interface Asked {
  readonly channels: ReadonlyMap<string, From>;
  readonly waitMs: number;
  readonly recent: number;
}

function readAsked({ channels, wait = 0, recent = 0 }: Record<string, unknown>): Asked {
  if (typeof wait !== "number" || !(wait >= 0 && wait <= WAIT_SECONDS_MAX)) {
    throw new AntiphonError("REQUEST_INVALID", `wait must be 0 to ${WAIT_SECONDS_MAX} seconds.`);
  }
  return { channels: readChannels(channels), waitMs: wait * 1000, recent: readCount(recent) };
}

/** Each name with a position, `{"recent": n}`, or null for what is said from now on. Throws REQUEST_INVALID. */
export function readChannels(channels: unknown): ReadonlyMap<string, From> {
  const given = Object.entries(jsonObject(channels ?? {}));
  return new Map(given.map(([name, position]) => [name, readFrom(name, position)]));
}

function readFrom(name: string, position: unknown): From {
  if (position === null) return { kind: "now" };
  const { epoch, offset, recent } = typeof position === "object" ? (position as Record<string, unknown>) : {};
  if (recent !== undefined) return { kind: "recent", count: readCount(recent) };
  const fits = typeof epoch === "string" && EPOCH.test(epoch) && Number.isSafeInteger(offset) && Number(offset) >= 0;
  if (fits) return { kind: "after", epoch, offset: Number(offset) };
  throw new AntiphonError("REQUEST_INVALID", `${name} needs {"epoch", "offset"}, {"recent"} or null.`);
}

export function readCount(count: unknown): number {
  if (typeof count === "number" && Number.isInteger(count) && count >= 0 && count <= RECENT_MAX) return count;
  throw new AntiphonError("REQUEST_INVALID", `recent must be a whole number from 0 to ${RECENT_MAX}.`);
}
