// Who may read a message: what its publisher named, against what is known of the reader. No names at all: everybody.

import { AntiphonError } from "../runtime/errors.ts";

export interface Targets {
  readonly users?: readonly string[];
  readonly groups?: readonly string[];
  readonly clients?: readonly string[];
}

/** Ids are texts; numbers are taken and written as texts. */
export type Id = string | number;

export interface TargetOptions {
  readonly userIds?: readonly Id[];
  readonly groupIds?: readonly Id[];
  readonly clientIds?: readonly Id[];
}

/** What a reader is known by. */
export interface Reader {
  readonly client: string | undefined;
  readonly user: string | undefined;
  readonly groups: readonly string[];
  /** A part of this process: nothing is hidden from it. */
  readonly isOurs?: boolean;
}

const IDS_MAX = 1000;

/** Undefined: for everybody. Throws OPTIONS_INVALID for a list that is empty, which would mean nobody or everybody. */
export function readTargets(channel: string, options: TargetOptions): Targets | undefined {
  const { userIds, groupIds, clientIds } = options;
  const users = readIds("userIds", userIds);
  const groups = readIds("groupIds", groupIds);
  const clients = readIds("clientIds", clientIds);
  if (channel.startsWith("/global/") && (users ?? groups) !== undefined) {
    throw new AntiphonError(
      "OPTIONS_INVALID",
      "A message on /global/ is for all sites, so it cannot name users or groups.",
    );
  }
  if ((users ?? groups ?? clients) === undefined) return undefined;
  return { ...(users && { users }), ...(groups && { groups }), ...(clients && { clients }) };
}

function readIds(name: string, ids: readonly Id[] | undefined): string[] | undefined {
  if (ids === undefined) return undefined;
  const fit = Array.isArray(ids) && ids.every((id) => typeof id === "string" || typeof id === "number");
  if (fit && ids.length > 0 && ids.length <= IDS_MAX) return ids.map(String);
  throw new AntiphonError(
    "OPTIONS_INVALID",
    `${name} must be 1 to ${IDS_MAX} texts or numbers; leave it out for everybody.`,
  );
}

export function mayRead({ users, groups, clients }: Targets, reader: Reader): boolean {
  if (clients !== undefined && (reader.client === undefined || !clients.includes(reader.client))) return false;
  if (users === undefined && groups === undefined) return true;
  if (users !== undefined && reader.user !== undefined && users.includes(reader.user)) return true;
  return groups !== undefined && reader.groups.some((group) => groups.includes(group));
}
