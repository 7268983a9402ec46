// Which server a connection speaks to, and whether it still is the same one: after a failover the new primary may lack what
// the old one answered.

import { Cluster, type Redis } from "ioredis";
import type { RedisClient } from "./connect.ts";

/** One server, also where there are several. */
export type Server = Redis;

interface Session {
  number: number;
  /** Of this session. */
  runId?: { readonly session: number; readonly asked: Promise<string> };
}

const sessions = new WeakMap<Redis, Session>();
const slots = new WeakMap<Cluster, Map<string, number>>();

/** Of a cluster the primary on which the key lies. */
export async function serverOf(client: RedisClient, key: string): Promise<Redis> {
  if (!(client instanceof Cluster)) return client;
  const slot = await slotOf(client, key);
  const [name] = client.slots[slot] ?? [];
  const node = client.nodes("master").find(({ options }) => `${options.host}:${options.port}` === name);
  if (node === undefined) throw new Error(`The cluster has no primary for slot ${slot}.`);
  return node;
}

async function slotOf(cluster: Cluster, key: string): Promise<number> {
  const known = slots.get(cluster) ?? new Map<string, number>();
  slots.set(cluster, known);
  const slot = known.get(key) ?? Number(await cluster.cluster("KEYSLOT", key));
  known.set(key, slot);
  return slot;
}

/** Counts the times that this connection was closed, since it was first asked for. */
export function sessionOf(server: Redis): number {
  return session(server).number;
}

/** Changes whenever a server is started. Empty where it does not tell. */
export async function runIdOf(server: Redis): Promise<string> {
  const state = session(server);
  const { number } = state;
  if (state.runId?.session !== number) {
    const asked = server.info("server").then((info) => /^run_id:(\S+)/m.exec(info)?.[1] ?? "");
    state.runId = { session: number, asked };
    asked.catch(() => {
      if (state.runId?.asked === asked) delete state.runId;
    });
  }
  return state.runId.asked;
}

function session(server: Redis): Session {
  const known = sessions.get(server);
  if (known !== undefined) return known;
  const state: Session = { number: 0 };
  server.on("close", () => state.number++);
  sessions.set(server, state);
  return state;
}
