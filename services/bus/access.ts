// Who asks, and what they may read. Nothing, unless a rule, a token or `access: "open"` says otherwise; reserved channels never.

import type { Clock } from "../runtime/clock.ts";
import { AntiphonError } from "../runtime/errors.ts";
import { setNewest } from "../runtime/newest.ts";
import { withDeadline } from "../runtime/part.ts";
import type { BusAuthorize, BusIdentity, BusRequest, BusRules } from "../sdk/bus.ts";
import { isReserved } from "./channel.ts";
import type { Reader } from "./targets.ts";
import { type ChannelToken, covers, readToken } from "./tokens.ts";

/** Who asks, with ids as texts. */
export interface Known {
  readonly user: string | undefined;
  readonly groups: readonly string[];
  readonly site: string | undefined;
  readonly admin: boolean;
  /** As `identify` gave it. */
  readonly given: BusIdentity;
  readonly token: ChannelToken | undefined;
}

const NOBODY: BusIdentity = {};
/** How long the author's functions may take. */
const ASK_MS = 5_000;
const REMEMBER_MS = 60_000;
const REMEMBERED_MAX = 10_000;

interface Answer {
  readonly may: boolean;
  readonly until: number;
}

export class Access {
  readonly #rules: BusRules;
  readonly #clock: Clock;
  /** By user and channel; of people without an id nothing is remembered. */
  readonly #answers = new Map<string, Answer>();

  constructor(rules: BusRules, clock: Clock) {
    this.#rules = rules;
    this.#clock = clock;
  }

  async identify(request: BusRequest): Promise<Known> {
    const { identify } = this.#rules;
    const asked = identify === undefined ? NOBODY : await inTime(identify(request), "identify");
    const given = asked ?? NOBODY;
    const token = this.#token(request);
    return {
      user: given.user === undefined || given.user === null ? undefined : String(given.user),
      groups: (given.groups ?? []).map(String),
      site: given.site ?? token?.site,
      admin: given.admin === true,
      given,
      token,
    };
  }

  #token({ query, headers }: BusRequest): ChannelToken | undefined {
    const sent = headers["x-bus-token"] ?? query.get("token") ?? undefined;
    if (typeof sent !== "string" || sent === "") return undefined;
    const secret = this.#rules.tokenSecret;
    if (secret === undefined) throw new AntiphonError("UNAUTHORIZED", "Channel tokens are not in use here.");
    return readToken(sent, { secret, nowMs: this.#clock.now() });
  }

  /** `fresh`: what was answered before does not count. */
  async mayRead(known: Known, channel: string, fresh = false): Promise<boolean> {
    if (isReserved(channel)) return false;
    if (known.token !== undefined && covers(known.token, channel)) return true;
    const rule = this.#ruleFor(channel);
    if (typeof rule === "boolean") return rule;
    const key = known.user === undefined ? undefined : `${known.user}\n${known.site ?? ""}\n${channel}`;
    const remembered = key === undefined || fresh ? undefined : this.#answers.get(key);
    const now = this.#clock.monotonic();
    if (remembered !== undefined && now < remembered.until) return remembered.may;
    const may = (await inTime(rule(known.given, channel, "subscribe"), "authorize")) === true;
    if (key !== undefined) setNewest(this.#answers, [key, { may, until: now + REMEMBER_MS }], REMEMBERED_MAX);
    return may;
  }

  /** What is remembered of this user counts no more. */
  forget(user: string): void {
    for (const key of this.#answers.keys()) if (key.startsWith(`${user}\n`)) this.#answers.delete(key);
  }

  #ruleFor(channel: string): boolean | BusAuthorize {
    const { authorize, access = "deny" } = this.#rules;
    if (typeof authorize === "function") return authorize;
    const prefixes = Object.keys(authorize ?? {}).filter((prefix) => channel.startsWith(prefix));
    const longest = prefixes.sort((a, b) => b.length - a.length)[0];
    return authorize?.[longest ?? ""] ?? access === "open";
  }
}

export function readerOf({ user, groups }: Known, client?: string): Reader {
  return { client, user, groups };
}

function inTime<T>(answer: T | Promise<T>, what: string): Promise<T> {
  return withDeadline(Promise.resolve(answer), ASK_MS, `The bus' ${what}`);
}
