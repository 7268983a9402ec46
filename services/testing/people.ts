// The people of a test: who they are in which chat service, and how what they say comes in.

import { randomUUID } from "node:crypto";
import { WEB } from "../adapters/web/manifest.ts";
import { isSession } from "../adapters/web/line.ts";
import { saidIn, type Said } from "../adapters/web/routes.ts";
import type { BrokerContext } from "../broker/connection.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Person, type Room, splitRoom } from "../sdk/message.ts";
import type { ChatService, SpokenThere } from "./chat-service.ts";

export interface UserOptions {
  /** Groups that this person is in, as if somebody had added them in chat. */
  readonly groups?: readonly string[];
}

export interface SayOptions {
  /** The `ref` of the line that began the thread. */
  readonly thread?: string;
}

export interface PeopleOptions {
  readonly broker: BrokerContext;
  readonly botName: string;
  /** Groups that can be joined; those whose members the configuration names cannot. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly hasWeb: boolean;
  readonly services: ReadonlyMap<string, ChatService>;
  /** The web chat's intake. */
  readonly take: (said: Said) => Promise<unknown>;
  readonly clock: Clock;
  /** Whether the service tells this one twice. */
  readonly isTwice: () => boolean;
  readonly track: <T>(work: Promise<T>) => Promise<T>;
}

/** A person. The name is the id in every service: `ann` is `web:ann` and `irc/libera:ann`. */
export class TestUser {
  readonly name: string;
  readonly #options: PeopleOptions;
  /** Groups that are joined in chat, at the first word. */
  readonly #groups: readonly string[];
  /** The ids that are in the groups by now. */
  readonly #joined = new Map<string, Promise<unknown>>();

  constructor(name: string, user: UserOptions, options: PeopleOptions) {
    this.name = name;
    this.#options = options;
    const { groups = [] } = user;
    for (const group of groups) checkGroup(group, name, options.groups);
    this.#groups = groups.filter((group) => options.groups[group]?.length === 0);
  }

  in(room: Room): Speaker {
    const parts = splitRoom(room);
    const { services, hasWeb } = this.#options;
    const isWeb = parts?.unit === WEB.name && hasWeb && isSession(parts.id);
    const service = services.get(parts?.unit ?? "");
    if (parts === undefined || (!isWeb && service === undefined)) {
      const known = [...(hasWeb ? ["web"] : []), ...services.keys()];
      throw new TypeError(`"${room}" is no room of ${known.join(", ")}; see the option adapters`);
    }
    const { track, isTwice, botName, clock } = this.#options;
    return new Speaker(botName, (text, { thread } = {}) => {
      const spoken = { id: randomUUID(), room: parts.id, user: this.name, text, atMs: clock.now() };
      const said = thread === undefined ? spoken : { ...spoken, thread };
      return track(
        (async () => {
          await this.#join(parts.unit);
          await this.#say(service, said, false);
          if (isTwice()) await this.#say(service, said, true);
          return { id: said.id };
        })(),
      );
    });
  }

  // oxlint-disable-next-line max-params -- `again` is said about the other two.
  async #say(service: ChatService | undefined, spoken: SpokenThere, again: boolean): Promise<void> {
    if (service !== undefined) return service.hear(spoken, again);
    await this.#options.take(saidIn(spoken.room, { ...spoken, user: this.#person(WEB.name) }));
  }

  #person(unit: string): Person {
    return { id: `${unit}:${this.name}`, name: this.name };
  }

  /** Writes what adding this person in chat writes. */
  async #join(unit: string): Promise<void> {
    const { client, keys } = this.#options.broker;
    const { id } = this.#person(unit);
    if (!this.#joined.has(id)) {
      this.#joined.set(id, Promise.all(this.#groups.map((group) => client.hset(keys.group(group), id, "1"))));
    }
    await this.#joined.get(id);
  }
}

function checkGroup(group: string, name: string, declared: PeopleOptions["groups"]): void {
  const members = Object.hasOwn(declared, group) ? declared[group] : undefined;
  if (members === undefined)
    throw new TypeError(`"${group}" is none of the groups: ${Object.keys(declared).join(", ") || "there are none"}`);
  if (members.length > 0 && !members.some((id) => id.endsWith(`:${name}`)))
    throw new TypeError(`"${group}" has the members that the option groups names, and ${name} is none of them`);
}

/** A person in a room. */
export class Speaker {
  readonly #botName: string;
  readonly #say: (text: string, options?: SayOptions) => Promise<{ readonly id: string }>;

  constructor(botName: string, say: (text: string, options?: SayOptions) => Promise<{ readonly id: string }>) {
    this.#botName = botName;
    this.#say = say;
  }

  /** Resolves when it is stored; what the bot does about it comes after that. */
  say(text: string, options?: SayOptions): Promise<{ readonly id: string }> {
    return this.#say(text, options);
  }

  /** Says it to the bot. */
  command(text: string, options?: SayOptions): Promise<{ readonly id: string }> {
    return this.say(`${this.#botName} ${text}`, options);
  }
}
