// `defineBus`: who reads which channels of the bus. Plain frozen data, as handlers are: the author's copy of this library and
// ours are different modules.

import type { IncomingMessage } from "node:http";

/** What somebody asks of the bus over HTTP. */
export interface BusRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Undefined when a proxy does not say whom it speaks for. */
  readonly ip: string | undefined;
  /** Node's own request, whose body must be left alone. */
  readonly raw: IncomingMessage;
}

/** Who asks. What is left out is unknown: no user, no groups. Ids are compared as texts. */
export interface BusIdentity {
  readonly user?: string | number | undefined;
  readonly groups?: readonly (string | number)[] | undefined;
  /** Of several tenants: it reads that one's channels, and `/global/` ones. */
  readonly site?: string | undefined;
  /** May see the diagnostics. */
  readonly admin?: boolean | undefined;
}

export type BusAuthorize = (identity: BusIdentity, channel: string, action: "subscribe") => boolean | Promise<boolean>;

/** How data becomes text and back. What `encode` gives must be JSON if published clients are to read it. */
export interface BusCodec {
  encode(data: unknown): string;
  decode(text: string): unknown;
}

/** An answer in place of ours. */
export interface BusAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface BusCors {
  /** As browsers send them: `https://app.example.com`; `*` for all, which excludes credentials. */
  readonly origins: "*" | readonly string[] | ((origin: string) => boolean);
  readonly credentials?: boolean;
  /** Headers that pages may send, beside those of the clients. */
  readonly headers?: readonly string[];
  readonly maxAgeSeconds?: number;
}

export interface BusRules {
  /** Called per request. Throwing refuses the request; see `onError`. Left out: everybody is unknown. */
  readonly identify?: (request: BusRequest) => BusIdentity | Promise<BusIdentity>;
  /**
   * Called per channel that somebody wants to read, and again from time to time. A function, or prefixes with a function or
   * an answer each, of which the longest that fits decides. Where none fits, `access` decides.
   */
  readonly authorize?: BusAuthorize | Readonly<Record<string, boolean | BusAuthorize>>;
  /** `open`: as in MessageBus, every channel may be named, and secrecy is up to each message's ids. Default: `deny`. */
  readonly access?: "deny" | "open";
  /** Whoever brings a token signed with it (`signChannels`) may read the channels that it names. */
  readonly tokenSecret?: string;
  readonly codec?: BusCodec;
  /** May answer in our place. */
  readonly onError?: (
    request: BusRequest,
    error: unknown,
  ) => BusAnswer | undefined | void | Promise<BusAnswer | undefined | void>;
  /** Headers that answers get besides; never `content-type`. */
  readonly headers?: (request: BusRequest) => Readonly<Record<string, string>>;
  readonly cors?: BusCors;
  /** WebSockets too, at `/bus/ws`. Pages of other origins need `cors` with credentials. Default: false. */
  readonly websocket?: boolean;
}

/** What a module of a handlers folder exports by default, at most one. */
export interface BusDefinition extends BusRules {
  readonly format: 1;
  readonly kind: "bus";
}

const FUNCTIONS = ["identify", "onError", "headers"] as const;
const OPTIONS: ReadonlySet<string> = new Set([
  ...FUNCTIONS,
  "authorize",
  "access",
  "tokenSecret",
  "codec",
  "cors",
  "websocket",
]);
const SECRET_CHARS_MIN = 16;

/** Throws one TypeError that lists everything that is wrong; its `cause` is the list. */
export function defineBus(rules: BusRules): BusDefinition {
  const problems = busProblems(rules);
  if (problems.length > 0) {
    const error = new TypeError(`the bus: ${problems.join("; ")}`, { cause: problems });
    Error.captureStackTrace(error, defineBus);
    throw error;
  }
  return Object.freeze({ ...rules, format: 1, kind: "bus" });
}

/** What is wrong with them. */
export function busProblems(rules: BusRules): string[] {
  const problems: string[] = [];
  for (const key of Object.keys(rules)) if (!OPTIONS.has(key)) problems.push(`unknown option ${key}`);
  for (const key of FUNCTIONS) {
    if (rules[key] !== undefined && typeof rules[key] !== "function") problems.push(`${key} is no function`);
  }
  const { access, authorize, codec, tokenSecret } = rules;
  if (access !== undefined && access !== "deny" && access !== "open") problems.push('access must be "deny" or "open"');
  if (rules.websocket !== undefined && typeof rules.websocket !== "boolean")
    problems.push("websocket must be true or false");
  if (!authorizeFits(authorize))
    problems.push("authorize must be a function, or prefixes with true, false or a function");
  if (codec !== undefined && (typeof codec.encode !== "function" || typeof codec.decode !== "function"))
    problems.push("codec needs the functions encode and decode");
  if (tokenSecret !== undefined && (typeof tokenSecret !== "string" || tokenSecret.length < SECRET_CHARS_MIN))
    problems.push(`tokenSecret must be a text of at least ${SECRET_CHARS_MIN} characters`);
  return problems;
}

function authorizeFits(authorize: unknown): boolean {
  if (authorize === undefined || typeof authorize === "function") return true;
  if (typeof authorize !== "object" || authorize === null) return false;
  return Object.values(authorize).every((rule) => typeof rule === "function" || typeof rule === "boolean");
}
