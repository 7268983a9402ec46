// Groups of people, which `restrictTo` names. Who is in one is decided by the configuration, or in chat where that names
// nobody. Fails closed: where Redis does not answer, nobody is a member by chat.

import type { RedisClient } from "../redis/connect.ts";
import type { Keys } from "../redis/keys.ts";
import { AntiphonError } from "../runtime/errors.ts";

export interface GroupsOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  /** Group name -> ids of its members; a group with members here is fixed. */
  readonly declared: Readonly<Record<string, readonly string[]>>;
  /** Ids of people who may do everything. */
  readonly admins: readonly string[];
}

export interface Asker {
  readonly id: string;
  /** Whoever took the event in knows the person as an admin. */
  readonly admin?: true;
}

/** What somebody may, at one moment. */
export class Membership {
  readonly isAdmin: boolean;
  /** Why groups that live in Redis count as empty. */
  readonly unreadable: unknown;
  readonly #groups: ReadonlySet<string>;

  constructor(isAdmin: boolean, groups: ReadonlySet<string>, unreadable?: unknown) {
    this.isAdmin = isAdmin;
    this.#groups = groups;
    this.unreadable = unreadable;
  }

  /** In any of the groups; without groups everybody may, and admins may everything. */
  may(restrictTo: readonly string[] | undefined): boolean {
    return restrictTo === undefined || this.isAdmin || restrictTo.some((group) => this.#groups.has(group));
  }
}

/** Nobody: of a delivery of which it is not known who caused it. */
export const NOBODY = new Membership(false, new Set());

export class Groups {
  readonly #options: GroupsOptions;
  /** Those whose members live in Redis. */
  readonly #open: readonly string[];

  constructor(options: GroupsOptions) {
    this.#options = options;
    this.#open = Object.keys(options.declared).filter((name) => !this.isFixed(name));
  }

  get names(): string[] {
    return Object.keys(this.#options.declared);
  }

  isDeclared(group: string): boolean {
    return Object.hasOwn(this.#options.declared, group);
  }

  isFixed(group: string): boolean {
    return (this.#options.declared[group]?.length ?? 0) > 0;
  }

  /** Never throws: what cannot be read is not granted. */
  async membershipOf(person: Asker): Promise<Membership> {
    const { declared, admins, client, keys } = this.#options;
    const isAdmin = person.admin === true || admins.includes(person.id);
    const groups = new Set(Object.keys(declared).filter((name) => declared[name]?.includes(person.id)));
    if (isAdmin || this.#open.length === 0) return new Membership(isAdmin, groups);
    try {
      const pipeline = client.pipeline();
      for (const name of this.#open) pipeline.hexists(keys.group(name), person.id);
      for (const [index, [error, found]] of ((await pipeline.exec()) ?? []).entries()) {
        if (error) throw error;
        if (found === 1) groups.add(this.#open[index] ?? "");
      }
      return new Membership(false, groups);
    } catch (error) {
      return new Membership(false, groups, error);
    }
  }

  /** Throws REDIS_UNAVAILABLE. */
  async members(group: string): Promise<readonly string[]> {
    if (this.isFixed(group)) return this.#options.declared[group] ?? [];
    const { client, keys } = this.#options;
    return (await reading(() => client.hkeys(keys.group(group)))).sort();
  }

  /** Throws REDIS_UNAVAILABLE. */
  async has(group: string, user: string): Promise<boolean> {
    if (this.isFixed(group)) return this.#options.declared[group]?.includes(user) ?? false;
    const { client, keys } = this.#options;
    return (await reading(() => client.hexists(keys.group(group), user))) === 1;
  }
}

async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new AntiphonError("REDIS_UNAVAILABLE", error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}
